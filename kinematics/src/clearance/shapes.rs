//! What the links of an arm look like, as capsules: out of a URDF, or given directly.
//!
//! Owns what is taken for a link that has no shape to be had, and says which links those are. Never
//! opens a file: a mesh's vertices are asked for.

use nalgebra::{Rotation3, Vector3};

use super::capsule::Capsule;
use crate::description::{Description, DescriptionError};
use crate::frame::Frame;
use crate::model::Model;

/// Where a link's capsules are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Its `<collision>` elements, meshes by their vertices.
    Collision,
    /// Its `<visual>` elements: it has no collision shape that could be read.
    Visual,
    /// A rod from its joint to the next, as thick as its inertia says that it is: no shape could be
    /// read.
    Rod,
    /// Nothing is known of it but its frame; it is not watched.
    Nothing,
}

/// The capsules of an arm's bodies.
///
/// Body 0 is what stands with the base, body `i` what the `i`th moving joint moves (joints that follow
/// others count). Capsules are given in the base frame, as they lie with every variable at 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shapes {
    capsules: Vec<(usize, Capsule)>,
    sources: Vec<(String, Source)>,
}

/// The vertices of a mesh by its file name in the URDF, metres before the URDF's scale; `None` where
/// it can't be had.
pub type Meshes<'a> = &'a dyn Fn(&str) -> Option<Vec<[f64; 3]>>;

impl Shapes {
    /// The shapes of the links between `base` and `tip` and of whatever hangs from them, out of the
    /// text of a URDF; `file` is its name in errors. A joint beside the chain stands as near to 0 as
    /// its limits let it.
    ///
    /// # Errors
    /// Those of [`Description::read`], and a shape with a size that is none: one line naming file, link
    /// and remedy.
    pub fn read(
        file: &str,
        text: &str,
        base: &str,
        tip: &str,
        meshes: Meshes<'_>,
    ) -> Result<Shapes, DescriptionError> {
        let description = Description::read(file, text, base, tip)?;
        let error = |what: String, remedy: &str| DescriptionError {
            file: file.to_owned(),
            what,
            remedy: remedy.to_owned(),
        };
        let robot = urdf_rs::read_from_string(text)
            .map_err(|wrong| error(wrong.to_string().replace('\n', " "), "correct the file"))?;
        let mut shapes = Shapes::default();
        for placed in placed(&robot, &description, base) {
            let sizes = placed.link.collision.iter().map(|it| &it.geometry);
            let sizes = sizes.chain(placed.link.visual.iter().map(|it| &it.geometry));
            if sizes.clone().any(|geometry| !is_sound(geometry)) {
                return Err(error(
                    format!(
                        "link `{}` has a shape with a size that is none",
                        placed.link.name
                    ),
                    "give sizes above zero, in metres",
                ));
            }
            let source = shapes.add_link(&placed, &robot, meshes);
            shapes.sources.push((placed.link.name.clone(), source));
        }
        if let Some((body, _)) = shapes.capsules.iter().find(|(_, it)| !it.is_sound()) {
            return Err(error(
                format!("a shape of body {body} is at a place that is not finite"),
                "correct the <origin> of its link's shapes",
            ));
        }
        Ok(shapes)
    }

    /// A rod of `radius` metres from each joint of `model` to the next, and on to the tool.
    #[must_use]
    pub fn rods<const N: usize>(model: &Model<N>, radius: f64) -> Shapes {
        let zero = [0.0; N];
        let places = model.chain.places(&zero);
        let frames = places.frames();
        let mut shapes = Shapes::default();
        let ends = frames.iter().skip(1).map(|frame| frame.translation);
        let ends = ends.chain([model.chain.pose(&zero).translation]);
        for ((body, frame), to) in (1..).zip(frames).zip(ends) {
            let rod = Capsule {
                from: frame.translation,
                to,
                radius,
            };
            shapes.add(body, rod);
        }
        shapes
    }

    /// Adds a capsule to a body: see [`Shapes`].
    pub fn add(&mut self, body: usize, capsule: Capsule) {
        self.capsules.push((body, capsule));
    }

    /// Every capsule with its body.
    #[must_use]
    pub fn capsules(&self) -> &[(usize, Capsule)] {
        &self.capsules
    }

    /// The links that were read, base first, with where their capsules are from.
    #[must_use]
    pub fn sources(&self) -> &[(String, Source)] {
        &self.sources
    }

    fn add_link(
        &mut self,
        placed: &Placed<'_>,
        robot: &urdf_rs::Robot,
        meshes: Meshes<'_>,
    ) -> Source {
        let link = placed.link;
        let collisions = link.collision.iter().map(|it| (&it.origin, &it.geometry));
        if self.add_all(placed, collisions, meshes) {
            return Source::Collision;
        }
        let visuals = link.visual.iter().map(|it| (&it.origin, &it.geometry));
        if self.add_all(placed, visuals, meshes) {
            return Source::Visual;
        }
        if link.collision.is_empty() && link.visual.is_empty() {
            return Source::Nothing;
        }
        let Some(radius) = thickness(&link.inertial) else {
            return Source::Nothing;
        };
        let next = robot.joints.iter().find(|it| it.parent.link == link.name);
        let to = next.map_or(frame_of(&link.inertial.origin), |it| frame_of(&it.origin));
        let rod = Capsule {
            from: Vector3::zeros(),
            to: to.translation,
            radius,
        };
        self.add(placed.body, rod.placed(&placed.frame));
        Source::Rod
    }

    /// Adds the shapes if every one can be had and there is one.
    fn add_all<'u>(
        &mut self,
        placed: &Placed<'_>,
        shapes: impl Iterator<Item = (&'u urdf_rs::Pose, &'u urdf_rs::Geometry)>,
        meshes: Meshes<'_>,
    ) -> bool {
        let before = self.capsules.len();
        for (origin, geometry) in shapes {
            let frame = placed.frame.then(&frame_of(origin));
            let capsules = capsules(geometry, meshes);
            if capsules.is_empty() {
                self.capsules.truncate(before);
                return false;
            }
            for capsule in capsules {
                self.add(placed.body, capsule.placed(&frame));
            }
        }
        self.capsules.len() > before
    }
}

/// A link and where it is with every variable at 0.
struct Placed<'r> {
    link: &'r urdf_rs::Link,
    body: usize,
    frame: Frame,
}

/// The links that move with the chain or stand with its base.
fn placed<'r>(robot: &'r urdf_rs::Robot, description: &Description, base: &str) -> Vec<Placed<'r>> {
    let link = |name: &str| robot.links.iter().find(|link| link.name == name);
    let mut placed = Vec::new();
    if let Some(link) = link(base) {
        placed.push(Placed {
            link,
            body: 0,
            frame: Frame::IDENTITY,
        });
    }
    let mut next = 0;
    // The description has checked that it is a tree.
    while let Some(parent) = placed.get(next) {
        let (body, frame, name) = (parent.body, parent.frame, &parent.link.name);
        next += 1;
        for joint in robot.joints.iter().filter(|it| it.parent.link == *name) {
            let fixed = joint.joint_type == urdf_rs::JointType::Fixed;
            let mut on = frame.then(&frame_of(&joint.origin));
            let mut body = body;
            if let Some((index, offset)) = description.moving(&joint.name) {
                body = index + 1;
                on = on.then(&moved(joint, offset));
            } else if !fixed && body == 0 {
                // Another arm on the same base: where it is, is not known here.
                continue;
            } else if !fixed {
                let (lower, upper) = (joint.limit.lower, joint.limit.upper);
                let at = if lower < upper {
                    0.0_f64.max(lower).min(upper)
                } else {
                    0.0
                };
                on = on.then(&moved(joint, at));
            }
            if let Some(link) = link(&joint.child.link) {
                placed.push(Placed {
                    link,
                    body,
                    frame: on,
                });
            }
        }
    }
    placed
}

/// What `joint` does to what comes after it, at position `at`.
fn moved(joint: &urdf_rs::Joint, at: f64) -> Frame {
    let axis = Vector3::from(joint.axis.xyz.0);
    let axis = axis.try_normalize(1e-9).unwrap_or_else(Vector3::zeros);
    if joint.joint_type == urdf_rs::JointType::Prismatic {
        return Frame {
            translation: axis * at,
            ..Frame::IDENTITY
        };
    }
    Frame {
        rotation: Rotation3::new(axis * at).into_inner(),
        ..Frame::IDENTITY
    }
}

fn frame_of(pose: &urdf_rs::Pose) -> Frame {
    let [roll, pitch, yaw] = pose.rpy.0;
    Frame {
        rotation: Rotation3::from_euler_angles(roll, pitch, yaw).into_inner(),
        translation: pose.xyz.0.into(),
    }
}

fn is_sound(geometry: &urdf_rs::Geometry) -> bool {
    let size = |it: f64| it.is_finite() && it > 0.0;
    match geometry {
        urdf_rs::Geometry::Box { size: sides } => sides.0.into_iter().all(size),
        urdf_rs::Geometry::Cylinder { radius, length } => size(*radius) && size(*length),
        urdf_rs::Geometry::Capsule { radius, length } => size(*radius) && *length >= 0.0,
        urdf_rs::Geometry::Sphere { radius } => size(*radius),
        urdf_rs::Geometry::Mesh { scale, .. } => {
            let scale = scale.map_or([1.0; 3], |scale| scale.0);
            scale.iter().all(|it| it.is_finite())
        }
    }
}

/// What `geometry` is taken to be, in its own frame; nothing for a mesh that can't be had.
fn capsules(geometry: &urdf_rs::Geometry, meshes: Meshes<'_>) -> Vec<Capsule> {
    match geometry {
        urdf_rs::Geometry::Box { size } => Capsule::around_box(size.0).collect(),
        urdf_rs::Geometry::Cylinder { radius, length } => {
            vec![Capsule::around_cylinder(*radius, *length)]
        }
        urdf_rs::Geometry::Capsule { radius, length } => {
            let end = Vector3::new(0.0, 0.0, 0.5 * length);
            vec![Capsule {
                from: -end,
                to: end,
                radius: *radius,
            }]
        }
        urdf_rs::Geometry::Sphere { radius } => {
            vec![Capsule::sphere(Vector3::zeros(), *radius)]
        }
        urdf_rs::Geometry::Mesh { filename, scale } => {
            let scale = Vector3::from(scale.map_or([1.0; 3], |scale| scale.0));
            let vertices = meshes(filename).unwrap_or_default();
            let vertices: Vec<Vector3<f64>> = (vertices.iter())
                .map(|it| Vector3::from(*it).component_mul(&scale))
                .collect();
            Capsule::around(&vertices).into_iter().collect()
        }
    }
}

/// Half the thickness of the solid box that has this inertia, across its longest side, metres; `None`
/// where it has none: `m (b² + c²) / 12` about the side a, and so on, solved for the sides.
fn thickness(inertial: &urdf_rs::Inertial) -> Option<f64> {
    let (mass, it) = (inertial.mass.value, &inertial.inertia);
    let square = |two: f64, less: f64| 6.0 * (two - less) / mass;
    let sum = it.ixx + it.iyy + it.izz;
    let mut squares = [it.ixx, it.iyy, it.izz].map(|about| square(sum - about, about).max(0.0));
    squares.sort_by(f64::total_cmp);
    let [thin, wide, _] = squares;
    let radius = 0.5 * (thin + wide).sqrt();
    (mass > 0.0 && radius.is_finite() && radius > 0.0).then_some(radius)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SO101: &str = include_str!("../../../urdf/so101.urdf");

    fn none(_: &str) -> Option<Vec<[f64; 3]>> {
        None
    }

    fn arm(link: &str) -> String {
        format!(
            r#"<robot name="arm"><link name="base"/><link name="upper">{link}</link><link name="tip"/>
            <joint name="turn" type="revolute"><parent link="base"/><child link="upper"/>
              <origin xyz="0 0 0.3"/><axis xyz="0 0 1"/>
              <limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
            <joint name="hand" type="fixed"><parent link="upper"/><child link="tip"/>
              <origin xyz="0.4 0 0"/></joint></robot>"#
        )
    }

    fn read(link: &str, meshes: Meshes<'_>) -> Result<Shapes, DescriptionError> {
        Shapes::read("arm.urdf", &arm(link), "base", "tip", meshes)
    }

    #[test]
    fn every_link_of_the_projects_arm_has_capsules_of_its_collision_shapes() {
        let shapes = Shapes::read("so101.urdf", SO101, "base", "gripper_frame", &none).unwrap();
        for body in 0..=5 {
            assert!(
                shapes.capsules().iter().any(|(of, _)| *of == body),
                "{body}"
            );
        }
        let of = |name: &str| shapes.sources().iter().find(|(link, _)| link == name);
        assert_eq!(of("upper_arm").unwrap().1, Source::Collision);
        // It hangs from the gripper by a joint that is not in the chain.
        assert_eq!(of("moving_jaw").unwrap().1, Source::Collision);
        assert_eq!(of("gripper_frame").unwrap().1, Source::Nothing);
        // The upper arm's beam, where the URDF has it with every joint at 0.
        let model = Description::read("so101.urdf", SO101, "base", "gripper_frame");
        let model: Model<5> = model.unwrap().model().unwrap();
        let places = model.chain.places(&[0.0; 5]);
        let (elbow, lift) = (
            places.frames()[2].translation,
            places.frames()[1].translation,
        );
        let beam = shapes.capsules().iter().filter(|(of, _)| *of == 2);
        let least = |point: &Vector3<f64>| {
            let beam = beam.clone().map(|(_, capsule)| capsule.distance(point));
            beam.fold(1.0, f64::min)
        };
        assert!(least(&elbow) < 0.03 && least(&lift) < 0.03);
        assert!(least(&(0.5 * (elbow + lift))) < 0.02);
    }

    #[test]
    fn a_mesh_is_its_vertices_and_without_them_a_rod_as_thick_as_its_inertia_says() {
        let mesh = r#"<inertial><mass value="2"/><inertia ixx="0.0033333" iyy="0.0283333" izz="0.0283333"
            ixy="0" ixz="0" iyz="0"/></inertial>
            <collision><geometry><mesh filename="upper.stl" scale="0.001 0.001 0.001"/></geometry></collision>"#;
        let vertices = |name: &str| {
            assert_eq!(name, "upper.stl");
            let corner = |i: u32| {
                let side = |bit: u32| if i & bit == 0 { -1.0 } else { 1.0 };
                [200.0 + 200.0 * side(1), 30.0 * side(2), 40.0 * side(4)]
            };
            Some((0..8).map(corner).collect())
        };
        let shapes = read(mesh, &vertices).unwrap();
        assert_eq!(shapes.sources()[1].1, Source::Collision);
        let [(1, capsule)] = shapes.capsules() else {
            panic!("{shapes:?}")
        };
        assert!((0.05..0.06).contains(&capsule.radius), "{capsule:?}");
        assert!(capsule.distance(&Vector3::new(0.4, 0.03, 0.34)) < 1e-9);
        // A box of 0.1 by 0.1 by 0.4 m.
        let shapes = read(mesh, &none).unwrap();
        assert_eq!(shapes.sources()[1].1, Source::Rod);
        let [(1, rod)] = shapes.capsules() else {
            panic!("{shapes:?}")
        };
        assert!((rod.radius - 0.05 * 2.0_f64.sqrt()).abs() < 1e-3, "{rod:?}");
        assert!((rod.to - Vector3::new(0.4, 0.0, 0.3)).norm() < 1e-12);
    }

    #[test]
    fn a_size_that_is_none_is_an_error_that_names_the_link() {
        for size in ["0 1 1", "-0.1 1 1", "NaN 1 1", "inf 1 1"] {
            let link =
                format!(r#"<collision><geometry><box size="{size}"/></geometry></collision>"#);
            let error = read(&link, &none).unwrap_err().to_string();
            assert!(
                error.contains("`upper`") && !error.contains('\n'),
                "{error}"
            );
        }
        let link = r#"<collision><origin xyz="NaN 0 0"/><geometry><sphere radius="0.1"/></geometry></collision>"#;
        let error = read(link, &none).unwrap_err().to_string();
        assert!(error.contains("body 1"), "{error}");
    }
}
