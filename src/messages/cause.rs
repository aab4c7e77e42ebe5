//! Why the arm stopped, and what to do about it.
//!
//! A cause is numbers; names are added where a person reads it.

use serde::{Deserialize, Serialize};

use super::Refusal;

/// Names for the indices in a [`Cause`].
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Joint names in the arm's order.
    pub joints: &'a [&'a str],
    /// Camera names in the cell's order.
    pub cameras: &'a [&'a str],
    /// Names of the safety inputs in the cell's order.
    pub inputs: &'a [&'a str],
    /// What runs the policy: a backend's name or a server's address.
    pub backend: &'a str,
}

impl Names<'_> {
    /// No names: indices show as `?`.
    pub const NONE: Names<'static> = Names {
        joints: &[],
        cameras: &[],
        inputs: &[],
        backend: "?",
    };

    pub(super) fn joint(&self, index: u8) -> &str {
        self.joints.get(usize::from(index)).unwrap_or(&"?")
    }
    pub(super) fn camera(&self, index: u8) -> &str {
        self.cameras.get(usize::from(index)).unwrap_or(&"?")
    }
    pub(super) fn input(&self, index: u8) -> &str {
        self.inputs.get(usize::from(index)).unwrap_or(&"?")
    }
}

/// Why the arm is stopped or stopping. Joints, cameras and inputs are indices into the cell's
/// order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Cause {
    /// The guard has just started; boot is latched.
    Boot,
    /// A guard was lost and this one took over.
    GuardReplaced,
    /// The arm's port was unplugged and is there again; this guard took over.
    Replugged,
    /// The runner's connection closed.
    RunnerDied,
    /// The runner's lease ran out.
    RunnerSilent {
        /// Milliseconds since it was last heard.
        silent_ms: u32,
    },
    /// The last plan ran out and no new one came.
    PlanRanOut,
    /// Somebody asked for a stop.
    OperatorStop,
    /// Somebody asked for the controller to end.
    Shutdown,
    /// Somebody had the arm parked.
    Parked,
    /// No way to the park pose was found.
    NoWayToPark,
    /// The guard was told to end by a signal.
    Signal,
    /// The policy put out NaN or an infinity.
    PolicyNotFinite,
    /// The policy could not be run.
    PolicyFailed,
    /// A plan was refused and the one before it can't be kept.
    PlanRefused(Refusal),
    /// A camera repeats one frame.
    CameraFrozen {
        /// Which camera.
        camera: u8,
    },
    /// A camera delivers nothing, or nothing usable.
    CameraLost {
        /// Which camera.
        camera: u8,
    },
    /// A camera's picture is black or of another size than declared.
    CameraUnusable {
        /// Which camera.
        camera: u8,
    },
    /// A servo did not answer several times in a row.
    ServoSilent {
        /// Which joint.
        joint: u8,
        /// Reads missed in a row.
        misses: u8,
    },
    /// A servo reports an error.
    ServoFault {
        /// Which joint.
        joint: u8,
        /// Its error bits.
        bits: u8,
    },
    /// Replies come from the wrong servo.
    WrongReply {
        /// Which joint was asked.
        joint: u8,
    },
    /// The serial port failed.
    PortLost,
    /// The servos did not confirm that they hold.
    TorqueNotTaken,
    /// A servo lost its limits and its torque: its supply broke down.
    ServoRestarted {
        /// Which joint.
        joint: u8,
    },
    /// A joint does not follow its goal.
    FollowingError {
        /// Which joint.
        joint: u8,
        /// Goal − measured, radians.
        error: f64,
    },
    /// A measured position moved farther in a tick than the joint can.
    EncoderJump {
        /// Which joint.
        joint: u8,
        /// The step, radians.
        step: f64,
    },
    /// A servo is too hot.
    Overheat {
        /// Which joint.
        joint: u8,
        /// Its temperature.
        celsius: f64,
    },
    /// A servo has worked too hard for too long.
    Overload {
        /// Which joint.
        joint: u8,
        /// Share of its stall torque, −1…1.
        load: f64,
    },
    /// A servo's bus watchdog has tripped: it heard nothing for too long and stopped by itself.
    WatchdogTripped {
        /// Which joint.
        joint: u8,
    },
    /// Too many reads fail, of whichever servo.
    BusFailing {
        /// Share of the reads lately, 0…1.
        share: f64,
    },
    /// A servo's supply is out of range.
    Voltage {
        /// Which joint.
        joint: u8,
        /// Its voltage.
        volts: f64,
    },
    /// The loop itself was held up.
    MissedTicks {
        /// Ticks missed in a row.
        count: u32,
    },
    /// The plan leads the arm against a wall, a box or itself.
    NoClearance,
    /// Inverse kinematics found no way to the setpoint.
    Unreachable {
        /// Remaining position error, metres.
        error: f64,
    },
    /// The arm fell too far behind the path that it follows.
    FellBehind {
        /// By how much, milliseconds.
        lag_ms: u32,
    },
    /// An emergency stop is pressed.
    EmergencyStop {
        /// Which input.
        input: u8,
    },
    /// A safety input can't be relied on: its wire is broken or its channels disagree.
    InputBroken {
        /// Which input.
        input: u8,
    },
    /// An enabling switch was let go.
    NotEnabled {
        /// Which input.
        input: u8,
    },
    /// The operator who held the arm running is gone or silent.
    HoldLost {
        /// Milliseconds since they were last heard; 0 when their connection closed.
        silent_ms: u32,
    },
    /// The server that runs the policy gave no more plans, and the last one ran out.
    PolicyServer {
        /// What is wrong with it.
        fault: ServerFault,
    },
    /// Another arm of the same cell stopped, or its guard is lost.
    OtherArm,
}

/// What is wrong with a server that runs a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerFault {
    /// There is no connection to be had.
    Unreachable,
    /// It closed the connection, or the network did.
    Closed,
    /// It is connected and gives no answer.
    Silent,
    /// It refuses, or has failed and says so.
    Refused,
    /// Its answer is not what the cell declares.
    Answer,
    /// Its actions are not finite.
    NotFinite,
}

impl ServerFault {
    fn text(self) -> &'static str {
        match self {
            ServerFault::Unreachable => "can't be reached",
            ServerFault::Closed => "is lost: the connection closed",
            ServerFault::Silent => "gave no answer in time",
            ServerFault::Refused => "refuses or has failed",
            ServerFault::Answer => "gave an answer that the cell does not declare",
            ServerFault::NotFinite => "put out NaN or an infinity",
        }
    }
}

impl Cause {
    /// Whether somebody wanted it so: nothing is wrong with the arm.
    #[must_use]
    pub fn in_order(self) -> bool {
        matches!(
            self,
            Cause::Boot | Cause::OperatorStop | Cause::Shutdown | Cause::Signal | Cause::Parked
        )
    }

    /// One line: what happened, with numbers and names.
    #[must_use]
    pub fn text(&self, names: &Names<'_>) -> String {
        match *self {
            Cause::Boot => "the guard has just started".into(),
            Cause::GuardReplaced => "the guard was lost and has been replaced".into(),
            Cause::Replugged => "the serial port failed and is there again".into(),
            Cause::RunnerDied => "the runner died (its connection closed)".into(),
            Cause::RunnerSilent { silent_ms } => {
                format!("the runner was silent for {silent_ms} ms")
            }
            Cause::PlanRanOut => "the plan ran out and no new one came".into(),
            Cause::OperatorStop => "an operator asked for a stop".into(),
            Cause::Shutdown => "the controller was told to end".into(),
            Cause::Parked => "an operator had the arm parked".into(),
            Cause::NoWayToPark => "no free way to the park pose was found".into(),
            Cause::Signal => "the controller was told to end by a signal".into(),
            Cause::PolicyNotFinite => "the policy put out NaN or an infinity".into(),
            Cause::PolicyFailed => "the policy could not be run".into(),
            Cause::PlanRefused(refusal) => format!("a plan was refused: {}", refusal.text(names)),
            Cause::CameraFrozen { camera } => {
                format!("camera {} repeats one frame", names.camera(camera))
            }
            Cause::CameraLost { camera } => {
                format!("camera {} delivers no frames", names.camera(camera))
            }
            Cause::CameraUnusable { camera } => format!(
                "camera {} delivers black pictures or another size than declared",
                names.camera(camera)
            ),
            Cause::ServoSilent { joint, misses } => format!(
                "servo {} did not answer {misses} times in a row",
                names.joint(joint)
            ),
            Cause::ServoFault { joint, bits } => format!(
                "servo {} reports {} (error bits 0x{bits:02x})",
                names.joint(joint),
                error_bits(bits)
            ),
            Cause::WrongReply { joint } => format!(
                "replies for servo {} come twice or from another id",
                names.joint(joint)
            ),
            Cause::PortLost => "the serial port failed".into(),
            Cause::ServoRestarted { joint } => format!(
                "servo {} has restarted and lost its limits",
                names.joint(joint)
            ),
            Cause::WatchdogTripped { joint } => format!(
                "the bus watchdog of servo {} has tripped",
                names.joint(joint)
            ),
            Cause::NoClearance => {
                "the plan leads out of the workspace, or the arm against itself".into()
            }
            Cause::TorqueNotTaken => "the servos did not confirm that torque is on".into(),
            Cause::FollowingError { joint, error } => format!(
                "joint {} is {error:.3} rad from its goal",
                names.joint(joint)
            ),
            Cause::EncoderJump { joint, step } => format!(
                "the encoder of joint {} jumped by {step:.3} rad",
                names.joint(joint)
            ),
            Cause::Overheat { joint, celsius } => {
                format!("servo {} is at {celsius:.0} °C", names.joint(joint))
            }
            Cause::Overload { joint, load } => format!(
                "servo {} has given {:.0} % of its torque for too long",
                names.joint(joint),
                load.abs() * 100.0
            ),
            Cause::BusFailing { share } => {
                format!("{:.0} % of the servos' replies are lost", share * 100.0)
            }
            Cause::Voltage { joint, volts } => {
                format!("servo {} is supplied with {volts:.1} V", names.joint(joint))
            }
            Cause::MissedTicks { count } => {
                format!("the control loop missed {count} ticks in a row")
            }
            Cause::Unreachable { error } => format!(
                "the tool can't reach its setpoint ({:.1} mm remain)",
                error * 1e3
            ),
            Cause::FellBehind { lag_ms } => {
                format!("the arm fell {lag_ms} ms behind its plan")
            }
            Cause::EmergencyStop { input } => {
                format!("emergency stop {} is pressed", names.input(input))
            }
            Cause::InputBroken { input } => format!(
                "input {} has a broken wire, or its channels disagree",
                names.input(input)
            ),
            Cause::NotEnabled { input } => {
                format!("enabling switch {} was let go", names.input(input))
            }
            Cause::HoldLost { silent_ms: 0 } => {
                "the operator who held the arm running is gone".into()
            }
            Cause::PolicyServer { fault } => {
                format!("the policy server {} {}", names.backend, fault.text())
            }
            Cause::OtherArm => "another arm of the cell has stopped".into(),
            Cause::HoldLost { silent_ms } => {
                format!("the operator who held the arm running was silent for {silent_ms} ms")
            }
        }
    }

    /// One line: what to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Cause::Boot => "look at the cell, then `surehand reset` and `surehand enable`",
            Cause::GuardReplaced | Cause::RunnerDied | Cause::RunnerSilent { .. } => {
                "read the log for the reason, make sure the cell is clear, then `surehand reset` and start again"
            }
            Cause::PlanRanOut | Cause::PolicyFailed => {
                "see in the log why inference fell behind, then `surehand reset` and start again"
            }
            Cause::OtherArm => {
                "`surehand status` says why the other arm stopped; see to that, then `surehand reset`"
            }
            Cause::PolicyServer { .. } => {
                "see in the log what it said, look at the server and the network, then `surehand reset` and start again"
            }
            Cause::Parked => {
                "it is limp where it was put; when the cell is clear, `surehand reset` and `surehand enable`"
            }
            Cause::NoWayToPark => {
                "move the arm by hand or by a job to where the way is free, or correct [parking] and [workspace], then `surehand reset`"
            }
            Cause::OperatorStop | Cause::Shutdown | Cause::Signal => {
                "when the cell is clear, `surehand reset` and start again"
            }
            Cause::PolicyNotFinite => {
                "do not run this policy; check its statistics and export with `surehand check`"
            }
            Cause::PlanRefused(_) | Cause::Unreachable { .. } => {
                "check that policy, calibration and limits belong together (`surehand check`), then `surehand reset`"
            }
            Cause::FellBehind { .. } => {
                "plan a slower or wider way, farther from where the arm is stretched or folded, or raise `max_path_lag_ms`, then `surehand reset`"
            }
            Cause::CameraFrozen { .. }
            | Cause::CameraLost { .. }
            | Cause::CameraUnusable { .. } => {
                "check the camera's cable, cover and stream, then `surehand reset`"
            }
            Cause::ServoSilent { .. } | Cause::WrongReply { .. } => {
                "check that servo's cable and id, then `surehand reset`"
            }
            Cause::ServoFault { bits, .. } if bits & HARDWARE != 0 => {
                "the servo is limp until it restarts: support the arm, see to the cause, switch the arm's power off and on, then `surehand reset`"
            }
            Cause::ServoFault { .. } => {
                "the arm may sag: support it, release and enable again to clear the servo, then `surehand reset`"
            }
            Cause::ServoRestarted { .. } => {
                "the joint may have sagged; check the supply and that servo's cable, then `surehand reset`"
            }
            Cause::WatchdogTripped { .. } => {
                "the servo heard nothing for too long and stopped by itself: check its cable and what held up the bus, then `surehand reset`"
            }
            Cause::NoClearance => {
                "see where the policy wants to go; move its object or correct [workspace], then `surehand reset`"
            }
            Cause::TorqueNotTaken => {
                "check the arm's power and cables, then `surehand reset` and `surehand enable`"
            }
            Cause::PortLost => {
                "check the USB cable and the arm's power: the port is taken up again as soon as it is there"
            }
            Cause::Replugged => {
                "see that the cable sits well and what the arm holds, then `surehand reset` and start again"
            }
            Cause::FollowingError { .. } => {
                "see what blocks the joint, clear it, then `surehand reset`"
            }
            Cause::EncoderJump { .. } => {
                "check the calibration and the servo's horn before `surehand reset`"
            }
            Cause::Overheat { .. } => {
                "let the servo cool and lighten its work, then `surehand reset`"
            }
            Cause::Overload { .. } => {
                "see what the joint pushes against or lighten what it carries, then `surehand reset`"
            }
            Cause::BusFailing { .. } => {
                "check the bus cables, their plugs and what runs beside them, then `surehand reset`"
            }
            Cause::Voltage { .. } => "check the power supply, then `surehand reset`",
            Cause::EmergencyStop { .. } => {
                "see to what it was pressed for, release it, then `surehand reset`"
            }
            Cause::InputBroken { .. } => {
                "check that input's wires, plug and contacts, press and release it once, then `surehand reset`"
            }
            Cause::NotEnabled { .. } => {
                "hold the enabling switch, then `surehand reset` and start again"
            }
            Cause::HoldLost { .. } => {
                "when the cell is clear, `surehand reset` and `surehand start --hold` again"
            }
            Cause::MissedTicks { .. } => {
                "something held up the machine: grant real-time priority, lighten its load, then `surehand reset`"
            }
        }
    }
}

/// The bit that tells a Dynamixel's hardware error from the error bits of a Feetech status frame.
const HARDWARE: u8 = 0x80;

/// The error bits of a servo in words: a Feetech's status, or with [`HARDWARE`] a Dynamixel's
/// hardware error.
pub(crate) fn error_bits(bits: u8) -> String {
    const FEETECH: [(u8, &str); 5] = [
        (0x01, "voltage"),
        (0x02, "angle"),
        (0x04, "overheat"),
        (0x08, "over-current"),
        (0x20, "overload"),
    ];
    const DYNAMIXEL: [(u8, &str); 5] = [
        (0x01, "voltage"),
        (0x04, "overheat"),
        (0x08, "encoder"),
        (0x10, "electrical shock or too little power"),
        (0x20, "overload"),
    ];
    let known = if bits & HARDWARE == 0 {
        FEETECH
    } else {
        DYNAMIXEL
    };
    let words: Vec<&str> = known
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, word)| *word)
        .collect();
    if words.is_empty() {
        "an unknown error".into()
    } else {
        words.join(", ")
    }
}
