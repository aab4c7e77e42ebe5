//! What TOML cannot say about a scene: ranges, names and their agreement with the URDF.
//!
//! It judges; it never corrects.

use super::{ArmModel, Scene};
use crate::servo::Model;
use crate::servo::either::rates;

/// A key and what is wrong with it.
type Finding = (String, String);

/// The first thing in a scene that cannot be simulated.
pub(super) fn check(scene: &Scene, model: &ArmModel) -> Result<(), Finding> {
    ensure(
        (100..=10_000).contains(&scene.physics_hz),
        "physics_hz",
        || format!("{} is outside 100…10000", scene.physics_hz),
    )?;
    arm(scene, model)?;
    things(scene)?;
    cameras(scene, model)?;
    light(scene)
}

/// One line on a rate that servos of `model` can't be set to.
pub(super) fn no_such_rate(model: Model, baud: u32) -> String {
    let known: Vec<String> = rates(model).iter().map(u32::to_string).collect();
    let known = known.join(", ");
    format!("a {} can't be set to {baud}, use {known}", model.name())
}

fn arm(scene: &Scene, model: &ArmModel) -> Result<(), Finding> {
    let arm = &scene.arm;
    at_least("arm.armature", arm.armature, 0.0)?;
    at_least("arm.friction", arm.friction, 0.0)?;
    at_least("arm.jaws.friction", arm.jaws.friction, 0.0)?;
    link(model, "arm.tool", &arm.tool)?;
    for name in &arm.jaws.links {
        link(model, "arm.jaws.links", name)?;
    }
    for (name, value) in &arm.colours {
        colour(&format!("arm.colours.{name}"), value)?;
    }
    for (i, servo) in arm.servos.iter().enumerate() {
        let key = |field: &str| format!("arm.servos[{i}].{field}");
        let Some([lower, upper]) = model.limits(&servo.joint) else {
            return Err((
                key("joint"),
                format!("the URDF has no revolute joint named {}", servo.joint),
            ));
        };
        ensure((lower..=upper).contains(&servo.rest), key("rest"), || {
            format!("{} is outside the joint's {lower}…{upper}", servo.rest)
        })?;
        if let Some(baud) = servo.baud {
            ensure(rates(servo.model).contains(&baud), key("baud"), || {
                no_such_rate(servo.model, baud)
            })?;
        }
        ensure(servo.id < 254, key("id"), || {
            format!("{} is not a servo's, use 0…253", servo.id)
        })?;
        ensure(
            servo.homing_offset.abs() <= 2047,
            key("homing_offset"),
            || {
                format!(
                    "{} does not fit the register, use ±2047",
                    servo.homing_offset
                )
            },
        )?;
        for (field, counts) in [
            ("encoder_at_zero", servo.encoder_at_zero),
            ("min_position", servo.min_position),
            ("max_position", servo.max_position),
        ] {
            ensure((0..=4095).contains(&counts), key(field), || {
                format!("{counts} is outside 0…4095")
            })?;
        }
        ensure(
            servo.min_position < servo.max_position,
            key("max_position"),
            || format!("must be above min_position {}", servo.min_position),
        )?;
        let earlier = &arm.servos[..i];
        let speaks = |servo: &super::ServoMount| servo.model.protocol();
        ensure(
            !earlier.iter().any(|e| speaks(e) != speaks(servo)),
            key("model"),
            || "speaks another protocol than the servos before it".into(),
        )?;
        ensure(
            !earlier.iter().any(|e| e.joint == servo.joint),
            key("joint"),
            || format!("{} has a servo already", servo.joint),
        )?;
        ensure(!earlier.iter().any(|e| e.id == servo.id), key("id"), || {
            format!("{} is taken by another servo", servo.id)
        })?;
    }
    model.actuated().try_for_each(|joint| {
        ensure(
            arm.servos.iter().any(|servo| servo.joint == joint),
            "arm.servos",
            || format!("joint {joint} has no servo"),
        )
    })
}

fn things(scene: &Scene) -> Result<(), Finding> {
    let (table, bin, rule) = (&scene.table, &scene.bin, &scene.placement);
    for axis in 0..2 {
        above("table.size", table.size[axis], 0.0)?;
        above("bin.size", bin.size[axis], 0.0)?;
        finite("table.centre", table.centre[axis])?;
        finite("bin.centre", bin.centre[axis])?;
        finite("placement.axis", rule.axis[axis])?;
    }
    at_least("table.friction", table.friction, 0.0)?;
    colour("table.colour", &table.colour)?;
    colour("table.surroundings", &table.surroundings)?;
    unit("table.texture", table.texture)?;
    above("bin.wall_height", bin.wall_height, 0.0)?;
    above("bin.wall_thickness", bin.wall_thickness, 0.0)?;
    at_least("bin.friction", bin.friction, 0.0)?;
    colour("bin.colour", &bin.colour)?;
    for (i, cube) in scene.cubes.iter().enumerate() {
        above(&format!("cubes[{i}].size"), cube.size, 0.0)?;
        above(&format!("cubes[{i}].mass"), cube.mass, 0.0)?;
        at_least(&format!("cubes[{i}].friction"), cube.friction, 0.0)?;
        colour(&format!("cubes[{i}].colour"), &cube.colour)?;
        ensure(
            !scene.cubes[..i].iter().any(|other| other.name == cube.name),
            format!("cubes[{i}].name"),
            || format!("{} is taken by another cube", cube.name),
        )?;
    }
    for (key, [low, high]) in [
        ("placement.radius", rule.radius),
        ("placement.angle", rule.angle),
        ("placement.yaw", rule.yaw),
    ] {
        finite(key, low)?;
        finite(key, high)?;
        ensure(low <= high, key, || format!("{low} is above {high}"))?;
    }
    at_least("placement.radius", rule.radius[0], 0.0)?;
    at_least("placement.bin_clearance", rule.bin_clearance, 0.0)
}

fn cameras(scene: &Scene, model: &ArmModel) -> Result<(), Finding> {
    let looks = |key: &str, eye: [f64; 3], target: [f64; 3], up: [f64; 3], fov: f64| {
        for value in eye.iter().chain(&target).chain(&up) {
            finite(key, *value)?;
        }
        let forward = nalgebra::Vector3::from(target) - nalgebra::Vector3::from(eye);
        ensure(
            forward.cross(&nalgebra::Vector3::from(up)).norm() > 1e-9,
            format!("{key}.up"),
            || "lies along the line of sight, or eye and target are one point".to_owned(),
        )?;
        ensure((0.01..3.0).contains(&fov), format!("{key}.fov"), || {
            format!("{fov} rad is outside 0.01…3")
        })
    };
    for (i, camera) in scene.cameras.iter().enumerate() {
        let key = format!("cameras[{i}]");
        looks(&key, camera.eye, camera.target, camera.up, camera.fov)?;
        if camera.mount != "world" {
            link(model, &format!("{key}.mount"), &camera.mount)?;
        }
        for (field, pixels) in [("width", camera.width), ("height", camera.height)] {
            ensure(
                (1..=4096).contains(&pixels),
                format!("{key}.{field}"),
                || format!("{pixels} pixels are outside 1…4096"),
            )?;
        }
        above(&format!("{key}.rate_hz"), camera.rate_hz, 0.0)?;
        ensure(
            !scene.cameras[..i].iter().any(|c| c.name == camera.name),
            format!("{key}.name"),
            || format!("{} is taken by another camera", camera.name),
        )?;
    }
    let view = &scene.view;
    looks("view", view.eye, view.target, view.up, view.fov)
}

fn light(scene: &Scene) -> Result<(), Finding> {
    let light = &scene.light;
    ensure(
        light.towards[2] > 0.0 && light.towards.iter().all(|v| v.is_finite()),
        "light.towards",
        || "the lamp must be above the table: make the third number positive".to_owned(),
    )?;
    colour("light.colour", &light.colour)?;
    at_least("light.strength", f64::from(light.strength), 0.0)?;
    at_least("light.ambient", f64::from(light.ambient), 0.0)?;
    above("noise.pixel", f64::from(scene.noise.pixel), 0.0)?;
    at_least("noise.gain", f64::from(scene.noise.gain), 0.0)
}

fn ensure(
    holds: bool,
    key: impl Into<String>,
    what: impl FnOnce() -> String,
) -> Result<(), Finding> {
    if holds {
        Ok(())
    } else {
        Err((key.into(), what()))
    }
}

fn finite(key: &str, value: f64) -> Result<(), Finding> {
    ensure(value.is_finite(), key, || {
        format!("{value} is not a number to work with")
    })
}

fn above(key: &str, value: f64, least: f64) -> Result<(), Finding> {
    ensure(value.is_finite() && value > least, key, || {
        format!("{value} must be above {least}")
    })
}

fn at_least(key: &str, value: f64, least: f64) -> Result<(), Finding> {
    ensure(value.is_finite() && value >= least, key, || {
        format!("{value} must be at least {least}")
    })
}

fn unit(key: &str, value: f32) -> Result<(), Finding> {
    ensure((0.0..=1.0).contains(&value), key, || {
        format!("{value} is outside 0…1")
    })
}

fn colour(key: &str, value: &[f32; 3]) -> Result<(), Finding> {
    value.iter().try_for_each(|part| unit(key, *part))
}

fn link(model: &ArmModel, key: &str, name: &str) -> Result<(), Finding> {
    ensure(model.links().any(|link| link == name), key, || {
        format!("the URDF has no link named {name}")
    })
}
