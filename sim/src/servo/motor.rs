//! The servo's own position loop: from what its registers order to the torque it asks of its joint.
//!
//! Goal → internal profile (acceleration and speed) → P and D gains → saturation at torque limit,
//! supply and speed. Never sees a register (that is the device's business) and never integrates the
//! joint: the physics does.

use std::f64::consts::TAU;

use crate::{Drive, Motion};

/// Encoder counts a radian.
pub const COUNTS_PER_RAD: f64 = 4096.0 / TAU;
/// N m at standstill with full drive at [`NOMINAL_VOLTS`].
pub const STALL_TORQUE: f64 = 1.9;
/// V at which the figures here hold.
pub const NOMINAL_VOLTS: f64 = 7.4;
/// rad/s without load, full drive.
const NO_LOAD_SPEED: f64 = 5.0;
/// N m of gear friction.
const GEAR_FRICTION: f64 = 0.05;
/// N m/rad of the position loop at the P gain the servo is made with.
pub(super) const STIFFNESS: f64 = 35.6;
/// N m s/rad of the motor's own back-EMF: speed costs torque along the line from stall to no-load.
const BACK_EMF: f64 = STALL_TORQUE / NO_LOAD_SPEED;
/// N m s/rad of the D gain the servo is made with: with back-EMF, 1.2.
pub(super) const DAMPING: f64 = 1.2 - BACK_EMF;
/// A at stall.
const STALL_AMPS: f64 = 2.7;
/// A of electronics.
const IDLE_AMPS: f64 = 0.02;
/// Seconds over which the velocity register averages.
const VELOCITY_FILTER_SECS: f64 = 0.01;
/// Counts from the goal within which a standing servo says it has arrived.
const ARRIVED_COUNTS: f64 = 8.0;
/// rad/s at which a hand turns a joint.
const HAND_SPEED: f64 = 1.5;
/// How far ahead of itself a motor that has run away wants to be, rad.
const RUNAWAY_AHEAD: f64 = 0.5;
/// What holds a jammed joint: far stiffer than any servo.
const JAM: Drive = Drive {
    target: 0.0,
    target_velocity: 0.0,
    stiffness: 1000.0,
    damping: 20.0,
    max_torque: 50.0,
    friction: GEAR_FRICTION,
};

/// What the torque register asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Limp.
    Off,
    /// Holding its goal.
    On,
    /// The motor's leads are shorted.
    Damping,
}

/// What the registers order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orders {
    /// Whether it drives.
    pub power: Power,
    /// Where to, actual counts.
    pub goal: f64,
    /// How fast, counts/s; `None` as fast as it goes.
    pub speed: Option<f64>,
    /// How suddenly, counts/s²; `None` at once.
    pub acceleration: Option<f64>,
    /// P gain, N m/rad.
    pub stiffness: f64,
    /// D gain, N m s/rad.
    pub damping: f64,
    /// Errors that are none, forward and backward, counts.
    pub dead_zone: (f64, f64),
    /// Share of stall torque it may use, 0…1.
    pub limit: f64,
}

/// The moving part of one servo.
#[derive(Debug, Clone)]
pub struct Motor {
    /// Encoder counts at joint angle zero.
    encoder_at_zero: f64,
    power: Power,
    /// Where the profile has got to, actual counts and counts/s.
    profile: f64,
    profile_velocity: f64,
    motion: Motion,
    /// Torque the loop asked for in the last step, N m.
    asked: f64,
    velocity: f64,
    jam: Option<f64>,
    /// Drives on, the way it went.
    runs: Option<f64>,
    /// Where a hand has the joint, and where it takes it, rad.
    hand: Option<(f64, f64)>,
}

impl Motor {
    /// A servo mounted so that its encoder reads `encoder_at_zero` at joint angle zero.
    #[must_use]
    pub fn new(encoder_at_zero: i32) -> Motor {
        Motor {
            encoder_at_zero: f64::from(encoder_at_zero),
            power: Power::Off,
            profile: f64::from(encoder_at_zero),
            profile_velocity: 0.0,
            motion: Motion::default(),
            asked: 0.0,
            velocity: 0.0,
            jam: None,
            runs: None,
            hand: None,
        }
    }

    /// A hand takes the joint to an angle (rad) and holds it there, or lets go. Torque is the
    /// stronger one.
    pub fn lead(&mut self, to: Option<f64>) {
        let at = self.hand.map_or(self.motion.position, |(at, _)| at);
        self.hand = to.map(|to| (at, to));
    }

    /// The horn is put on so that the encoder reads this at joint angle zero.
    pub fn mount(&mut self, encoder_at_zero: i32) {
        self.encoder_at_zero = f64::from(encoder_at_zero);
    }

    /// Encoder reading before the homing offset, counts.
    #[must_use]
    pub fn actual(&self) -> f64 {
        self.encoder_at_zero + self.motion.position * COUNTS_PER_RAD
    }

    /// What the joint does, as the physics last said.
    #[must_use]
    pub fn motion(&self) -> Motion {
        self.motion
    }

    /// Joint angle at an encoder reading before the homing offset, rad.
    #[must_use]
    pub fn angle_of(&self, actual: f64) -> f64 {
        (actual - self.encoder_at_zero) / COUNTS_PER_RAD
    }

    /// Speed as the servo measures it, counts/s.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.velocity * COUNTS_PER_RAD
    }

    /// Where the profile has got to, actual counts, and its speed, counts/s.
    #[must_use]
    pub fn profile(&self) -> (f64, f64) {
        (self.profile, self.profile_velocity)
    }

    /// Whether it is on its way to `goal`, actual counts.
    #[must_use]
    pub fn travels(&self, goal: f64) -> bool {
        let travelling = self.profile_velocity != 0.0
            || ((goal - self.actual()).abs() > ARRIVED_COUNTS && self.speed().abs() > 10.0);
        self.power == Power::On && travelling
    }

    /// Ends the profile where the joint is.
    pub fn stop(&mut self) {
        self.profile = self.actual();
        self.profile_velocity = 0.0;
    }

    /// Blocks the joint where it is, or frees it.
    pub fn jam(&mut self, jammed: bool) {
        self.jam = match (jammed, self.jam) {
            (true, None) => Some(self.motion.position),
            (true, held) => held,
            (false, _) => None,
        };
    }

    /// Lets the motor drive on the way it goes now, or obey again.
    pub fn run_away(&mut self, runs: bool) {
        self.runs = match (runs, self.runs) {
            (true, None) => Some(1.0f64.copysign(self.motion.velocity)),
            (true, way) => way,
            (false, _) => None,
        };
    }

    /// Torque the loop makes, N m: what the load register shows.
    #[must_use]
    pub fn torque(&self) -> f64 {
        // A jammed joint is held by the obstacle, so the physics does not know the motor's share.
        if self.jam.is_some() || self.hand.is_some() {
            self.asked
        } else {
            self.motion.torque
        }
    }

    /// Motor current, A.
    #[must_use]
    pub fn amps(&self) -> f64 {
        IDLE_AMPS + self.torque().abs() * STALL_AMPS / STALL_TORQUE
    }

    /// What the servo asks for during the next `dt` seconds, at a supply of `volts`.
    pub fn drive(&mut self, orders: &Orders, volts: f64, dt: f64) -> Drive {
        let power = orders.power;
        let free = Drive {
            target: self.motion.position,
            friction: GEAR_FRICTION,
            ..Drive::default()
        };
        let drive = match power {
            Power::Off => free,
            // The motor's leads are shorted: back-EMF brakes.
            Power::Damping => Drive {
                damping: BACK_EMF,
                max_torque: STALL_TORQUE,
                ..free
            },
            Power::On => {
                if self.power != Power::On {
                    self.profile = self.actual();
                    self.profile_velocity = 0.0;
                }
                self.follow(orders, volts, dt);
                let drive = self.position_loop(orders, volts);
                match self.runs {
                    Some(way) => Drive {
                        target: self.motion.position + way * RUNAWAY_AHEAD,
                        ..drive
                    },
                    None => drive,
                }
            }
        };
        self.power = power;
        self.asked = asked(&drive, self.motion);
        match (self.jam, self.led(dt)) {
            (Some(at), _) | (None, Some(at)) => Drive { target: at, ..JAM },
            (None, None) => drive,
        }
    }

    /// Where a hand has the joint after `dt` seconds; a joint that its motor drives is let go.
    fn led(&mut self, dt: f64) -> Option<f64> {
        if self.power == Power::On {
            self.hand = None;
        }
        let (at, to) = self.hand?;
        let most = HAND_SPEED * dt;
        let at = at + (to - at).clamp(-most, most);
        self.hand = Some((at, to));
        Some(at)
    }

    /// Moves the profile towards the goal, within speed and acceleration.
    fn follow(&mut self, orders: &Orders, volts: f64, dt: f64) {
        let top = NO_LOAD_SPEED * COUNTS_PER_RAD * volts / NOMINAL_VOLTS;
        let speed = orders.speed.map_or(top, |limit| limit.min(top));
        let left = orders.goal - self.profile;
        // Never faster than what reaches the goal within this step, nor than what can still stop.
        let mut wanted = speed.min(left.abs() / dt);
        if let Some(acceleration) = orders.acceleration {
            wanted = wanted.min((2.0 * acceleration * left.abs()).sqrt());
            let change = left.signum() * wanted - self.profile_velocity;
            let most = acceleration * dt;
            self.profile_velocity += change.clamp(-most, most);
        } else {
            self.profile_velocity = left.signum() * wanted;
        }
        self.profile += self.profile_velocity * dt;
    }

    fn position_loop(&self, orders: &Orders, volts: f64) -> Drive {
        let (stiffness, active) = (orders.stiffness, orders.damping);
        let damping = active + BACK_EMF;

        let error = self.profile - self.actual();
        let (forward, backward) = orders.dead_zone;
        let dead_zone = if error > 0.0 { forward } else { backward };
        let error = error.signum() * (error.abs() - dead_zone).max(0.0) / COUNTS_PER_RAD;
        let profile_velocity = self.profile_velocity / COUNTS_PER_RAD;

        let strength = STALL_TORQUE * orders.limit * volts / NOMINAL_VOLTS;
        let velocity = self.motion.velocity;
        let pushing = stiffness * error + active * (profile_velocity - velocity);
        // Along the torque-speed line a motor that drives its joint has less to give the faster
        // it turns; one that brakes has its full torque.
        let max_torque = if pushing * velocity > 0.0 {
            (strength - BACK_EMF * velocity.abs()).max(0.0)
        } else {
            strength
        };
        Drive {
            target: self.motion.position + error,
            // Only the D gain damps towards the profile's speed; back-EMF damps towards standstill.
            target_velocity: profile_velocity * active / damping,
            stiffness,
            damping,
            max_torque,
            friction: GEAR_FRICTION,
        }
    }

    /// Takes in what the physics made of the last drive.
    pub fn sense(&mut self, motion: Motion, dt: f64) {
        self.motion = motion;
        self.velocity += (motion.velocity - self.velocity) * (dt / VELOCITY_FILTER_SECS).min(1.0);
    }
}

/// The torque of a drive at a motion, as the physics will solve it, N m.
fn asked(drive: &Drive, motion: Motion) -> f64 {
    let torque = drive.stiffness * (drive.target - motion.position)
        + drive.damping * (drive.target_velocity - motion.velocity);
    torque.clamp(-drive.max_torque, drive.max_torque)
}

#[cfg(test)]
mod tests {
    use super::super::device::{orders, report};
    use super::super::memory::Memory;
    use super::super::registers as reg;
    use super::*;

    const DT: f64 = 0.0025;
    /// Reflected inertia of the gearbox, kg m².
    const INERTIA: f64 = 0.028;

    struct Bench {
        memory: Memory,
        motor: Motor,
        motion: Motion,
        /// N m
        weight: f64,
    }

    impl Bench {
        fn new() -> Bench {
            let (mut memory, motor) = (Memory::factory(), Motor::new(2047));
            memory.set(reg::GOAL_POSITION, 2047);
            memory.set(reg::TORQUE_ENABLE, 1);
            Bench {
                memory,
                motor,
                motion: Motion::default(),
                weight: 0.0,
            }
        }

        /// One joint with nothing but inertia and a weight, solved implicitly.
        fn run(&mut self, secs: f64, mut each: impl FnMut(Motion)) {
            for _ in 0..(secs / DT).round() as usize {
                let limit = f64::from(self.memory.get(reg::TORQUE_LIMIT)) / 1000.0;
                let drive = self
                    .motor
                    .drive(&orders(&self.memory, limit), NOMINAL_VOLTS, DT);
                let Motion {
                    position, velocity, ..
                } = self.motion;
                let gain = drive.damping + drive.stiffness * DT;
                let pull = drive.stiffness * (drive.target - position)
                    + drive.damping * drive.target_velocity;
                let free = (INERTIA * velocity + DT * (pull - self.weight)) / (INERTIA + DT * gain);
                let torque = (pull - gain * free).clamp(-drive.max_torque, drive.max_torque);
                let next = velocity + DT * (torque - self.weight) / INERTIA;
                self.motion = Motion {
                    position: position + next * DT,
                    velocity: next,
                    torque,
                };
                self.motor.sense(self.motion, DT);
                report(&self.motor, &mut self.memory, 0.0, 0);
                each(self.motion);
            }
        }

        fn goal(&mut self, counts: u16) {
            self.memory.set(reg::GOAL_POSITION, counts);
        }
    }

    #[test]
    fn a_goal_is_reached_and_held() {
        let mut bench = Bench::new();
        bench.goal(2547);
        bench.run(1.5, |_| ());
        assert!((bench.motor.actual() - 2547.0).abs() < 3.0);
        assert_eq!(bench.memory.get(reg::MOVING), 0);
    }

    #[test]
    fn a_weight_makes_the_servo_sag_by_torque_over_stiffness() {
        let mut bench = Bench::new();
        bench.weight = 0.5;
        bench.run(2.0, |_| ());
        let sag = -bench.motion.position;
        assert!((sag - 0.5 / 35.6).abs() < 0.004, "{sag}");
        let load = bench.memory.get_signed(reg::PRESENT_LOAD);
        assert!((load - 263).abs() < 5, "{load}");
    }

    #[test]
    fn the_speed_register_limits_speed() {
        let mut bench = Bench::new();
        bench.memory.set(reg::GOAL_VELOCITY, 300);
        bench.memory.set(reg::ACCELERATION, 50);
        bench.goal(3000);
        bench.run(2.0, |motion| {
            assert!(motion.velocity * COUNTS_PER_RAD < 350.0)
        });
        let cruise = bench.motion.velocity * COUNTS_PER_RAD;
        assert!((cruise - 300.0).abs() < 3.0, "{cruise}");
    }

    #[test]
    fn the_acceleration_register_limits_acceleration() {
        let mut bench = Bench::new();
        bench.memory.set(reg::ACCELERATION, 10);
        bench.goal(3500);
        bench.run(0.5, |_| ());
        // 1000 counts/s² for half a second
        let speed = bench.motion.velocity * COUNTS_PER_RAD;
        assert!((430.0..=520.0).contains(&speed), "{speed}");
        bench.run(2.5, |_| ());
        assert!((bench.motor.actual() - 3500.0).abs() < 3.0);
    }

    #[test]
    fn speed_zero_is_maximum_speed() {
        let mut bench = Bench::new();
        bench.goal(4095);
        let mut fastest: f64 = 0.0;
        bench.run(1.0, |motion| fastest = fastest.max(motion.velocity));
        assert!((3.5..=5.1).contains(&fastest), "{fastest}");
    }

    #[test]
    fn torque_saturates_at_the_limit_register() {
        let mut bench = Bench::new();
        bench.memory.set(reg::TORQUE_LIMIT, 200);
        bench.weight = 1.0;
        let mut most: f64 = 0.0;
        bench.run(0.3, |motion| most = most.max(motion.torque.abs()));
        assert!((most - 0.38).abs() < 1e-6, "{most}");
    }

    #[test]
    fn without_torque_only_friction_is_left() {
        let mut motor = Motor::new(2047);
        let drive = motor.drive(&orders(&Memory::factory(), 1.0), NOMINAL_VOLTS, DT);
        assert_eq!((drive.stiffness, drive.damping), (0.0, 0.0));
        assert!(drive.friction > 0.0);
    }

    #[test]
    fn switching_torque_on_starts_from_where_the_joint_is() {
        let mut bench = Bench::new();
        bench.memory.set(reg::TORQUE_ENABLE, 0);
        bench.motion.position = 0.5;
        bench.motor.sense(bench.motion, DT);
        bench.goal(2047 + 326);
        bench.memory.set(reg::TORQUE_ENABLE, 1);
        bench.run(0.2, |motion| assert!((motion.position - 0.5).abs() < 0.01));
    }

    #[test]
    fn a_motor_that_runs_away_obeys_no_goal_but_its_torque_switch() {
        let mut bench = Bench::new();
        bench.motor.run_away(true);
        bench.run(0.3, |_| {});
        let away = bench.motion.position;
        assert!(away > 0.3 && bench.motor.torque() > 0.0, "{away}");
        bench.memory.set(reg::TORQUE_ENABLE, 0);
        bench.run(0.1, |_| {});
        assert!(
            bench.motor.torque().abs() < 1e-9,
            "{}",
            bench.motor.torque()
        );
    }

    #[test]
    fn a_jammed_joint_shows_the_load_of_its_own_loop() {
        let mut bench = Bench::new();
        bench.motor.jam(true);
        bench.goal(2547);
        bench.run(1.0, |motion| assert!(motion.position.abs() < 0.01));
        assert!(bench.memory.get_signed(reg::PRESENT_LOAD) > 900);
    }
}
