use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn parse(text: &str) -> Result<Scene, SceneError> {
    Scene::parse(Path::new("cell.toml"), text, |_| Ok(SO101.to_owned()))
}

/// The one-line message of the shipped scene with `from` replaced by `to`.
fn complaint(from: &str, to: &str) -> String {
    assert!(PICK_CUBE.contains(from), "{from} is not in the scene");
    let message = parse(&PICK_CUBE.replacen(from, to, 1))
        .unwrap_err()
        .to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn the_shipped_scene_is_valid() {
    let scene = Scene::pick_cube().unwrap();
    assert_eq!(scene.rest().len(), 6);
    assert_eq!(scene.model().actuated().count(), 6);
}

#[test]
fn the_shipped_scene_loads_from_its_path() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/pick_cube.toml");
    assert_eq!(Scene::load(&path).unwrap().name, "pick_cube");
}

#[test]
fn homing_puts_the_middle_of_the_range_at_2047() {
    let scene = Scene::pick_cube().unwrap();
    for servo in &scene.arm.servos {
        let [lower, upper] = scene.model().limits(&servo.joint).unwrap();
        let middle = if servo.min_position == 0 {
            0.0
        } else {
            (lower + upper) / 2.0
        };
        let counts = 4096.0 / std::f64::consts::TAU;
        let present = f64::from(servo.encoder_at_zero - servo.homing_offset) + middle * counts;
        assert!((present - 2047.0).abs() <= 1.0, "{} {present}", servo.joint);
        let reach = (upper - lower) / 2.0 * counts;
        if servo.min_position != 0 {
            assert!((f64::from(servo.max_position) - 2047.0 - reach).abs() <= 1.0);
            assert!((2047.0 - f64::from(servo.min_position) - reach).abs() <= 1.0);
        }
    }
}

#[test]
fn servos_are_set_to_a_rate_they_know_and_to_no_other() {
    let scene = Scene::pick_cube().unwrap();
    let refusal = scene.clone().at_baud(4_000_000).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "a STS3215 can't be set to 4000000, use 1000000, 500000, 250000, 128000, 115200, 57600, \
         38400, 19200"
    );
    let scene = scene.with_servos(Model::Xl430W250).at_baud(4_000_000);
    let (mut bank, _) = crate::Workcell::new(scene.unwrap(), 0).into_parts();
    let ping = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01, 0x19, 0x4E];
    let mut reply = Vec::new();
    bank.receive(0, &ping);
    bank.take_due(1_000_000, &mut reply);
    assert!(reply.is_empty(), "the host is at 1 Mbaud: {reply:x?}");
    bank.set_host_baud(4_000_000);
    bank.receive(2_000_000, &ping);
    bank.take_due(3_000_000, &mut reply);
    assert_eq!(reply.get(..5), Some(&[0xFF, 0xFF, 0xFD, 0x00, 0x01][..]));
}

#[test]
fn a_rate_that_a_servo_does_not_know_is_refused_by_its_key() {
    let message = complaint("rest = ", "baud = 4_000_000\nrest = ");
    assert!(message.contains("arm.servos[0].baud"), "{message}");
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let message = complaint("physics_hz = 400", "physics_hz = 400\nphysic_hz = 300");
    assert!(
        message.starts_with("cell.toml:7: unknown field `physic_hz`"),
        "{message}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let message = Scene::load(Path::new("/no/such/scene.toml"))
        .unwrap_err()
        .to_string();
    assert!(message.starts_with("/no/such/scene.toml: "), "{message}");
}

#[test]
fn values_that_cannot_be_simulated_are_named() {
    for (from, to, key) in [
        ("physics_hz = 400", "physics_hz = 0", "physics_hz"),
        (
            "joint = \"elbow_flex\"",
            "joint = \"elbow\"",
            "arm.servos[2].joint",
        ),
        ("id = 3", "id = 2", "arm.servos[2].id"),
        ("rest = -1.74", "rest = -3.0", "arm.servos[1].rest"),
        (
            "homing_offset = 416",
            "homing_offset = 2500",
            "arm.servos[5].homing_offset",
        ),
        ("mass = 0.0156", "mass = nan", "cubes[0].mass"),
        ("size = [0.10, 0.10]", "size = [0.10, -0.10]", "bin.size"),
        (
            "mount = \"gripper\"",
            "mount = \"hand\"",
            "cameras[1].mount",
        ),
        (
            "up = [0.0, -1.0, 0.0]",
            "up = [0.0, 0.055, -0.1]",
            "cameras[1].up",
        ),
        ("pixel = 2.0", "pixel = 0.0", "noise.pixel"),
        (
            "colour = [0.10, 0.33, 0.80]",
            "colour = [0.10, 0.33, 80]",
            "cubes[0].colour",
        ),
    ] {
        let message = complaint(from, to);
        assert!(
            message.starts_with(&format!("cell.toml: {key}: ")),
            "{message}"
        );
    }
}

#[test]
fn a_broken_urdf_is_named() {
    let result = Scene::parse(Path::new("cell.toml"), PICK_CUBE, |_| {
        Ok("<robot>".to_owned())
    });
    let message = result.unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains("so101.urdf"), "{message}");
}

#[test]
fn placements_follow_the_rule() {
    let scene = Scene::pick_cube().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..500 {
        let pose = scene.draw_placement(&mut rng)[0];
        let x = pose.translation.x - scene.placement.axis[0];
        let y = pose.translation.y - scene.placement.axis[1];
        assert!((0.13..=0.235).contains(&x.hypot(y)));
        assert!((-0.45..=0.75).contains(&y.atan2(x)));
        assert!(pose.rotation.angle() <= std::f64::consts::FRAC_PI_4);
        let dx = ((pose.translation.x - 0.13).abs() - 0.053).max(0.0);
        let dy = ((pose.translation.y + 0.19).abs() - 0.053).max(0.0);
        assert!(dx.hypot(dy) > 0.03);
    }
}

#[test]
fn randomising_keeps_the_physics_and_repeats_with_the_seed() {
    let scene = Scene::pick_cube().unwrap();
    let draw = |seed| scene.randomised(&mut ChaCha8Rng::seed_from_u64(seed));
    let (one, same, other) = (draw(1), draw(1), draw(2));
    assert_eq!(one.table.colour, same.table.colour);
    assert_eq!(one.cameras[1].eye, same.cameras[1].eye);
    assert_ne!(one.table.colour, other.table.colour);
    assert_eq!(one.cubes[0].size.to_bits(), scene.cubes[0].size.to_bits());
    for (camera, drawn) in scene.cameras.iter().zip(&one.cameras) {
        for axis in 0..3 {
            assert!((camera.eye[axis] - drawn.eye[axis]).abs() <= 0.006);
        }
    }
    check::check(&one, one.model()).unwrap();
}
