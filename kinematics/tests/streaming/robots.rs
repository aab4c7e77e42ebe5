//! Arms that the follower is tried on: five, six and seven joints.

use nalgebra::{Matrix3, Rotation3, Vector3};
use surehand_kinematics::{Chain, Description, Frame, Joint, Limits, Model, Motion};

const SO101: &str = include_str!("../../../urdf/so101.urdf");

/// Five joints in one turning plane.
pub fn so101() -> Model<5> {
    Description::read("so101.urdf", SO101, "base", "gripper_frame")
        .unwrap()
        .model()
        .unwrap()
}

fn turn(axis: Vector3<f64>, angle: f64) -> Frame {
    Frame {
        rotation: Rotation3::new(axis * angle).into_inner(),
        translation: Vector3::zeros(),
    }
}

fn shift(x: f64, z: f64) -> Frame {
    Frame {
        rotation: Matrix3::identity(),
        translation: Vector3::new(x, 0.0, z),
    }
}

fn model<const N: usize>(joints: [Frame; N], tip: Frame, limits: Limits<N>) -> Model<N> {
    let joints = joints.map(|origin| Joint {
        origin,
        axis: Vector3::z_axis(),
        motion: Motion::Turning,
    });
    Model {
        names: std::array::from_fn(|joint| format!("joint {joint}")),
        chain: Chain::new(&joints, tip),
        limits,
    }
}

/// Six joints, the UR5e's figures (Denavit and Hartenberg's, as its maker publishes them).
pub fn ur5e() -> Model<6> {
    use std::f64::consts::{FRAC_PI_2, PI, TAU};
    // d, a, α of each joint: Rz(q) Tz(d) Tx(a) Rx(α).
    let rows = [
        (0.1625, 0.0, FRAC_PI_2),
        (0.0, -0.425, 0.0),
        (0.0, -0.3922, 0.0),
        (0.1333, 0.0, FRAC_PI_2),
        (0.0997, 0.0, -FRAC_PI_2),
        (0.0996, 0.0, 0.0),
    ];
    let after = rows.map(|(d, a, alpha)| shift(a, d).then(&turn(Vector3::x(), alpha)));
    let [a, b, c, d, e, tip] = after;
    let limits = Limits {
        lower: [-TAU, -TAU, -PI, -TAU, -TAU, -TAU],
        upper: [TAU, TAU, PI, TAU, TAU, TAU],
        velocity: [PI; 6],
    };
    model([Frame::IDENTITY, a, b, c, d, e], tip, limits)
}

/// Seven joints, the Panda's figures (Craig's convention, as its maker publishes them).
pub fn panda() -> Model<7> {
    use std::f64::consts::FRAC_PI_2;
    // a, d, α of each joint: Rx(α) Tx(a) Rz(q) Tz(d).
    let rows = [
        (0.0, 0.333, 0.0),
        (0.0, 0.0, -FRAC_PI_2),
        (0.0, 0.316, FRAC_PI_2),
        (0.0825, 0.0, FRAC_PI_2),
        (-0.0825, 0.384, -FRAC_PI_2),
        (0.0, 0.0, FRAC_PI_2),
        (0.088, 0.0, FRAC_PI_2),
    ];
    let joints = rows.map(|(a, d, alpha)| {
        let mut frame = turn(Vector3::x(), alpha).then(&shift(a, 0.0));
        frame = frame.then(&shift(0.0, d));
        frame
    });
    let limits = Limits {
        lower: [
            -2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973,
        ],
        upper: [2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973],
        velocity: [2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61],
    };
    model(joints, shift(0.0, 0.107), limits)
}
