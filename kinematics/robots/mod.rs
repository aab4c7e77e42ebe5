//! Arms for tests, benches and examples: made of published dimensions, or read from the project's
//! own files.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by programs that each use a part, and may panic"
)]

use nalgebra::{Rotation3, Vector3};
use std::f64::consts::{FRAC_PI_2, PI, TAU};
use surehand_kinematics::{Chain, Description, Frame, Joint, Limits, Model, Motion};

/// One row of a table in Craig's (modified) convention: metres, radians.
struct Row {
    a: f64,
    alpha: f64,
    d: f64,
    theta: f64,
    lower: f64,
    upper: f64,
}

fn row(a: f64, alpha: f64, d: f64, theta: f64, (lower, upper): (f64, f64)) -> Row {
    Row {
        a,
        alpha,
        d,
        theta,
        lower,
        upper,
    }
}

fn model<const N: usize>(rows: [Row; N], flange: f64) -> Model<N> {
    let joints = rows.each_ref().map(|row| {
        let tilt = Rotation3::from_axis_angle(&Vector3::x_axis(), row.alpha);
        let turn = Rotation3::from_axis_angle(&Vector3::z_axis(), row.theta);
        Joint {
            origin: Frame {
                rotation: (tilt * turn).into_inner(),
                translation: Vector3::new(row.a, 0.0, 0.0) + tilt * Vector3::new(0.0, 0.0, row.d),
            },
            axis: Vector3::z_axis(),
            motion: Motion::Turning,
        }
    });
    let tip = Frame {
        translation: Vector3::new(0.0, 0.0, flange),
        ..Frame::IDENTITY
    };
    Model {
        names: std::array::from_fn(|i| format!("joint{}", i + 1)),
        chain: Chain::new(&joints, tip),
        limits: Limits {
            lower: rows.each_ref().map(|row| row.lower),
            upper: rows.each_ref().map(|row| row.upper),
            velocity: [PI; N],
        },
    }
}

/// An arm by its URDF.
pub(crate) struct Arm {
    pub(crate) text: &'static str,
    pub(crate) base: &'static str,
    pub(crate) tip: &'static str,
}

/// The project's own arm.
pub(crate) const SO101: Arm = Arm {
    text: include_str!("../../urdf/so101.urdf"),
    base: "base",
    tip: "gripper_frame",
};

/// Joints of every kind with axes in any direction.
pub(crate) const WILD: Arm = Arm {
    text: include_str!("../tests/wild.urdf"),
    base: "base",
    tip: "tip",
};

fn read<const N: usize>(arm: &Arm) -> Model<N> {
    let description = Description::read("arm.urdf", arm.text, arm.base, arm.tip);
    description.unwrap().model().unwrap()
}

/// The project's own arm.
pub(crate) fn so101() -> Model<5> {
    read(&SO101)
}

/// Joints of every kind with axes in any direction.
pub(crate) fn wild() -> Model<7> {
    read(&WILD)
}

/// Universal Robots UR5e: the maker's DH parameters.
pub(crate) fn ur5e() -> Model<6> {
    let wide = (-TAU, TAU);
    model(
        [
            row(0.0, 0.0, 0.1625, 0.0, wide),
            row(0.0, FRAC_PI_2, 0.0, 0.0, wide),
            row(-0.425, 0.0, 0.0, 0.0, (-PI, PI)),
            row(-0.3922, 0.0, 0.1333, 0.0, wide),
            row(0.0, FRAC_PI_2, 0.0997, 0.0, wide),
            row(0.0, -FRAC_PI_2, 0.0996, 0.0, wide),
        ],
        0.0,
    )
}

/// UFACTORY xArm 6: the maker's modified DH parameters; no three wrist axes meet.
pub(crate) fn xarm6() -> Model<6> {
    let wide = (-TAU, TAU);
    model(
        [
            row(0.0, 0.0, 0.267, 0.0, wide),
            row(0.0, -FRAC_PI_2, 0.0, -1.3849179, (-2.059, 2.0944)),
            row(0.289_488_7, 0.0, 0.0, 1.3849179, (-3.927, 0.191_98)),
            row(0.0775, -FRAC_PI_2, 0.3425, 0.0, wide),
            row(0.0, FRAC_PI_2, 0.0, 0.0, (-1.692_97, PI)),
            row(0.076, -FRAC_PI_2, 0.097, 0.0, wide),
        ],
        0.0,
    )
}

/// Franka Emika Panda: the maker's modified DH parameters and limits.
pub(crate) fn panda() -> Model<7> {
    let wide = (-2.8973, 2.8973);
    model(
        [
            row(0.0, 0.0, 0.333, 0.0, wide),
            row(0.0, -FRAC_PI_2, 0.0, 0.0, (-1.7628, 1.7628)),
            row(0.0, FRAC_PI_2, 0.316, 0.0, wide),
            row(0.0825, FRAC_PI_2, 0.0, 0.0, (-3.0718, -0.0698)),
            row(-0.0825, -FRAC_PI_2, 0.384, 0.0, wide),
            row(0.0, FRAC_PI_2, 0.0, 0.0, (-0.0175, 3.7525)),
            row(0.088, FRAC_PI_2, 0.0, 0.0, wide),
        ],
        0.107,
    )
}

/// KUKA LBR iiwa 14: the maker's dimensions; shoulder and wrist are spheres.
pub(crate) fn iiwa() -> Model<7> {
    let (a, b, c) = ((-2.9671, 2.9671), (-2.0944, 2.0944), (-3.0543, 3.0543));
    model(
        [
            row(0.0, 0.0, 0.36, 0.0, a),
            row(0.0, -FRAC_PI_2, 0.0, 0.0, b),
            row(0.0, FRAC_PI_2, 0.42, 0.0, a),
            row(0.0, FRAC_PI_2, 0.0, 0.0, b),
            row(0.0, -FRAC_PI_2, 0.4, 0.0, a),
            row(0.0, -FRAC_PI_2, 0.0, 0.0, b),
            row(0.0, FRAC_PI_2, 0.126, 0.0, c),
        ],
        0.0,
    )
}

/// An arm of joints placed and turned at random, of which `sliding` slide; some turn for ever, some
/// twice round, some within limits.
pub(crate) fn random<const N: usize>(state: &mut u64, sliding: &[usize]) -> Model<N> {
    let mut number = |lower: f64, upper: f64| lower + (upper - lower) * uniform(state);
    let joints = std::array::from_fn(|i| Joint {
        origin: Frame {
            rotation: Rotation3::from_euler_angles(
                number(-PI, PI),
                number(-1.5, 1.5),
                number(-PI, PI),
            )
            .into_inner(),
            translation: Vector3::new(number(-0.2, 0.2), number(-0.2, 0.2), number(-0.3, 0.3)),
        },
        axis: Vector3::z_axis(),
        motion: if sliding.contains(&i) {
            Motion::Sliding
        } else {
            Motion::Turning
        },
    });
    let limits: [(f64, f64); N] = std::array::from_fn(|i| match number(0.0, 5.0) {
        _ if sliding.contains(&i) => (-0.2, number(0.1, 0.5)),
        kind if kind < 1.0 => (f64::NEG_INFINITY, f64::INFINITY),
        kind if kind < 2.0 => (-TAU, TAU),
        _ => (number(-3.1, -0.3), number(0.3, 3.1)),
    });
    let tip = Frame {
        rotation: Rotation3::from_euler_angles(0.4, 0.2, 0.9).into_inner(),
        translation: Vector3::new(number(0.0, 0.2), number(0.0, 0.1), number(0.0, 0.2)),
    };
    Model {
        names: std::array::from_fn(|i| format!("joint{}", i + 1)),
        chain: Chain::new(&joints, tip),
        limits: Limits {
            lower: limits.map(|(lower, _)| lower),
            upper: limits.map(|(_, upper)| upper),
            velocity: [1.0; N],
        },
    }
}

/// Joints drawn evenly inside the limits, one turn of those without.
pub(crate) fn draw<const N: usize>(model: &Model<N>, state: &mut u64) -> [f64; N] {
    std::array::from_fn(|i| {
        let (lower, upper) = (model.limits.lower[i], model.limits.upper[i]);
        let (lower, upper) = if lower.is_finite() {
            (lower, upper)
        } else {
            (-PI, PI)
        };
        lower + (upper - lower) * uniform(state)
    })
}

/// The next number of a splitmix64 generator, 0 to below 1.
pub(crate) fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    f64::from_bits((z >> 12) | 0x3ff0_0000_0000_0000) - 1.0
}
