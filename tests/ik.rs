//! `surehand ik` as its user runs it: a URDF and a table of poses in, a table of joints out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fmt::Write;
use std::path::Path;
use std::process::Output;

use common::{output, root, surehand};
use serde_json::Value;
use surehand_kinematics::{Description, Frame, Model};

const BASE: &str = "base";
const TIP: &str = "gripper_frame";

fn urdf() -> String {
    root().join("urdf/so101.urdf").display().to_string()
}

fn so101() -> Model<5> {
    let text = std::fs::read_to_string(urdf()).unwrap();
    let arm = Description::read("so101.urdf", &text, BASE, TIP).unwrap();
    arm.model().unwrap()
}

/// Poses that the arm reaches, in the contract's columns, and the joints they come from.
fn problems(model: &Model<5>, count: u32) -> (String, Vec<[f64; 5]>, Vec<Frame>) {
    let mut text = String::from("seed0,seed1,seed2,seed3,seed4,x,y,z,qx,qy,qz,qw\n");
    let (mut all, mut poses) = (Vec::new(), Vec::new());
    for problem in 1..=count {
        let q: [f64; 5] = std::array::from_fn(|joint| {
            // Multiples of square roots spread evenly.
            let share = (f64::from(problem) * [2.0, 3.0, 5.0, 7.0, 11.0_f64][joint].sqrt()).fract();
            let (lower, upper) = (model.limits.lower[joint], model.limits.upper[joint]);
            lower + share * (upper - lower)
        });
        let pose = model.chain.pose(&q);
        let turn = nalgebra::Rotation3::from_matrix_unchecked(pose.rotation);
        let turn = nalgebra::UnitQuaternion::from_rotation_matrix(&turn);
        for seed in q {
            write!(text, "{seed},").unwrap();
        }
        let (at, by) = (pose.translation, turn.coords);
        writeln!(
            text,
            "{},{},{},{},{},{},{}",
            at.x, at.y, at.z, by.x, by.y, by.z, by.w
        )
        .unwrap();
        all.push(q);
        poses.push(pose);
    }
    (text, all, poses)
}

fn ik(targets: &Path, more: &[&str]) -> Output {
    output(
        surehand()
            .args([
                "ik",
                "--urdf",
                &urdf(),
                "--base",
                BASE,
                "--tip",
                TIP,
                "--targets",
            ])
            .arg(targets)
            .args(more),
    )
}

/// The rows of the answer: `ok`, and the joints.
fn rows(output: &Output) -> Vec<(bool, [f64; 5])> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("ok,iterations,micros,pos_err,rot_err,q0,q1,q2,q3,q4")
    );
    lines
        .map(|line| {
            let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
            (cells[0] == 1.0, cells[5..].try_into().unwrap())
        })
        .collect()
}

#[test]
fn every_pose_that_the_arm_reaches_is_solved_and_those_near_the_seed_are_found() {
    let model = so101();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("targets.csv");
    let (text, seeds, poses) = problems(&model, 300);
    std::fs::write(&file, text).unwrap();
    let solved = ik(&file, &[]);
    let said = String::from_utf8_lossy(&solved.stderr);
    assert!(solved.status.success(), "{said}");
    assert!(said.contains("300 of 300 solved"), "{said}");
    assert!(
        said.contains("2 of 3 turns"),
        "what five joints can do: {said}"
    );
    for ((ok, joints), pose) in rows(&solved).iter().zip(&poses) {
        let way = model.chain.pose(joints).way_to(pose);
        assert!(*ok && way.amax() < 1e-4 && model.limits.hold(joints, 1e-6));
    }
    // Columns of the seed are where each pose comes from: the same joints again.
    for ((_, joints), seed) in rows(&ik(&file, &["--near"])).iter().zip(&seeds) {
        let apart = joints.iter().zip(seed).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 0.05, "{joints:?} {seed:?}");
    }
    let document = ik(&file, &["--task", "position", "--json"]);
    let document: Value = serde_json::from_slice(&document.stdout).unwrap();
    assert_eq!(
        (&document["solved"], &document["of"]),
        (&300.into(), &300.into())
    );
    assert_eq!(document["joints"][0], "shoulder_pan");
}

#[test]
fn what_is_out_of_reach_is_answered_with_the_nearest_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("far.csv");
    std::fs::write(&file, "x,y,z,qx,qy,qz,qw\n3,0,0,0,0,0,1\n").unwrap();
    let far = ik(&file, &["--json"]);
    assert!(far.status.success());
    let document: Value = serde_json::from_slice(&far.stdout).unwrap();
    let answer = &document["answers"][0];
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["reason"], "the position is out of reach");
    assert!(answer["pos_err"].as_f64().unwrap() > 2.0);
}

#[test]
fn wrong_arguments_are_told_in_one_line_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.csv");
    std::fs::write(&file, "x,y,z,qx,qy,qz,qw\n0,0,inf,0,0,0,1\n").unwrap();
    let cases: [(Output, &str); 4] = [
        (ik(&file, &[]), "bad.csv:2: z is `inf`"),
        (
            ik(&folder.path().join("none.csv"), &[]),
            "none.csv: cannot be read",
        ),
        (
            ik(&file, &["--near"]),
            "bad.csv:1: there is no column `seed0`",
        ),
        (
            output(
                surehand()
                    .args([
                        "ik",
                        "--urdf",
                        &urdf(),
                        "--base",
                        BASE,
                        "--tip",
                        "hand",
                        "--targets",
                    ])
                    .arg(&file),
            ),
            "there is no link `hand`; links are: ",
        ),
    ];
    for (output, wanted) in cases {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(wanted), "{said}");
        assert!(output.stdout.is_empty());
    }
}
