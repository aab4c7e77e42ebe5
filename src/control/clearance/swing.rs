//! How fast any point of the arm can get on its way to a standstill.
//!
//! A bound and not an estimate. Joints stop each in its own time, so the arm may get faster while
//! it brakes: two joints that undo each other's motion do not stop together. Every joint passes
//! through some speeds and covers some way; the bound holds for all speeds of all joints at once.
//! A link is rigid: no point of it is faster than the faster of its ends.
//!
//! Real time: no allocation, lock, log or clock.

use heapless::Vec;
use nalgebra::Vector3;

use crate::arm::ArmModel;
use crate::units::{JointVec, MAX_JOINTS, Rad};

/// One choice of its lowest or highest speed for each joint.
const CORNERS: usize = 1 << MAX_JOINTS;

/// What a joint may still do until it stands.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Swing {
    /// The lowest speed it passes through, at most 0, rad/s.
    pub(crate) low: f64,
    /// The highest, at least 0, rad/s.
    pub(crate) high: f64,
    /// How far it goes, radians.
    pub(crate) way: f64,
}

impl Swing {
    fn fastest(&self) -> f64 {
        self.high.max(-self.low)
    }
}

/// The most speed that the end of any link can have, m/s, where the joints are at `joints` and
/// the links, base first, have these `lengths`.
pub(super) fn fastest(
    model: &ArmModel,
    lengths: &JointVec<f64>,
    joints: &JointVec<Rad>,
    swings: &JointVec<Swing>,
) -> f64 {
    let pose = model.forward(joints);
    let swings: JointVec<Swing> =
        (model.chain_joints()).map(|joint| swings.get(joint).unwrap_or_default());
    let tool = pose.tool.translation;
    let ends = pose.axes().map(|(_, origin)| *origin).skip(1);
    let ends = ends.chain(std::iter::once(tool));
    let mut most = 0.0_f64;
    for (moved, end) in (1_usize..).zip(ends) {
        // The joints before this end, and the sums of what each may add to its speed.
        let before = || swings.iter().take(moved);
        let mut sums: Vec<Vector3<f64>, CORNERS> = Vec::new();
        // There is room for one.
        let _ = sums.push(Vector3::zeros());
        for ((axis, origin), swing) in pose.axes().zip(before()) {
            let lever = axis.cross(&(end - origin));
            let (low, high) = (lever * swing.low, lever * swing.high);
            let both = swing.low < 0.0 && swing.high > 0.0;
            let still = swing.low == 0.0 && swing.high == 0.0;
            if still {
                continue;
            }
            for at in 0..sums.len() {
                if let Some(sum) = sums.get_mut(at) {
                    let other = *sum + if both || swing.low < 0.0 { low } else { high };
                    if both {
                        *sum += high;
                    }
                    // As many as there are corners.
                    let _ = sums.push(other);
                }
            }
        }
        let now = sums.iter().map(Vector3::norm_squared).fold(0.0, f64::max);
        most = most.max(now.sqrt() + drift(before(), lengths));
    }
    most
}

/// By how much the bound may rise while the joints go on: what a joint's way turns are the levers
/// of the joints beyond it, and its own, and it moves the end on the levers of those before it.
fn drift<'a>(swings: impl Iterator<Item = &'a Swing> + Clone, lengths: &JointVec<f64>) -> f64 {
    let count = swings.clone().count();
    // No end is farther from a joint than the links between them are long.
    let lever = |joint: usize| lengths.iter().take(count).skip(joint).sum::<f64>();
    let speeds = || swings.clone().map(Swing::fastest).enumerate();
    let mut total = 0.0;
    for (joint, swing) in swings.clone().enumerate() {
        if swing.way == 0.0 {
            continue;
        }
        let slower = speeds().take(joint).map(|(_, speed)| speed).sum::<f64>();
        let inner = speeds().take(joint).map(|(at, speed)| speed * lever(at));
        let outer = speeds().skip(joint).map(|(at, speed)| speed * lever(at));
        let turned = inner.sum::<f64>().min(outer.sum());
        total += swing.way * (slower * lever(joint) + turned);
    }
    total
}
