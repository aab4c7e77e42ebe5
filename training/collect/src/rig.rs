//! The simulated cell and the controller's core, wired together in virtual time.
//!
//! Owns one tick: request bytes to the servos, their reply bytes to readings, readings to the
//! core, its goals to bytes, and the physics in between. No process, no clock: the same seed
//! gives the same run. Never decides a motion: plans come from outside and may be refused.

use std::sync::Arc;

use nalgebra::{Isometry3, Vector3};
use surehand::arm::Family;
use surehand::arm::tool::tool_of;
use surehand::bus::feetech::register::{
    PRESENT, PRESENT_LOAD, PRESENT_POSITION, PRESENT_TEMPERATURE, PRESENT_VELOCITY,
    PRESENT_VOLTAGE, TORQUE_ENABLE, WRITE_ACCELERATION, WRITE_GOAL_POSITION, WRITE_GOAL_VELOCITY,
    WRITE_TORQUE_LIMIT,
};
use surehand::bus::register::Register;
use surehand::bus::request::Request as Ask;
use surehand::bus::scan::{Expected, Frames, Scan, Scanner};
use surehand::bus::{RawReading, ServoSettings};
use surehand::camera::{Rgb8, decode};
use surehand::cell::Arm;
use surehand::control::{
    Core, CoreConfig, Inputs, JointReading, Link, ReadFault, SafetyInputs, Signals, Torque,
    TorqueAct,
};
use surehand::messages::{Cause, Mode, Plan, Refusal, Request};
use surehand::units::{Counts, JointVec, MonoTime, Rad};
use surehand_sim::render::Renderer;
use surehand_sim::scene::Scene;
use surehand_sim::workcell::Workcell;

use crate::Failure;
use crate::expert::Tool;

/// Virtual time begins here, so that nothing lies before zero.
const EPOCH_NS: u64 = 1_000_000_000;
/// When the replies have been read, after the request.
const READ_NS: u64 = 1_200_000;
/// Ticks for reset, enable and start before the arm follows plans.
const BRING_UP_TICKS: u32 = 12;

/// What stays the same for all episodes: the cell and its arm.
#[derive(Clone)]
pub(crate) struct Station {
    pub(crate) arm: Arm,
    pub(crate) config: CoreConfig,
    pub(crate) settings: Vec<ServoSettings>,
}

/// One simulated cell under one controller.
pub(crate) struct Rig {
    cell: Workcell,
    renderer: Renderer,
    core: Core,
    station: Arc<Station>,
    ids: Vec<u8>,
    scanner: Scanner,
    replies: Vec<u8>,
    offered: Option<Plan>,
    frames: u64,
    next_id: u64,
    mode: Mode,
    cause: Option<Cause>,
    refused: Option<Refusal>,
    measured: JointVec<Rad>,
    command: JointVec<Rad>,
}

impl Rig {
    /// A cell with its arm at `start` (rad, joint order), torque on and ready for plans.
    pub(crate) fn new(
        station: &Arc<Station>,
        scene: &Scene,
        seed: u64,
        start: &[f64],
    ) -> Result<Rig, Failure> {
        let mut cell = Workcell::new(scene.clone(), seed);
        cell.set_joints(start);
        let core = Core::new(station.config.clone(), Cause::Boot, Torque::Off)?;
        let joints = station.arm.calibration.joints();
        let mut rig = Rig {
            renderer: Renderer::new(scene, seed),
            cell,
            core,
            ids: joints.iter().map(|joint| joint.id()).collect(),
            station: Arc::clone(station),
            scanner: Scanner::new(Family::Feetech),
            replies: Vec::new(),
            offered: None,
            frames: 0,
            next_id: 1,
            mode: Mode::Stopped,
            cause: None,
            refused: None,
            measured: JointVec::default(),
            command: JointVec::default(),
        };
        rig.bring_up()?;
        Ok(rig)
    }

    fn bring_up(&mut self) -> Result<(), Failure> {
        let settings = self.station.settings.clone();
        let words =
            |value: fn(&ServoSettings) -> i32| -> Vec<i32> { settings.iter().map(value).collect() };
        let at = self.cell.now_ns();
        let registers = [
            (WRITE_ACCELERATION, words(ServoSettings::acceleration)),
            (WRITE_GOAL_VELOCITY, words(ServoSettings::velocity)),
            (WRITE_TORQUE_LIMIT, words(ServoSettings::torque)),
        ];
        for (at, (register, values)) in (at..).step_by(600_000).zip(registers) {
            self.write(at, register.register(), &values)?;
        }
        for tick in 0..BRING_UP_TICKS {
            let request = match tick {
                6 => Some(Request::Reset),
                7 => Some(Request::Enable),
                9 => Some(Request::Start),
                _ => None,
            };
            self.tick_with(request)?;
        }
        match self.mode {
            Mode::Running => Ok(()),
            mode => Err(Failure::new(format!(
                "the arm did not come up: it is {mode}, {:?}",
                self.cause
            ))),
        }
    }

    /// One period.
    pub(crate) fn tick(&mut self) -> Result<(), Failure> {
        self.tick_with(None)
    }

    fn tick_with(&mut self, request: Option<Request>) -> Result<(), Failure> {
        let at = self.cell.now_ns();
        let joints = self.read(at)?;
        let now = self.now();
        let plan = self.offered.take();
        let mut signals = Signals::default();
        if let Some(request) = request {
            // One request fits.
            let _ = signals.requests.push(request);
        }
        let step = self.core.tick(&Inputs {
            now,
            missed: 0,
            joints,
            restarted: None,
            watchdog: None,
            safety: SafetyInputs::default(),
            hold: None,
            link: Link::Up { heard_at: now },
            plan: plan.as_ref(),
            signals,
        });
        if let Some((_, refusal)) = step.refused {
            self.refused = Some(refusal);
        }
        self.mode = step.mode;
        self.cause = step.cause;
        if let Some(command) = &step.command {
            let joints = self.station.arm.calibration.joints();
            let goals: Vec<i32> = joints
                .iter()
                .zip(&command.positions())
                .map(|(joint, angle)| joint.goal(*angle).map(|goal| i32::from(goal.counts())))
                .collect::<Result<_, _>>()?;
            self.write(at + READ_NS, WRITE_GOAL_POSITION.register(), &goals)?;
        }
        if step.torque == TorqueAct::Enable {
            let on = vec![1; self.ids.len()];
            self.write(at + 2 * READ_NS, TORQUE_ENABLE, &on)?;
        }
        if let Some(measured) = self.core.measured() {
            self.measured = measured.map(|joint| joint.position);
        }
        self.command = self.core.positions().unwrap_or(self.measured);
        let period = self.station.config.period.as_nanos() as u64;
        while self.cell.now_ns() < at + period {
            self.cell.step();
        }
        Ok(())
    }

    /// Asks all servos and gives what each answered.
    fn read(&mut self, at: u64) -> Result<JointVec<JointReading>, Failure> {
        let request = Ask::SyncRead {
            block: PRESENT,
            ids: &self.ids,
        };
        self.cell.host_bytes(at, &request.emit(Family::Feetech)?);
        self.replies.clear();
        self.cell.take_replies(at + READ_NS, &mut self.replies);
        let replies = &self.replies;
        self.scanner.clear();
        // A buffer is always available to copy into.
        let _ = self.scanner.fill::<()>(|room| {
            let len = replies.len().min(room.len());
            room[..len].copy_from_slice(&replies[..len]);
            Ok(len)
        });
        let joints = self.station.arm.calibration.joints();
        let mut readings: JointVec<JointReading> =
            JointVec::repeat(JointReading::Missing(ReadFault::Timeout), joints.len());
        let expected = Expected {
            ids: &self.ids,
            params: PRESENT.len,
            frames: Frames::Each,
            echo: &[],
            last_call: true,
        };
        loop {
            match self.scanner.next(&expected) {
                Scan::Wait => break,
                Scan::Reply(status) => {
                    let raw = raw_reading(status.params, status.errors);
                    let index = self.ids.iter().position(|id| *id == status.id);
                    if let (Some(raw), Some(index)) = (raw, index) {
                        readings.as_mut_slice()[index] = raw.in_joint_units(&joints[index]);
                    }
                }
                Scan::Echo | Scan::Corrupt { .. } | Scan::Stray(_) => {}
            }
        }
        Ok(readings)
    }

    /// Writes one value to each servo.
    fn write(&mut self, at: u64, register: Register, values: &[i32]) -> Result<(), Failure> {
        let mut entries = Vec::new();
        for (id, value) in self.ids.iter().zip(values) {
            let bytes = register
                .encode(*value)
                .ok_or_else(|| Failure::new(format!("servo {id} cannot be told {value}")))?;
            entries.push(*id);
            entries.extend_from_slice(&bytes[..usize::from(register.width)]);
        }
        let request = Ask::SyncWrite {
            address: register.address,
            len: register.width,
            entries: &entries,
        };
        self.cell.host_bytes(at, &request.emit(Family::Feetech)?);
        Ok(())
    }

    /// Virtual time now.
    pub(crate) fn now(&self) -> MonoTime {
        MonoTime(EPOCH_NS + self.cell.now_ns())
    }

    /// The id that the next plan will have.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// A plan for the next tick; its id is set here.
    pub(crate) fn offer(&mut self, mut plan: Plan) {
        plan.id = self.next_id;
        self.next_id += 1;
        self.offered = Some(plan);
    }

    /// Why the arm no longer follows plans, if so.
    pub(crate) fn trouble(&self) -> Option<String> {
        (self.mode != Mode::Running)
            .then(|| format!("{}: {:?} {:?}", self.mode, self.cause, self.refused))
    }

    /// The last plan refused, and forgets it.
    pub(crate) fn take_refusal(&mut self) -> Option<Refusal> {
        self.refused.take()
    }

    /// Joints as last read.
    pub(crate) fn measured(&self) -> JointVec<Rad> {
        self.measured
    }

    /// Joints as last commanded.
    pub(crate) fn command(&self) -> JointVec<Rad> {
        self.command
    }

    /// The tool at these joints, and the direction in which the jaws close.
    pub(crate) fn tool(&self, joints: &JointVec<Rad>) -> (Tool, f64) {
        let model = &self.station.arm.model;
        // The simulated arm's first joint is upright.
        let tool = tool_of(model, joints).unwrap_or_default();
        let across = model.forward(joints).tool.rotation * Vector3::x();
        let tool = Tool {
            position: tool.position,
            roll: tool.roll,
        };
        (tool, across.y.atan2(across.x))
    }

    /// A camera's picture as the controller gets it: through JPEG and back.
    pub(crate) fn picture(&mut self, camera: &str) -> Result<Rgb8, Failure> {
        let index = self
            .renderer
            .camera(camera)
            .ok_or_else(|| Failure::new(format!("the scene has no camera {camera}")))?;
        self.frames += 1;
        let image = self
            .renderer
            .render(&self.cell.snapshot(), index, self.frames);
        Ok(decode(&image.jpeg()?)?)
    }

    /// Where the cube is.
    pub(crate) fn cube(&self) -> Isometry3<f64> {
        let cubes = self.cell.snapshot().cubes;
        cubes.first().copied().unwrap_or_else(Isometry3::identity)
    }

    /// Puts the cube somewhere else.
    pub(crate) fn place(&mut self, pose: &Isometry3<f64>) {
        self.cell.place(0, pose);
    }

    /// Whether the cube lies in the bin, at rest and let go: the simulator's own verdict.
    pub(crate) fn success(&self) -> bool {
        self.cell.success()
    }
}

fn raw_reading(params: &[u8], errors: u8) -> Option<RawReading> {
    let get = |register| PRESENT.get(params, register);
    Some(RawReading::Fresh {
        position: Counts(get(PRESENT_POSITION)?),
        velocity: get(PRESENT_VELOCITY)?,
        load: get(PRESENT_LOAD)?,
        voltage: get(PRESENT_VOLTAGE)?,
        temperature: get(PRESENT_TEMPERATURE)?,
        errors,
    })
}
