//! Targets that leave the workspace and return: the arm is back with them, on its branch.

use surehand_kinematics::Model;

use crate::more;
use crate::robots::{panda, so101, ur5e};
use crate::scenes::{Dice, Run, excursion};
use crate::{ACCELERATION, assert_limits};

/// From anywhere, out of the workspace in any direction while turning, and back.
fn from_anywhere<const N: usize>(model: &Model<N>, seed: u64, cases: u32) {
    let mut dice = Dice(seed);
    for case in 0..cases {
        let mut run = Run::new(model.clone(), ACCELERATION, 0.001, [0.0; N]);
        let begin = excursion(&mut run, &mut dice, case % 2 == 1);
        assert_limits(&run);
        let off = run.tool().way_to(&begin);
        assert!(off.fixed_rows::<3>(0).norm() < 1e-4, "{case}: {off}");
        assert!(off.fixed_rows::<3>(3).norm() < 1e-3, "{case}: {off}");
    }
}

#[test]
fn whatever_way_a_target_leaves_the_workspace_the_arm_is_back_with_it() {
    from_anywhere(&so101(), 4, 300);
    from_anywhere(&ur5e(), 5, 40);
    from_anywhere(&panda(), 6, 40);
}

/// The same of arms that nobody built, given the time that their joints need to turn back.
fn comes_back_in_the_end<const N: usize>(model: &Model<N>, seed: u64) {
    let mut dice = Dice(seed);
    for case in 0..15 {
        let mut run = Run::new(model.clone(), ACCELERATION, 0.002, [0.0; N]);
        let target = excursion(&mut run, &mut dice, case % 2 == 1);
        let off = |run: &Run<N>| run.tool().way_to(&target).fixed_rows::<3>(0).norm();
        while off(&run) > 1e-4 && run.figures.seconds < 25.0 {
            run.tick(|follower| follower.track(&target));
        }
        assert!(off(&run) < 1e-4, "{case}: {}", off(&run));
        assert_limits(&run);
    }
}

#[test]
fn arms_that_nobody_built_come_back_too() {
    let mut state = 11;
    for seed in 0..6 {
        comes_back_in_the_end(&more::random::<5>(&mut state, &[]), seed);
        comes_back_in_the_end(&more::random::<6>(&mut state, &[]), seed);
        comes_back_in_the_end(&more::random::<7>(&mut state, &[2]), seed);
    }
}
