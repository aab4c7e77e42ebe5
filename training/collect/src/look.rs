//! One look at the cell: what the policy may see, and what only the expert sees.
//!
//! Owns the state vector of the manifest and the pairing of pictures with joints of the same
//! moment. The cube's pose is in [`Sight`] for the expert and in the sample for the finder; no
//! path leads from it to a policy.

use std::time::Duration;

use surehand::camera::Rgb8;
use surehand::messages::Plan;
use surehand::policy::{Observation, Picture, Policy};
use surehand::units::{JointVec, MonoTime, Rad, RadPerSec};

use crate::Failure;
use crate::dataset::{STATE, Sample};
use crate::expert::{CHUNK, Sight};
use crate::rig::Rig;

/// The cameras in the order the policy wants them.
pub(crate) const CAMERAS: [&str; 2] = ["overhead", "wrist"];
/// What a covered camera delivers: nothing but this grey.
const COVERED: u8 = 24;

/// What a policy sees.
pub(crate) struct View {
    at: MonoTime,
    measured: JointVec<Rad>,
    command: JointVec<Rad>,
    pictures: [Rgb8; 2],
}

impl View {
    /// Looks through both cameras; one of them may be covered.
    pub(crate) fn take(rig: &mut Rig, cover: Option<&str>) -> Result<View, Failure> {
        let mut look = |camera: &str| {
            let picture = rig.picture(camera)?;
            if cover == Some(camera) {
                let nothing = vec![COVERED; picture.data().len()];
                Rgb8::new(picture.width(), picture.height(), nothing)
                    .ok_or_else(|| Failure::new("a covered camera has no picture"))
            } else {
                Ok(picture)
            }
        };
        let pictures = [look(CAMERAS[0])?, look(CAMERAS[1])?];
        Ok(View {
            at: rig.now(),
            measured: rig.measured(),
            command: rig.command(),
            pictures,
        })
    }

    /// What `policy` wants to be done; noise is drawn anew for each plan `id`.
    pub(crate) fn ask(&self, policy: &mut Policy, id: u64) -> Result<Plan, Failure> {
        let observation = Observation {
            captured_at: self.at,
            pictures: self
                .pictures
                .iter()
                .map(|picture| Picture {
                    width: picture.width(),
                    height: picture.height(),
                    rgb: picture.data(),
                })
                .collect(),
            measured: self.measured.as_slice().to_vec(),
            command: self.command.as_slice().to_vec(),
            velocity: vec![RadPerSec(0.0); self.measured.len()],
        };
        Ok(policy.plan(&observation, id, Duration::ZERO)?)
    }

    /// What should be answered to this view, to be learned.
    pub(crate) fn labelled(&self, sight: &Sight, chunk: &[[f64; 5]; CHUNK]) -> Sample {
        let lag = gripper(&self.command) - gripper(&self.measured);
        let joints = self.measured.iter().map(|angle| angle.0);
        let values = joints.chain([lag]).chain(sight.tool.position);
        let mut state = [0.0; STATE];
        for (slot, value) in state.iter_mut().zip(values) {
            *slot = value as f32;
        }
        let [x, y, z] = sight.cube;
        // A cube looks the same after a quarter turn.
        let turn = 4.0 * (sight.cube_yaw - sight.jaw_yaw);
        let [overhead, wrist] = &self.pictures;
        Sample {
            overhead: overhead.data().to_vec(),
            wrist: wrist.data().to_vec(),
            state,
            action: chunk.map(|step| step.map(|value| value as f32)),
            cube: [x, y, z, turn.cos(), turn.sin()].map(|value| value as f32),
        }
    }
}

/// What only the expert sees.
pub(crate) fn sight(rig: &Rig) -> Sight {
    let measured = rig.measured();
    let (tool, jaw_yaw) = rig.tool(&measured);
    let cube = rig.cube();
    // Of the cube's axes the one that lies flattest tells its yaw.
    let flattest = [
        nalgebra::Vector3::x(),
        nalgebra::Vector3::y(),
        nalgebra::Vector3::z(),
    ]
    .map(|axis| cube.rotation * axis)
    .into_iter()
    .min_by(|a, b| a.z.abs().total_cmp(&b.z.abs()))
    .unwrap_or_default();
    Sight {
        tool,
        jaw_yaw,
        gripper: gripper(&measured),
        gripper_command: gripper(&rig.command()),
        cube: cube.translation.vector.into(),
        cube_yaw: flattest.y.atan2(flattest.x),
    }
}

/// The gripper is the last joint.
fn gripper(joints: &JointVec<Rad>) -> f64 {
    joints.as_slice().last().map_or(0.0, |angle| angle.0)
}
