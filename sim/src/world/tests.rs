use std::f64::consts::{FRAC_PI_2, PI};

use nalgebra::{Isometry3, Matrix4, Vector3, Vector4};

use super::*;

const OPEN: f64 = 0.45;
const CLOSE: f64 = -0.3;
const TILT: f64 = 0.2618;

/// A stiff position servo with the torque of a real one.
fn stiff(target: f64, max_torque: f64) -> Drive {
    Drive {
        target,
        target_velocity: 0.0,
        stiffness: 50.0,
        damping: 2.0,
        max_torque,
        friction: 0.0,
    }
}

/// A workcell with a hand that follows straight lines.
struct Cell {
    world: World,
    /// a second arm, to solve for joint angles on
    mirror: World,
    joints: [f64; 6],
}

impl Cell {
    fn new(cube: Isometry3<f64>) -> Self {
        let scene = Scene::pick_cube().unwrap();
        let mut cell = Self {
            world: World::new(&scene),
            mirror: World::new(&scene),
            joints: [0.0, -0.6, 0.9, 1.0, FRAC_PI_2, OPEN],
        };
        cell.world.place(0, &cube);
        cell
    }

    /// Joint angles for a tool position, an azimuth of the closing direction and a gripper angle.
    fn solve(&mut self, at: Vector3<f64>, yaw: f64, gripper: f64) {
        let mut q = self.joints;
        for _ in 0..40 {
            q[4] = yaw + 0.0487 + q[0];
            let residual = |mirror: &mut World, q: &[f64; 6]| {
                mirror.set_joints(q);
                let error = at - mirror.tool_pose().translation.vector;
                let pitch = FRAC_PI_2 - TILT - q[1] - q[2] - q[3];
                Vector4::new(error.x, error.y, error.z, 0.1 * pitch)
            };
            let error = residual(&mut self.mirror, &q);
            let mut jacobian = Matrix4::zeros();
            for i in 0..4 {
                let mut moved = q;
                moved[i] += 1e-3;
                jacobian.set_column(i, &((error - residual(&mut self.mirror, &moved)) / 1e-3));
            }
            let damped = jacobian.transpose() * jacobian + Matrix4::identity() * 1e-6;
            let step = damped.lu().solve(&(jacobian.transpose() * error)).unwrap();
            for i in 0..4 {
                q[i] += step[i].clamp(-0.3, 0.3);
            }
        }
        q[5] = gripper;
        self.mirror.set_joints(&q);
        let missed = (at - self.mirror.tool_pose().translation.vector).norm();
        assert!(missed < 2e-3, "cannot reach {at:?}, {missed} m short");
        self.joints = q;
    }

    fn hold(&mut self, secs: f64) {
        for _ in 0..steps(secs) {
            self.step();
        }
    }

    fn step(&mut self) {
        let q = self.joints;
        let drives: [Drive; 6] =
            std::array::from_fn(|i| stiff(q[i], if i == 5 { 0.6 } else { 1.9 }));
        self.world.step(&drives);
    }

    /// Moves the tool in a straight line, so many seconds long.
    fn go(&mut self, from: Vector3<f64>, to: Vector3<f64>, yaw: f64, gripper: f64, secs: f64) {
        let pieces = 20;
        for i in 1..=pieces {
            self.solve(
                from.lerp(&to, f64::from(i) / f64::from(pieces)),
                yaw,
                gripper,
            );
            self.hold(secs / f64::from(pieces));
        }
    }

    fn start(&mut self, at: Vector3<f64>, yaw: f64, gripper: f64) {
        self.solve(at, yaw, gripper);
        self.world.set_joints(&self.joints);
        self.hold(0.2);
    }

    fn cube(&self) -> Vector3<f64> {
        self.world.object_pose(0).unwrap().translation.vector
    }

    /// Grasps the cube where it lies and lifts it to 9 cm.
    fn pick(&mut self, yaw: f64) -> Vector3<f64> {
        let cube = self.cube();
        let above = Vector3::new(cube.x, cube.y, 0.06);
        let at = Vector3::new(cube.x, cube.y, 0.0145);
        let up = Vector3::new(cube.x, cube.y, 0.09);
        self.start(above, yaw, OPEN);
        self.go(above, at, yaw, OPEN, 0.6);
        self.joints[5] = CLOSE;
        self.hold(0.5);
        self.go(at, up, yaw, CLOSE, 0.8);
        up
    }
}

fn steps(secs: f64) -> u32 {
    (secs * 400.0).round() as u32
}

fn on_table(radius: f64, angle: f64, yaw: f64) -> Isometry3<f64> {
    Isometry3::new(
        Vector3::new(0.0388 + radius * angle.cos(), radius * angle.sin(), 0.0125),
        Vector3::z() * yaw,
    )
}

/// The closing direction that fits the cube's faces and is nearest to sideways.
fn sideways(angle: f64, yaw: f64) -> f64 {
    let wanted = angle + FRAC_PI_2;
    yaw + ((wanted - yaw) / FRAC_PI_2).round() * FRAC_PI_2
}

#[test]
fn a_closed_gripper_lifts_the_cube_and_keeps_it() {
    for (radius, angle, yaw) in [(0.13, -0.4, 0.3), (0.18, 0.1, 0.0), (0.235, 0.75, -0.7)] {
        let mut cell = Cell::new(on_table(radius, angle, yaw));
        cell.pick(sideways(angle, yaw));
        let lifted = cell.cube();
        assert!(lifted.z > 0.06, "cube at {lifted:?}");
        let offset = |cell: &Cell| {
            cell.world
                .tool_pose()
                .inverse_transform_point(&cell.cube().into())
        };
        let before = offset(&cell);
        cell.hold(1.0);
        let slipped = (offset(&cell) - before).norm();
        assert!(slipped < 1e-3, "cube slipped {slipped} m");
        let gripper = cell.world.motions()[5];
        assert!(
            gripper.position > -0.1,
            "jaws closed past the cube: {gripper:?}"
        );
        assert!(gripper.torque < -0.5, "jaws do not press: {gripper:?}");
    }
}

#[test]
fn a_jaw_that_sweeps_pushes_the_cube() {
    let mut cell = Cell::new(on_table(0.18, 0.0, 0.0));
    let before = cell.cube();
    let from = Vector3::new(before.x, before.y - 0.06, 0.015);
    let to = Vector3::new(before.x, before.y + 0.02, 0.015);
    cell.start(from, FRAC_PI_2, 0.0);
    cell.go(from, to, FRAC_PI_2, 0.0, 1.0);
    let moved = cell.cube() - before;
    assert!(moved.y > 0.03, "cube moved {moved:?}");
    assert!(moved.z.abs() < 3e-3, "cube left the table: {moved:?}");
}

#[test]
fn a_cube_let_go_over_the_bin_stays_in_it() {
    let scene = Scene::pick_cube().unwrap();
    let mut cell = Cell::new(on_table(0.18, -0.4, 0.0));
    let mut from = cell.pick(sideways(-0.4, 0.0));
    let bin = scene.bin.centre;
    let yaw = (bin[1] / (bin[0] - 0.0388)).atan() + FRAC_PI_2;
    let over = Vector3::new(bin[0], bin[1], 0.095);
    cell.go(from, over, yaw, CLOSE, 1.5);
    from = over;
    cell.joints[5] = OPEN;
    cell.hold(1.0);
    cell.go(from, Vector3::new(0.2, 0.0, 0.095), yaw, OPEN, 1.0);
    let cube = cell.cube();
    assert!(scene.bin.holds(cube.into()), "cube at {cube:?}");
}

#[test]
fn a_cube_dropped_from_a_hand_height_comes_to_rest_on_the_table() {
    let mut pose = on_table(0.2, 0.3, 0.5);
    pose.translation.z = 0.15;
    let mut cell = Cell::new(pose);
    cell.hold(1.5);
    let cube = cell.cube();
    assert!((cube.z - 0.0125).abs() < 1e-3, "cube at {cube:?}");
}

#[test]
fn the_same_drives_give_the_same_bits() {
    let run = || {
        let mut cell = Cell::new(on_table(0.18, 0.1, 0.2));
        cell.pick(sideways(0.1, 0.2));
        cell.world.snapshot()
    };
    let (one, other) = (run(), run());
    assert_eq!(one, other);
}

#[test]
fn a_limp_arm_at_its_rest_pose_stays_there() {
    let scene = Scene::pick_cube().unwrap();
    let mut world = World::new(&scene);
    let limp = [Drive {
        friction: 0.06,
        ..Drive::default()
    }; 6];
    for _ in 0..800 {
        world.step(&limp);
    }
    for (motion, rest) in world.motions().iter().zip(scene.rest()) {
        assert!(
            (motion.position - rest).abs() < 0.03,
            "{:?}",
            world.motions()
        );
    }
}

#[test]
fn a_limp_arm_falls() {
    let scene = Scene::pick_cube().unwrap();
    let mut world = World::new(&scene);
    world.set_joints(&[0.0; 6]);
    let before = world.tool_pose().translation.z;
    for _ in 0..200 {
        world.step(&[]);
    }
    assert!(world.tool_pose().translation.z < before - 0.05);
}

#[test]
fn joints_stop_at_their_limits() {
    let scene = Scene::pick_cube().unwrap();
    let mut world = World::new(&scene);
    world.set_joints(&[0.0, -0.5, 0.0, 0.0, 0.0, 0.0]);
    let mut drives = [0.0, -0.5, 0.0, 0.0, 0.0, 0.0].map(|q| stiff(q, 1.9));
    drives[0].target = PI;
    for _ in 0..800 {
        world.step(&drives);
    }
    assert!(
        (world.motions()[0].position - 1.91986).abs() < 0.01,
        "{:?}",
        world.motions()[0]
    );
}

#[test]
fn a_drive_meets_gravity_with_the_torque_it_reports() {
    let scene = Scene::pick_cube().unwrap();
    let mut world = World::new(&scene);
    let pose = [0.0, 0.8, -0.8, 0.0, 0.0, 0.0];
    world.set_joints(&pose);
    let drives = pose.map(|q| stiff(q, 1.9));
    for _ in 0..800 {
        world.step(&drives);
    }
    let lift = world.motions()[1];
    assert!(lift.velocity.abs() < 1e-3);
    // 0.385 kg ahead of the shoulder by 0.1 to 0.3 m.
    assert!((-1.2..-0.3).contains(&lift.torque), "{lift:?}");
    let sag = 50.0 * (0.8 - lift.position);
    assert!((sag - lift.torque).abs() < 1e-3);
}

#[test]
fn gear_friction_holds_a_joint_against_a_small_load() {
    let scene = Scene::pick_cube().unwrap();
    let mut world = World::new(&scene);
    world.set_joints(&[0.0; 6]);
    let mut drives = [stiff(0.0, 1.9); 6];
    drives[4] = Drive {
        friction: 0.1,
        ..Drive::default()
    };
    for _ in 0..400 {
        world.step(&drives);
    }
    assert!(world.motions()[4].position.abs() < 0.01);
}
