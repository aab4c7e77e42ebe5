//! Leads the joints so that the tool keeps to its path: the streaming kinematics of this arm.
//!
//! Owns the follower for as many joints as the arm has, and what the arm can do of a pose. Never
//! decides what to follow, and nothing it says moves the arm: that is the limiter's.
//!
//! Real time: no allocation, lock, log or clock once it is made.

use surehand_kinematics::streaming::{Course, Follower, Path, Residual};
use surehand_kinematics::{Chain, Frame, Limits, Model, Options, Solver, Task};

use crate::arm::ArmModel;
use crate::arm::geometry::{ArmChain, array, of_any_size, of_same_size, whatever_size};
use crate::control::clearance::Clearance;
use crate::control::plan::CATCH_UP;
use crate::units::JointVec;

mod surroundings;

use surroundings::surroundings;

/// The share of each joint's acceleration that is planned with: the limiter, which limits the
/// jerk as well, closes up with the rest.
const ACCELERATION: f64 = 0.8;
/// With less than this left of a distance the arm is at its margin, metres.
const AT_MARGIN: f64 = 0.003;
/// Newton's steps to a place: each begins at the one before, and so needs few.
const STEPS: u32 = 40;

of_any_size! {
    /// A follower. In a box, as it is large and only one size is there.
    #[derive(Debug, Clone, PartialEq)]
    enum AnyFollower(Boxed)
}

type Boxed<const N: usize> = Box<Follower<N>>;

/// Leads the joints of one arm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leader {
    follower: AnyFollower,
    takes_any_pose: bool,
}

/// Where the joints are to be at the end of a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lead {
    /// The chain's angles, base first.
    pub(crate) angles: JointVec<f64>,
    /// How the arm fares.
    pub(crate) course: Course,
}

impl Leader {
    /// For `model` and ticks of `period` seconds, among what is in `clearance`; `None` when limits or
    /// period are none.
    #[must_use]
    pub(crate) fn new(model: &ArmModel, period: f64, clearance: &Clearance) -> Option<Leader> {
        let limits = model.chain_limits();
        let of = |number: fn(&crate::arm::JointLimits) -> f64| -> JointVec<f64> {
            limits.iter().map(number).collect()
        };
        let kinematics = Made {
            lower: of(|limits| limits.lower.0),
            upper: of(|limits| limits.upper.0),
            velocity: of(|limits| limits.velocity.0),
            acceleration: of(|limits| ACCELERATION * limits.acceleration.0),
            period,
        };
        let takes_any_pose =
            whatever_size!(ArmChain, model.chain(), chain => kinematics.takes_any_pose(chain))?;
        let follower = of_same_size!(ArmChain, model.chain(), AnyFollower, chain => {
            Box::new(kinematics.follower(chain, clearance)?)
        });
        Some(Leader {
            follower,
            takes_any_pose,
        })
    }

    /// Whether the arm can be asked for any pose within reach; another does the position, and as
    /// much of the turn as is left to it.
    #[must_use]
    pub(crate) fn takes_any_pose(&self) -> bool {
        self.takes_any_pose
    }

    /// The angles beside `from` that bring the tool to `target` or as near as they can, and what
    /// is left.
    #[must_use]
    pub(crate) fn reach(&self, from: &JointVec<f64>, target: &Frame) -> (JointVec<f64>, Residual) {
        whatever_size!(AnyFollower, &self.follower, follower => {
            let reached = follower.reach(&array(from), target, STEPS);
            (reached.joints.into_iter().collect(), reached.residual)
        })
    }

    /// The next path is joined at `along` with `angles`: see [`Follower::prepare`]. The joints'
    /// velocities to join it with.
    pub(crate) fn prepare(
        &mut self,
        path: &impl Path,
        along: f64,
        angles: &JointVec<f64>,
    ) -> JointVec<f64> {
        whatever_size!(AnyFollower, &mut self.follower, follower => {
            follower.prepare(path, along, &array(angles)).into_iter().collect()
        })
    }

    /// Looks a little farther along the path that was prepared for.
    pub(crate) fn survey(&mut self, path: &impl Path) {
        whatever_size!(AnyFollower, &mut self.follower, follower => follower.survey(path));
    }

    /// The arm is where the path is joined, with these angles and velocities.
    pub(crate) fn join(&mut self, angles: &JointVec<f64>, velocities: &JointVec<f64>) {
        whatever_size!(AnyFollower, &mut self.follower, follower => {
            // The limiter's command is always finite.
            let _ = follower.join(array(angles), array(velocities));
        });
    }

    /// Forgets what was followed.
    pub(crate) fn forget(&mut self) {
        whatever_size!(AnyFollower, &mut self.follower, follower => follower.begin(0.0));
    }

    /// A tick along `path` at most the share `pace` of its speed.
    pub(crate) fn follow(&mut self, path: &impl Path, pace: f64) -> Lead {
        whatever_size!(AnyFollower, &mut self.follower, follower => {
            Lead::of(follower.follow(path, pace))
        })
    }

    /// Whether the arm is led no farther as it would come too near to something.
    #[must_use]
    pub(crate) fn is_hemmed(&self) -> bool {
        let left = whatever_size!(AnyFollower, &self.follower, follower => {
            follower.left(&follower.positions(), AT_MARGIN)
        });
        left.is_some_and(|left| left < AT_MARGIN)
    }

    /// The least room at `angles` as the limiter sees it, metres, or 7 mm where it is more.
    #[cfg(test)]
    pub(crate) fn room(&self, angles: &JointVec<f64>) -> Option<f64> {
        let left = whatever_size!(AnyFollower, &self.follower, follower => {
            follower.left(&array(angles), 0.004)
        });
        left.map(|left| left + surroundings::MORE)
    }

    /// How far along the path the arm is led, seconds.
    #[must_use]
    pub(crate) fn along(&self) -> f64 {
        whatever_size!(AnyFollower, &self.follower, follower => follower.along())
    }
}

impl Lead {
    fn of<const N: usize>(step: surehand_kinematics::streaming::Step<N>) -> Lead {
        Lead {
            angles: step.positions.into_iter().collect(),
            course: step.course,
        }
    }
}

/// What the kinematics are made of.
struct Made {
    lower: JointVec<f64>,
    upper: JointVec<f64>,
    velocity: JointVec<f64>,
    acceleration: JointVec<f64>,
    period: f64,
}

impl Made {
    fn model<const N: usize>(&self, chain: &Chain<N>) -> Model<N> {
        Model {
            names: std::array::from_fn(|_| String::new()),
            chain: *chain,
            limits: Limits {
                lower: array(&self.lower),
                upper: array(&self.upper),
                velocity: array(&self.velocity),
            },
        }
    }

    fn follower<const N: usize>(
        &self,
        chain: &Chain<N>,
        clearance: &Clearance,
    ) -> Option<Follower<N>> {
        let model = self.model(chain);
        let start = model.limits.clamp(&[0.0; N]);
        let acceleration = array(&self.acceleration);
        let mut follower = Follower::new(&model, acceleration, self.period, start).ok()?;
        follower.set_hurry(CATCH_UP);
        if !clearance.is_open() {
            let (around, margin) = surroundings(&model, clearance)?;
            follower.set_clearance(around, margin).ok()?;
        }
        Some(follower)
    }

    /// By the Jacobian's structure.
    fn takes_any_pose<const N: usize>(&self, chain: &Chain<N>) -> Option<bool> {
        let options = Options {
            starts: 0,
            ..Options::default()
        };
        let solver = Solver::new(&self.model(chain), Task::Pose, options).ok()?;
        Some(solver.exact().is_whole_pose())
    }
}
