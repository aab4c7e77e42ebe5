//! What the policy is shown: the newest picture of every camera, and the joints of that moment.

use crate::camera::{Cameras, Frame};
use crate::policy::{Observation, Package, Picture};
use crate::units::{JointVec, MonoTime};

use super::arms::CellLink;
use super::history::JointSample;

/// What a policy looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    /// At pictures, and so at the moment of the oldest.
    Pictures,
    /// At the joints alone, as they were last measured.
    Joints,
}

impl Looks {
    pub(super) fn of(package: &Package) -> Looks {
        match package.cameras().next() {
            Some(_) => Looks::Pictures,
            None => Looks::Joints,
        }
    }
}

/// One moment.
pub(super) struct Sight {
    pub(super) captured_at: MonoTime,
    frames: Vec<Frame>,
    /// Of each arm.
    joints: Vec<JointSample>,
}

impl Sight {
    /// The newest there is; `None` before every camera has delivered.
    pub(super) fn take(looks: Looks, cameras: &Cameras, link: &CellLink) -> Option<Sight> {
        let frames = match looks {
            Looks::Pictures => (0..cameras.len())
                .map(|index| cameras.latest(index))
                .collect::<Option<Vec<_>>>()?,
            Looks::Joints => Vec::new(),
        };
        let captured_at = match looks {
            Looks::Pictures => frames.iter().map(|frame| frame.captured_at).min()?,
            Looks::Joints => link.latest()?.iter().map(|tick| tick.at).min()?,
        };
        Some(Sight {
            captured_at,
            joints: link.joints_at(captured_at)?,
            frames,
        })
    }

    /// The pictures, in the cameras' order; none where it looks at the joints alone.
    pub(super) fn frames(&self) -> &[Frame] {
        &self.frames
    }

    pub(super) fn observation(&self) -> Observation<'_> {
        let picture = |frame| {
            let Frame { image, .. }: &Frame = frame;
            Picture {
                width: image.width(),
                height: image.height(),
                rgb: image.data(),
            }
        };
        Observation {
            captured_at: self.captured_at,
            pictures: self.frames.iter().map(picture).collect(),
            measured: flat(self.joints.iter().map(|arm| &arm.measured)),
            command: flat(self.joints.iter().map(|arm| &arm.command)),
            velocity: flat(self.joints.iter().map(|arm| &arm.velocity)),
        }
    }
}

/// The values of all arms' joints, one after the other.
fn flat<'a, T: Copy + 'a>(arms: impl Iterator<Item = &'a JointVec<T>>) -> Vec<T> {
    arms.flat_map(JointVec::iter).copied().collect()
}
