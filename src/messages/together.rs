//! What the modes of several arms are together.

use super::{Cause, Mode};

/// The mode of the arm that is farthest from running; and of the causes of `arms` that which says why
/// the cell stands, with the index of its arm: of one that stopped by itself rather than of one that
/// another stopped, and of one with which something is wrong before all.
#[must_use]
pub fn together(
    arms: impl IntoIterator<Item = (Mode, Option<Cause>)>,
) -> (Mode, Option<(usize, Cause)>) {
    let (mut mode, mut why) = (None::<Mode>, None::<(usize, Cause)>);
    let says_less = |cause: &Cause| (*cause == Cause::OtherArm, cause.in_order());
    for (arm, (its, cause)) in arms.into_iter().enumerate() {
        if mode.is_none_or(|before| rank(its) < rank(before)) {
            mode = Some(its);
        }
        if let Some(cause) = cause
            && why.is_none_or(|(_, before)| says_less(&cause) < says_less(&before))
        {
            why = Some((arm, cause));
        }
    }
    (mode.unwrap_or_default(), why)
}

/// How far a mode is from running: the least is the farthest.
fn rank(mode: Mode) -> u8 {
    match mode {
        Mode::Stopping => 0,
        Mode::Parking => 1,
        Mode::Stopped => 2,
        Mode::Idle => 3,
        Mode::Holding => 4,
        Mode::Running => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_runs_when_all_its_arms_do() {
        let runs = (Mode::Running, None);
        assert_eq!(together([runs, runs]), (Mode::Running, None));
        let waits = (Mode::Holding, None);
        assert_eq!(together([runs, waits]), (Mode::Holding, None));
    }

    #[test]
    fn a_cell_stands_for_what_is_wrong_and_not_for_what_follows() {
        let other = (Mode::Stopped, Some(Cause::OtherArm));
        let lost = (Mode::Stopping, Some(Cause::PortLost));
        let pressed = (Mode::Stopped, Some(Cause::OperatorStop));
        let (mode, why) = together([other, lost]);
        assert_eq!((mode, why), (Mode::Stopping, Some((1, Cause::PortLost))));
        let (_, why) = together([pressed, lost]);
        assert_eq!(why, Some((1, Cause::PortLost)));
        let (_, why) = together([other, pressed]);
        assert_eq!(why, Some((1, Cause::OperatorStop)));
    }
}
