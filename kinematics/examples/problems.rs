//! Writes arms and problems for other solvers: a URDF and a table of targets an arm.
//!
//! `cargo run --release -p surehand-kinematics --example problems -- FOLDER [PROBLEMS] [SEED]`
//!
//! Each table has the columns of `surehand ik`: `seed0…` (where a search may begin) and the target's
//! `x,y,z,qx,qy,qz,qw`. Starts and targets are independent uniform draws inside the limits.

#![allow(clippy::unwrap_used, reason = "a program that may panic")]

#[path = "../robots/mod.rs"]
mod robots;

use std::fmt::Write as _;
use std::path::Path;

use nalgebra::{Rotation3, UnitQuaternion, Vector3};
use surehand_kinematics::{Model, Motion};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else {
        eprintln!("problems: name the folder to write to");
        std::process::exit(2);
    };
    let number = |index: usize, usual: u64| {
        let given = arguments.get(index);
        given.map_or(usual, |it| it.parse().unwrap())
    };
    let (problems, seed) = (number(1, 2000), number(2, 7));
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder).unwrap();
    save(folder, "so101", &robots::so101(), problems, seed);
    save(folder, "ur5e", &robots::ur5e(), problems, seed);
    save(folder, "panda", &robots::panda(), problems, seed);
    save(folder, "iiwa", &robots::iiwa(), problems, seed);
}

fn save<const N: usize>(folder: &Path, name: &str, model: &Model<N>, problems: u64, seed: u64) {
    std::fs::write(folder.join(format!("{name}.urdf")), urdf(name, model)).unwrap();
    let mut state = seed;
    let mut table = String::new();
    for joint in 0..N {
        write!(table, "seed{joint},").unwrap();
    }
    table.push_str("x,y,z,qx,qy,qz,qw\n");
    for _ in 0..problems {
        for joint in robots::draw(model, &mut state) {
            write!(table, "{joint},").unwrap();
        }
        let target = model.chain.pose(&robots::draw(model, &mut state));
        let turn = UnitQuaternion::from_matrix(&target.rotation);
        let [x, y, z] = target.translation.into();
        let [i, j, k, w] = turn.coords.into();
        writeln!(table, "{x},{y},{z},{i},{j},{k},{w}").unwrap();
    }
    std::fs::write(folder.join(format!("{name}.csv")), table).unwrap();
}

/// The arm's chain from `base` to `tip`, without shapes or masses. With every joint at 0 all frames
/// but the tip's are parallel to the base's: the axes are read off the Jacobian there.
fn urdf<const N: usize>(name: &str, model: &Model<N>) -> String {
    let at_zero = model.chain.linearise(&[0.0; N]);
    let tool = at_zero.tool;
    let mut text = format!("<robot name=\"{name}\">\n  <link name=\"base\"/>\n");
    let mut parent = "base".to_owned();
    let mut parent_at = Vector3::zeros();
    for (index, motion) in model.chain.motions().into_iter().enumerate() {
        let column = at_zero.jacobian.column(index);
        let (linear, angular) = (column.fixed_rows::<3>(0), column.fixed_rows::<3>(3));
        // A joint that turns moves the tool by `angular × (tool − point)`.
        let (kind, axis, at) = match motion {
            Motion::Turning => {
                let lever: Vector3<f64> = linear.cross(&angular);
                ("revolute", angular.into_owned(), tool.translation - lever)
            }
            Motion::Sliding => ("prismatic", linear.into_owned(), parent_at),
        };
        let child = format!("link{}", index + 1);
        let ([x, y, z], [a, b, c]): ([f64; 3], [f64; 3]) = ((at - parent_at).into(), axis.into());
        let limits = &model.limits;
        let (lower, upper) = (limits.lower[index], limits.upper[index]);
        let velocity = limits.velocity[index];
        writeln!(
            text,
            "  <link name=\"{child}\"/>
  <joint name=\"{}\" type=\"{kind}\">
    <parent link=\"{parent}\"/>
    <child link=\"{child}\"/>
    <origin xyz=\"{x} {y} {z}\" rpy=\"0 0 0\"/>
    <axis xyz=\"{a} {b} {c}\"/>
    <limit lower=\"{lower}\" upper=\"{upper}\" effort=\"100\" velocity=\"{velocity}\"/>
  </joint>",
            model.names[index]
        )
        .unwrap();
        parent = child;
        parent_at = at;
    }
    let [x, y, z]: [f64; 3] = (tool.translation - parent_at).into();
    let (roll, pitch, yaw) = Rotation3::from_matrix_unchecked(tool.rotation).euler_angles();
    writeln!(
        text,
        "  <link name=\"tip\"/>
  <joint name=\"to_tip\" type=\"fixed\">
    <parent link=\"{parent}\"/>
    <child link=\"tip\"/>
    <origin xyz=\"{x} {y} {z}\" rpy=\"{roll} {pitch} {yaw}\"/>
  </joint>
</robot>"
    )
    .unwrap();
    text
}
