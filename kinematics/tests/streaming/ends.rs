//! Paths that end where the arm can go no farther: in a singularity, at the border of what is in reach.

use nalgebra::SVector;
use surehand_kinematics::streaming::{Path, Waypoint};
use surehand_kinematics::{Frame, Model};

use crate::robots::{panda, ur5e};
use crate::scenes::{Line, Run};
use crate::{ACCELERATION, PANDA, PERIODS, UR5E, assert_limits};

/// Along what the tool does when the joints go from `from` to `to` in `seconds`, to its end; the speed
/// at the end is what it is.
fn ends_at<const N: usize>(model: Model<N>, from: [f64; N], to: [f64; N], seconds: f64) {
    for period in PERIODS {
        let mut run = Run::new(model.clone(), ACCELERATION, period, from);
        let chain = model.chain;
        let path = Swing {
            at: Box::new(move |along| {
                let share = along / seconds;
                let q = std::array::from_fn(|it| from[it] + share * (to[it] - from[it]));
                let rate = std::array::from_fn(|it| (to[it] - from[it]) / seconds);
                let at = chain.linearise(&q);
                let rate = SVector::<f64, N>::from(rate);
                Waypoint {
                    pose: at.tool,
                    tangent: at.jacobian * rate,
                }
            }),
            seconds,
        };
        let done = run.follow(&path, seconds + 5.0);
        let end = path.at(seconds).pose;
        let off = run.tool().way_to(&end);
        assert!(done, "{period}");
        assert_limits(&run);
        assert!(run.figures.error < 5e-5, "{}", run.figures.error);
        assert!(off.norm() < 1e-4, "{off}");
    }
}

/// A straight line to a place that the arm reaches only outstretched.
fn reaches_out_to<const N: usize>(model: &Model<N>, bent: [f64; N], straight: [f64; N]) {
    for period in PERIODS {
        for speed in [0.05, 0.3] {
            let end = model.chain.pose(&straight);
            let begin = model.chain.pose(&bent);
            let way = end.translation - begin.translation;
            let line = Line {
                start: Frame {
                    translation: begin.translation,
                    ..end
                },
                velocity: way.normalize() * speed,
                seconds: way.norm() / speed,
            };
            let mut run = Run::new(model.clone(), ACCELERATION, period, bent);
            // Turned as at the end first.
            for _ in 0..(2.0 / period) as u32 {
                run.tick(|follower| follower.track(&line.start));
            }
            let done = run.follow(&line, 2.0 + line.seconds + 5.0);
            let off = run.tool().way_to(&end);
            assert!(off.norm() < 1e-4, "{off}");
            assert!(done);
            assert!(run.figures.error < 5e-5, "{}", run.figures.error);
            assert_limits(&run);
        }
    }
}

#[test]
fn a_line_to_the_border_of_what_is_in_reach_is_gone_to_its_end() {
    let straight = [0.2, -1.3, 0.0, -1.2, -1.5, 0.3];
    reaches_out_to(&ur5e(), [0.2, -1.5, 0.5, -1.5, -1.5, 0.3], straight);
}

/// A path that a closure describes.
struct Swing {
    at: Box<dyn Fn(f64) -> Waypoint>,
    seconds: f64,
}

impl Path for Swing {
    fn at(&self, along: f64) -> Waypoint {
        (self.at)(along)
    }

    fn end(&self) -> f64 {
        self.seconds
    }
}

#[test]
fn a_path_that_ends_in_a_singularity_is_gone_to_its_end() {
    // With the wrist straight.
    let mut to = UR5E;
    to[4] = 0.0;
    to[0] += 0.3;
    ends_at(ur5e(), UR5E, to, 2.0);
    // With the elbow straight, at the border of what is in reach.
    let mut to = UR5E;
    to[2] = 0.0;
    ends_at(ur5e(), UR5E, to, 2.0);
    // With the first and the last joint on one line.
    let to = [0.1, 0.0, 0.2, -1.2, 0.0, 1.2, 0.6];
    ends_at(panda(), PANDA, to, 2.0);
}
