//! One servo and its joint, in virtual time.
//!
//! Owns where the joint truly is, what the servo's encoder says of it, and the goal and torque it
//! was told. Knows nothing of the controller: goals go in, counts come out.

use crate::rng::Rng;

/// Radians in a count of the encoder.
pub const COUNT: f64 = std::f64::consts::TAU / 4096.0;
/// The longest step the position loop is integrated with, seconds.
const STEP: f64 = 0.0025;
/// How fast a hand moves a limp joint, rad/s.
const HAND: f64 = 0.6;

/// How a servo and its joint are made.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// Time constant of the position loop, seconds.
    pub lag: f64,
    /// The motor's top speed, rad/s.
    pub speed: f64,
    /// The motor's top acceleration, rad/s².
    pub acceleration: f64,
    /// How far the load pulls it off its goal, radians.
    pub sag: f64,
    /// The mechanical stops, radians.
    pub stops: (f64, f64),
}

/// A servo at work.
#[derive(Debug, Clone)]
pub struct Servo {
    build: Build,
    position: f64,
    velocity: f64,
    /// Encoder − position, radians: not zero after its encoder has jumped.
    offset: f64,
    goal: f64,
    torque: bool,
    /// Can't be moved.
    pub blocked: bool,
    /// Where a hand takes it while it is limp.
    pub hand: Option<f64>,
}

impl Servo {
    /// Standing at `position`, its goal there.
    #[must_use]
    pub fn new(build: Build, position: f64, torque: bool) -> Servo {
        Servo {
            build,
            position,
            velocity: 0.0,
            offset: 0.0,
            goal: position,
            torque,
            blocked: false,
            hand: None,
        }
    }

    /// A goal arrives, in the encoder's terms; a goal switches torque on.
    pub fn go(&mut self, goal: f64) {
        self.goal = goal;
        self.torque = true;
    }

    /// Torque off.
    pub fn release(&mut self) {
        self.torque = false;
    }

    /// The goal as the servo holds it, when it holds.
    #[must_use]
    pub fn goal(&self) -> Option<f64> {
        self.torque.then_some(self.goal)
    }

    /// The encoder says something else from now on.
    pub fn jump(&mut self, by: f64) {
        self.offset += by;
    }

    /// The encoder is set right again.
    pub fn mend(&mut self) {
        self.offset = 0.0;
    }

    /// A place that a hand may take it to, `share` of the way between its stops.
    #[must_use]
    pub fn between_stops(&self, share: f64) -> f64 {
        let (lower, upper) = self.build.stops;
        lower + share * (upper - lower)
    }

    /// Pushed by `by` radians at once.
    pub fn push(&mut self, by: f64) {
        self.place(self.position + by);
    }

    /// Where the encoder says it is, without noise.
    #[must_use]
    pub fn encoder(&self) -> f64 {
        self.position + self.offset
    }

    /// Position and velocity as its registers hold them, to the count; `noise` counts either way.
    pub fn read(&self, noise: f64, rng: &mut Rng) -> (f64, f64) {
        let dither = rng.between(-noise, noise);
        let position = (self.encoder() / COUNT + dither).round() * COUNT;
        let velocity = (self.velocity / COUNT).round() * COUNT;
        (position, velocity)
    }

    /// Time passes.
    pub fn advance(&mut self, secs: f64) {
        let mut left = secs;
        while left > 0.0 {
            let step = left.min(STEP);
            self.step(step);
            left -= STEP;
        }
    }

    fn step(&mut self, secs: f64) {
        if self.blocked {
            self.velocity = 0.0;
            return;
        }
        if !self.torque {
            let way = self.hand.map_or(0.0, |to| to - self.position);
            self.velocity = way.clamp(-HAND * secs, HAND * secs) / secs;
            self.place(self.position + self.velocity * secs);
            return;
        }
        let build = self.build;
        let way = self.goal - build.sag - self.encoder();
        // No faster than it can brake before the goal.
        let most = build
            .speed
            .min((2.0 * build.acceleration * way.abs()).sqrt());
        let wanted = (way / build.lag).clamp(-most, most);
        let change = build.acceleration * secs;
        self.velocity += (wanted - self.velocity).clamp(-change, change);
        self.place(self.position + self.velocity * secs);
    }

    fn place(&mut self, position: f64) {
        let (lower, upper) = self.build.stops;
        self.position = position.clamp(lower, upper);
        if self.position != position {
            self.velocity = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servo() -> Servo {
        let build = Build {
            lag: 0.03,
            speed: 4.0,
            acceleration: 60.0,
            sag: 0.01,
            stops: (-2.0, 2.0),
        };
        Servo::new(build, 0.5, false)
    }

    #[test]
    fn a_goal_is_reached_but_for_the_sag() {
        let mut servo = servo();
        servo.go(1.0);
        servo.advance(2.0);
        assert!((servo.encoder() - 0.99).abs() < 1e-3, "{}", servo.encoder());
        servo.blocked = true;
        servo.go(-1.0);
        servo.advance(2.0);
        assert!((servo.encoder() - 0.99).abs() < 1e-3, "blocked");
    }

    #[test]
    fn a_jumped_encoder_moves_the_joint() {
        let mut servo = servo();
        servo.go(1.0);
        servo.jump(0.3);
        servo.advance(2.0);
        assert!((servo.encoder() - 0.99).abs() < 1e-3);
        assert!((servo.position - 0.69).abs() < 1e-3, "{}", servo.position);
    }
}
