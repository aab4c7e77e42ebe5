//! What can go wrong, and how often.
//!
//! Owns the list of faults and the dice. Never applies one: that is the part's that it happens to.

use crate::rng::Rng;

/// One fault. Joints are indices in the arm's order, spans nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// A servo does not answer.
    Silent {
        /// Which.
        joint: usize,
        /// How long.
        span: u64,
    },
    /// A servo's replies fail their checksum.
    Corrupt {
        /// Which.
        joint: usize,
        /// How long.
        span: u64,
    },
    /// Another id answers.
    WrongId {
        /// Which.
        joint: usize,
        /// How long.
        span: u64,
    },
    /// A servo's replies hold no number.
    NotANumber {
        /// Which.
        joint: usize,
        /// How long.
        span: u64,
    },
    /// Replies of all servos are lost at random.
    Drops {
        /// The share that is lost.
        share: f64,
        /// How long.
        span: u64,
    },
    /// All replies of one cycle come in the next.
    Late,
    /// A servo reports error bits.
    Errors {
        /// Which.
        joint: usize,
        /// Its bits.
        bits: u8,
        /// How long.
        span: u64,
    },
    /// A servo is hot.
    Heat {
        /// Which.
        joint: usize,
        /// Its temperature.
        celsius: f64,
        /// How long.
        span: u64,
    },
    /// The supply is off.
    Supply {
        /// Its voltage.
        volts: f64,
        /// How long.
        span: u64,
    },
    /// A servo's encoder is off for a while.
    EncoderJump {
        /// Which.
        joint: usize,
        /// By how much, radians.
        by: f64,
        /// How long.
        span: u64,
    },
    /// A joint can't be moved.
    Block {
        /// Which.
        joint: usize,
        /// How long.
        span: u64,
    },
    /// A servo restarts and has lost what it was told.
    Restart {
        /// Which.
        joint: usize,
        /// Until it is told again.
        span: u64,
    },
    /// Something hits a joint.
    Push {
        /// Which.
        joint: usize,
        /// How far, radians.
        by: f64,
    },
    /// The port is gone.
    PortLost {
        /// How long.
        span: u64,
    },
    /// The loop is held up once.
    HoldUp {
        /// How long.
        span: u64,
    },
    /// Something else takes the processor time and again.
    Hog {
        /// The longest of its turns, nanoseconds.
        most: u64,
        /// How long.
        span: u64,
    },
    /// The runner dies and comes back.
    RunnerDies {
        /// After how long.
        span: u64,
    },
    /// The runner freezes, and then goes on where it was.
    RunnerFreezes {
        /// How long.
        span: u64,
    },
    /// The runner's heartbeat goes on without a plan.
    RunnerIdles {
        /// How long.
        span: u64,
    },
    /// The runner leaves in an orderly way and comes back.
    RunnerLeaves {
        /// After how long.
        span: u64,
    },
    /// The runner saw something that must stop the arm.
    RunnerTrips,
    /// The guard dies, and another takes over.
    GuardDies {
        /// After how long.
        span: u64,
    },
    /// A signal tells the guard to end.
    Signal,
    /// An emergency stop is pressed.
    Pressed {
        /// How long.
        span: u64,
    },
    /// The wire of an input breaks.
    WireBroken {
        /// Until it is mended.
        span: u64,
    },
    /// An enabling switch is let go.
    LetGo {
        /// How long.
        span: u64,
    },
    /// Who holds the arm running is gone.
    HolderDies,
    /// Who holds the arm running freezes, and then goes on.
    HolderFreezes {
        /// How long.
        span: u64,
    },
}

/// Which faults there are, for the dice.
const KINDS: usize = 28;

impl Fault {
    /// A fault of an arm with `joints` joints.
    pub fn draw(rng: &mut Rng, joints: usize) -> Fault {
        let joint = rng.below(joints);
        // From less than a tick to longer than anybody's patience.
        let span = rng.millis(1.0, 700.0);
        let sign = rng.pick([-1.0, 1.0]);
        match rng.below(KINDS) {
            0 => Fault::Silent { joint, span },
            1 => Fault::Corrupt { joint, span },
            2 => Fault::WrongId { joint, span },
            3 => Fault::NotANumber { joint, span },
            4 => Fault::Drops {
                share: rng.between(0.01, 0.5),
                span: 2 * span,
            },
            5 => Fault::Errors {
                joint,
                bits: rng.pick([0x01, 0x02, 0x04, 0x08, 0x20, 0x21]),
                span,
            },
            6 => Fault::Heat {
                joint,
                celsius: rng.between(55.0, 90.0),
                span,
            },
            7 => Fault::Supply {
                volts: rng.pick([0.0, 4.9, 5.6, 8.5, 9.1, 12.0]),
                span,
            },
            8 => Fault::EncoderJump {
                joint,
                by: sign * rng.scale(0.02, 6.3),
                span,
            },
            9 => Fault::Block {
                joint,
                span: 5 * span,
            },
            10 => Fault::Push {
                joint,
                by: sign * rng.scale(0.005, 0.3),
            },
            11 => Fault::PortLost { span },
            12 => Fault::HoldUp { span: span / 4 },
            13 => Fault::Hog {
                most: rng.millis(0.1, 30.0),
                span: 2 * span,
            },
            14 => Fault::RunnerDies { span },
            15 => Fault::RunnerFreezes { span },
            16 => Fault::RunnerIdles { span: 2 * span },
            17 => Fault::RunnerLeaves { span },
            18 => Fault::RunnerTrips,
            19 => Fault::Restart { joint, span },
            20 => Fault::Late,
            21 => Fault::GuardDies { span },
            22 => Fault::Pressed { span },
            23 => Fault::WireBroken { span },
            24 => Fault::LetGo { span },
            25 => Fault::HolderDies,
            26 => Fault::HolderFreezes { span: 2 * span },
            _ => Fault::Signal,
        }
    }
}

/// When the next fault is due.
#[derive(Debug, Clone)]
pub struct Schedule {
    rng: Rng,
    joints: usize,
    /// Mean time between faults, nanoseconds.
    mean: f64,
    next: u64,
}

impl Schedule {
    /// From `now` on, for an arm with `joints` joints.
    #[must_use]
    pub fn new(mut rng: Rng, joints: usize, now: u64) -> Schedule {
        let mean = rng.scale(0.2e9, 15e9);
        let mut schedule = Schedule {
            rng,
            joints,
            mean,
            next: now,
        };
        schedule.wait(now);
        schedule
    }

    /// The fault that is due at `now`, if one is.
    pub fn due(&mut self, now: u64) -> Option<Fault> {
        (now >= self.next).then(|| {
            self.wait(now);
            Fault::draw(&mut self.rng, self.joints)
        })
    }

    fn wait(&mut self, now: u64) {
        let wait = -self.mean * (1.0 - self.rng.share()).ln();
        self.next = now + wait as u64;
    }
}
