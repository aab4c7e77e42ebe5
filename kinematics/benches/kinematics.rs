//! Forward kinematics with Jacobian, and the global solve, beside those of `k` in the same run.
//!
//! `cargo bench -p surehand-kinematics`. Absolute times are the machine's; what counts is a ratio
//! of two lines.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion writes the entry points; a bench may panic"
)]

#[path = "../robots/mod.rs"]
mod robots;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use k::InverseKinematicsSolver;
use surehand_kinematics::{Frame, Model, Options, Solver, Task};

/// Problems that a bench goes round.
const PROBLEMS: usize = 256;

fn forward<const N: usize>(criterion: &mut Criterion, name: &str, model: &Model<N>) {
    let mut state = 1;
    let joints: Vec<[f64; N]> = (0..PROBLEMS)
        .map(|_| robots::draw(model, &mut state))
        .collect();
    let mut next = joints.iter().cycle();
    criterion.bench_function(&format!("{name}: pose and Jacobian"), |bencher| {
        bencher.iter(|| model.chain.linearise(black_box(next.next().unwrap())));
    });
}

fn solve<const N: usize>(criterion: &mut Criterion, name: &str, model: &Model<N>) {
    let solver = Solver::new(model, Task::Pose, Options::default()).unwrap();
    let mut state = 2;
    let targets: Vec<Frame> = (0..PROBLEMS)
        .map(|_| model.chain.pose(&robots::draw(model, &mut state)))
        .collect();
    let mut next = targets.iter().cycle();
    criterion.bench_function(&format!("{name}: solve"), |bencher| {
        bencher.iter(|| solver.solve(black_box(next.next().unwrap()), None));
    });
}

/// The same joints and targets with `k`; its solver starts half a radian beside the solution, which
/// it does not always find even so.
fn with_k<const N: usize>(
    criterion: &mut Criterion,
    name: &str,
    model: &Model<N>,
    arm: &robots::Arm,
) {
    let robot = urdf_rs::read_from_string(arm.text).unwrap();
    let tree = k::Chain::<f64>::from(&robot);
    let chain = k::SerialChain::from_end(tree.find_link(arm.tip).unwrap());
    let mut state = 1;
    let joints: Vec<[f64; N]> = (0..PROBLEMS)
        .map(|_| robots::draw(model, &mut state))
        .collect();
    let mut next = joints.iter().cycle();
    criterion.bench_function(&format!("{name}: pose and Jacobian by k"), |bencher| {
        bencher.iter(|| {
            chain.set_joint_positions_unchecked(black_box(next.next().unwrap()));
            (chain.end_transform(), k::jacobian(&chain))
        });
    });
    if N < 6 {
        // Its solver takes six joints or more.
        return;
    }
    let solver = k::JacobianIkSolver::default();
    let mut next = joints.iter().cycle();
    criterion.bench_function(&format!("{name}: solve by k, from nearby"), |bencher| {
        bencher.iter_batched(
            || {
                let joints = next.next().unwrap();
                chain.set_joint_positions_unchecked(joints);
                let target = chain.end_transform();
                let start = model.limits.clamp(&joints.map(|joint| joint + 0.5));
                chain.set_joint_positions_unchecked(&start);
                target
            },
            |target| solver.solve(&chain, &target).is_ok(),
            BatchSize::SmallInput,
        );
    });
}

fn all(criterion: &mut Criterion) {
    let (so101, ur5e, panda, wild) = (
        robots::so101(),
        robots::ur5e(),
        robots::panda(),
        robots::wild(),
    );
    forward(criterion, "so101", &so101);
    with_k(criterion, "so101", &so101, &robots::SO101);
    forward(criterion, "ur5e", &ur5e);
    forward(criterion, "panda", &panda);
    forward(criterion, "wild", &wild);
    with_k(criterion, "wild", &wild, &robots::WILD);
    solve(criterion, "so101", &so101);
    solve(criterion, "ur5e", &ur5e);
    solve(criterion, "panda", &panda);
    solve(criterion, "wild", &wild);
}

criterion_group!(benches, all);
criterion_main!(benches);
