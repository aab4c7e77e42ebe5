//! The shapes of a scene and what each of them moves with.

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use rapier3d_urdf::urdf_rs::{Geometry, Robot, Visual};

use super::paint::Finish;
use super::solid::{Placed, Shape};
use crate::scene::{Colour, Scene, isometry};
use crate::world::{Snapshot, bin_parts};

/// Colour of a visual without a material.
const BARE: Colour = [0.7, 0.7, 0.7];

/// What a shape moves with.
enum Anchor {
    World,
    Link(String),
    Cube(usize),
}

struct Piece {
    anchor: Anchor,
    shape: Shape,
    pose: Isometry3<f32>,
    finish: Finish,
}

/// Every shape of the scene but the table.
pub(super) struct Stage {
    pieces: Vec<Piece>,
}

impl Stage {
    pub(super) fn new(scene: &Scene) -> Self {
        let mut pieces = Vec::new();
        let model = scene.model();
        for link in &model.robot().links {
            let (carrier, frame) = model.carrier(&link.name);
            for visual in &link.visual {
                let pose = (frame * isometry(&visual.origin)).cast::<f32>();
                let (colour, gloss) = material(scene, visual);
                for (shape, local) in shapes(&visual.geometry) {
                    pieces.push(Piece {
                        anchor: Anchor::Link(carrier.clone()),
                        shape,
                        pose: pose * local,
                        finish: Finish::new(colour, gloss),
                    });
                }
            }
        }
        for part in bin_parts(&scene.bin) {
            pieces.push(Piece {
                anchor: Anchor::World,
                shape: Shape::Box(Vector3::from(part.half).cast()),
                pose: Translation3::from(part.centre).cast::<f32>().into(),
                finish: Finish::new(scene.bin.colour, 0.1),
            });
        }
        for (i, cube) in scene.cubes.iter().enumerate() {
            pieces.push(Piece {
                anchor: Anchor::Cube(i),
                shape: Shape::Box(Vector3::repeat(cube.size / 2.0).cast()),
                pose: Isometry3::identity(),
                finish: Finish::new(cube.colour, 0.15),
            });
        }
        Self { pieces }
    }

    /// The shapes where a snapshot has them; those of bodies it lacks are left out.
    pub(super) fn place(&self, snapshot: &Snapshot) -> Vec<Placed> {
        self.pieces
            .iter()
            .filter_map(|piece| {
                let anchor = match &piece.anchor {
                    Anchor::World => Isometry3::identity(),
                    Anchor::Link(name) => snapshot.link_pose(name)?.cast::<f32>(),
                    Anchor::Cube(at) => snapshot.cubes.get(*at)?.cast::<f32>(),
                };
                Some(Placed::new(
                    piece.shape,
                    &(anchor * piece.pose),
                    piece.finish,
                ))
            })
            .collect()
    }
}

/// Colour and gloss of a visual: the scene's for its material's name, else the URDF's.
fn material(scene: &Scene, visual: &Visual) -> (Colour, f32) {
    let Some(material) = &visual.material else {
        return (BARE, 0.1);
    };
    let gloss = match material.name.as_str() {
        "metal" => 0.6,
        "servo" => 0.35,
        _ => 0.12,
    };
    let colour = scene
        .arm
        .colours
        .get(&material.name)
        .copied()
        .or_else(|| urdf_colour(scene.model().robot(), visual))
        .unwrap_or(BARE);
    (colour, gloss)
}

fn urdf_colour(robot: &Robot, visual: &Visual) -> Option<Colour> {
    let material = visual.material.as_ref()?;
    let colour = material.color.as_ref().or_else(|| {
        let named = robot.materials.iter().find(|m| m.name == material.name)?;
        named.color.as_ref()
    })?;
    let [red, green, blue, _] = colour.rgba.0;
    Some([red, green, blue].map(|part| part as f32))
}

/// A URDF geometry as shapes; meshes have none.
fn shapes(geometry: &Geometry) -> Vec<(Shape, Isometry3<f32>)> {
    let still = Isometry3::identity();
    match geometry {
        Geometry::Box { size } => {
            let half = Vector3::from(size.0).cast::<f32>() / 2.0;
            vec![(Shape::Box(half), still)]
        }
        Geometry::Cylinder { radius, length } => vec![(
            Shape::Cylinder {
                radius: *radius as f32,
                half_length: *length as f32 / 2.0,
            },
            still,
        )],
        Geometry::Capsule { radius, length } => {
            let (radius, half_length) = (*radius as f32, *length as f32 / 2.0);
            let end = |z: f32| {
                Isometry3::from_parts(Translation3::new(0.0, 0.0, z), UnitQuaternion::identity())
            };
            vec![
                (
                    Shape::Cylinder {
                        radius,
                        half_length,
                    },
                    still,
                ),
                (Shape::Sphere { radius }, end(half_length)),
                (Shape::Sphere { radius }, end(-half_length)),
            ]
        }
        Geometry::Sphere { radius } => vec![(
            Shape::Sphere {
                radius: *radius as f32,
            },
            still,
        )],
        Geometry::Mesh { .. } => Vec::new(),
    }
}
