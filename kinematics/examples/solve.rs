//! Where the tool is, and which joints put it elsewhere: the library in a page.
//!
//! `cargo run --release -p surehand-kinematics --example solve`

use std::error::Error;

use surehand_kinematics::{Description, Frame, Model, Options, Solver, Task};

fn main() -> Result<(), Box<dyn Error>> {
    // An arm is the chain between two links of a URDF. How many joints it has is part of its type.
    let text = include_str!("../../urdf/so101.urdf");
    let description = Description::read("so101.urdf", text, "base", "gripper_frame")?;
    let model: Model<5> = description.model().ok_or("the arm has five joints")?;

    // Forward: the tool in the base frame, and how it moves with the joints.
    let joints = [0.2, -0.4, 0.6, 0.3, -0.5];
    let now = model.chain.linearise(&joints);
    println!("tool at {:.4?} m", now.tool.translation.as_slice());

    // A solver is made once for an arm and a task, and from then on allocates nothing.
    let solver = Solver::new(&model, Task::Pose, Options::default())?;

    // Backward: of the joints that take the pose those near a reference.
    let answer = solver.solve(&now.tool, Some(&joints))?;
    println!(
        "joints {:.4?} in {} iterations, {:.1e} m and {:.1e} rad off",
        answer.joints, answer.iterations, answer.residual.position, answer.residual.angle
    );

    // Five joints do not take every pose; what they can do is in the answer, and why it is not met.
    let exact = answer.exact;
    println!(
        "any position (in {} directions), then {} turns of 3: {:?}",
        exact.translations, exact.rotations, exact.bound
    );
    let turned =
        Frame::from_quaternion([0.25, 0.1, 0.15], [0.0, 1.0, 0.0, 0.0]).ok_or("that is a pose")?;
    let answer = solver.solve(&turned, Some(&joints))?;
    match answer.unreached {
        None => println!("reached"),
        Some(why) => println!(
            "{why}: {:.1e} m and {:.3} rad off at {:.4?}",
            answer.residual.position, answer.residual.angle, answer.joints
        ),
    }

    // With the orientation left free the position is reached.
    let solver = Solver::new(&model, Task::Position, Options::default())?;
    let answer = solver.solve(&turned, Some(&joints))?;
    println!("position alone: {:.1e} m off", answer.residual.position);
    Ok(())
}
