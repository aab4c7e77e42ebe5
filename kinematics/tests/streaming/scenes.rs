//! What the follower is tried with, and what is measured on the way.

use std::time::{Duration, Instant};

use nalgebra::{Matrix6, Rotation3, Vector3, Vector6};
use surehand_kinematics::streaming::{Course, Follower, Path, Step, Waypoint};
use surehand_kinematics::{Chain, Frame, Model};

/// What a run has shown.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Farthest from the path or the target, metres.
    pub error: f64,
    /// Largest share of a velocity limit and of an acceleration limit that was used.
    pub velocity: f64,
    pub acceleration: f64,
    /// How far beyond a position limit, radians.
    pub beyond: f64,
    /// Slowest share of the path's speed once under way.
    pub slowest: f64,
    /// Seconds the run took.
    pub seconds: f64,
    /// Each tick's time.
    pub times: Vec<Duration>,
}

/// An arm and what is watched of it.
pub struct Run<const N: usize> {
    pub model: Model<N>,
    pub acceleration: f64,
    pub period: f64,
    pub follower: Follower<N>,
    pub figures: Figures,
    q: [f64; N],
    v: [f64; N],
}

impl<const N: usize> Run<N> {
    pub fn new(model: Model<N>, acceleration: f64, period: f64, start: [f64; N]) -> Run<N> {
        let follower = Follower::new(&model, [acceleration; N], period, start).unwrap();
        Run {
            model,
            acceleration,
            period,
            follower,
            figures: Figures {
                error: 0.0,
                velocity: 0.0,
                acceleration: 0.0,
                beyond: 0.0,
                slowest: 1.0,
                seconds: 0.0,
                times: Vec::new(),
            },
            q: start,
            v: [0.0; N],
        }
    }

    /// One tick, watched.
    pub fn tick(&mut self, act: impl FnOnce(&mut Follower<N>) -> Step<N>) -> Step<N> {
        let before = Instant::now();
        let step = act(&mut self.follower);
        self.figures.times.push(before.elapsed());
        self.figures.seconds += self.period;
        let limits = &self.model.limits;
        assert!(step.positions.iter().all(|q| q.is_finite()));
        for joint in 0..N {
            let v = (step.positions[joint] - self.q[joint]) / self.period;
            let change = (v - self.v[joint]).abs() / self.period;
            let figures = &mut self.figures;
            figures.velocity = figures.velocity.max(v.abs() / limits.velocity[joint]);
            figures.acceleration = figures.acceleration.max(change / self.acceleration);
            let beyond = (step.positions[joint] - limits.upper[joint])
                .max(limits.lower[joint] - step.positions[joint]);
            figures.beyond = figures.beyond.max(beyond);
            self.v[joint] = v;
        }
        self.q = step.positions;
        step
    }

    pub fn tool(&self) -> Frame {
        self.model.chain.pose(&self.q)
    }

    /// After the poses of `path` in their own time, for `seconds`; errors count from `from` on.
    pub fn track(&mut self, path: &impl Path, from: f64, seconds: f64) {
        while self.figures.seconds < seconds {
            let target = path.at(self.figures.seconds + self.period).pose;
            self.tick(|follower| follower.track(&target));
            let off = self.tool().way_to(&target).fixed_rows::<3>(0).norm();
            if self.figures.seconds > from {
                self.figures.error = self.figures.error.max(off);
            }
        }
    }

    /// Along the whole of `path`; `false` when it does not get to its end in `longest` seconds.
    pub fn follow(&mut self, path: &impl Path, longest: f64) -> bool {
        while self.figures.seconds < longest {
            let step = self.tick(|follower| follower.follow(path, 1.0));
            let place = path.at(self.follower.along());
            let off = self.tool().way_to(&place.pose).fixed_rows::<3>(0).norm();
            self.figures.error = self.figures.error.max(off);
            let middle = (self.follower.along() / path.end() - 0.5).abs();
            if middle < 0.25 {
                self.figures.slowest = self.figures.slowest.min(step.share);
            }
            if step.course == Course::Done {
                return true;
            }
        }
        false
    }
}

/// A circle, its plane turned with the arm's where the arm has only one.
#[derive(Debug, Clone)]
pub struct Circle {
    pub start: Frame,
    pub radius: f64,
    pub period: f64,
    pub rounds: f64,
    /// A vertical axis that the orientation turns about, so as to keep its yaw to it.
    pub about: Option<Vector3<f64>>,
}

impl Path for Circle {
    fn at(&self, along: f64) -> Waypoint {
        let rate = std::f64::consts::TAU / self.period;
        let (sine, cosine) = (rate * along).sin_cos();
        let r = self.radius;
        let offset = Vector3::new(r * (cosine - 1.0), r * sine, 0.0);
        let velocity = Vector3::new(-r * sine, r * cosine, 0.0) * rate;
        let mut pose = self.start;
        pose.translation += offset;
        let mut turning = Vector3::zeros();
        if let Some(about) = self.about {
            let from = self.start.translation - about;
            let to = pose.translation - about;
            let angle = to.y.atan2(to.x) - from.y.atan2(from.x);
            pose.rotation = Rotation3::new(Vector3::z() * angle).into_inner() * pose.rotation;
            let square = to.x * to.x + to.y * to.y;
            turning.z = (to.x * velocity.y - to.y * velocity.x) / square;
        }
        Waypoint {
            pose,
            tangent: Vector6::new(
                velocity.x, velocity.y, velocity.z, turning.x, turning.y, turning.z,
            ),
        }
    }

    fn end(&self) -> f64 {
        self.period * self.rounds
    }
}

/// A straight line at constant orientation.
#[derive(Debug, Clone)]
pub struct Line {
    pub start: Frame,
    pub velocity: Vector3<f64>,
    pub seconds: f64,
}

impl Path for Line {
    fn at(&self, along: f64) -> Waypoint {
        let mut pose = self.start;
        pose.translation += self.velocity * along;
        let v = self.velocity;
        Waypoint {
            pose,
            tangent: Vector6::new(v.x, v.y, v.z, 0.0, 0.0, 0.0),
        }
    }

    fn end(&self) -> f64 {
        self.seconds
    }
}

/// A line that passes the wrist's singularity at |q5| = `closest` where it would take `speed` of
/// the wrist; the joints at its start.
pub fn fly_by(chain: &Chain<6>, closest: f64, speed: f64, half: f64) -> (Line, [f64; 6]) {
    let nearest = [0.3, -1.2, 1.6, -1.9708, closest, 0.4];
    let at = chain.linearise(&nearest);
    let inverse: Matrix6<f64> = at.jacobian.try_inverse().unwrap();
    // Its fifth joint's axis is level there, so that the turn of the arm about the upright axis has to
    // be undone by the fourth and the sixth.
    let fourth = inverse.row(3).columns(0, 3).transpose();
    let fourth = Vector3::new(fourth[0], fourth[1], fourth[2]);
    let direction = fourth.normalize();
    let velocity = direction * (speed / fourth.norm());
    let seconds = half / velocity.norm();
    let mut start = at.tool;
    start.translation -= velocity * seconds;
    // Back along the line from the nearest place.
    let mut q = nearest;
    for step in 1..=4000 {
        let mut target = at.tool;
        target.translation -= velocity * (seconds * f64::from(step) / 4000.0);
        for _ in 0..3 {
            let here = chain.linearise(&q);
            let change = here.jacobian.try_inverse().unwrap() * here.tool.way_to(&target);
            for (q, change) in q.iter_mut().zip(change.iter()) {
                *q += change;
            }
        }
    }
    let line = Line {
        start,
        velocity,
        seconds: 2.0 * seconds,
    };
    (line, q)
}

/// Reaches out of the workspace and back, `times` times, in several directions, each in `seconds`; the farthest
/// the tool is from its target a second after each return.
pub fn reach_out<const N: usize>(run: &mut Run<N>, distance: f64, seconds: f64, times: u32) -> f64 {
    let start = run.tool();
    let mut worst = 0.0f64;
    let period = run.period;
    let ticks = |seconds: f64| (seconds / period).round() as u32;
    let (out, wait) = (ticks(seconds), ticks(1.0));
    for time in 0..times {
        let turn = f64::from(time) * 2.4;
        let outward = start.translation.normalize();
        let aside = Vector3::new(turn.cos(), turn.sin(), 0.5 * (1.7 * turn).sin());
        let direction = (outward + 0.5 * aside).normalize();
        for tick in 1..=out + wait {
            let share = (f64::from(tick) / f64::from(out)).min(1.0);
            let mut target = start;
            let way = 0.5 - 0.5 * (std::f64::consts::TAU * share).cos();
            target.translation += direction * distance * way;
            run.tick(|follower| follower.track(&target));
            let off = run.tool().way_to(&target);
            run.figures.error = run.figures.error.max(off.fixed_rows::<3>(0).norm());
            if tick == out + wait {
                worst = worst.max(off.fixed_rows::<3>(0).norm());
            }
        }
    }
    worst
}

/// A generator of its own, so that a run is the same wherever it is made.
pub struct Dice(pub u64);

impl Dice {
    /// −1 to 1.
    pub fn roll(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = (self.0 >> 11) as f64 / (1u64 << 53) as f64;
        2.0 * share - 1.0
    }
}

/// From anywhere out of the workspace in any direction, while the target turns if it `turns`, back in
/// three seconds, and two more; where the target is then, as it was before.
pub fn excursion<const N: usize>(run: &mut Run<N>, dice: &mut Dice, turns: bool) -> Frame {
    let (lower, upper) = (run.model.limits.lower, run.model.limits.upper);
    let start = std::array::from_fn(|joint| {
        let (lower, upper) = (lower[joint].max(-2.0), upper[joint].min(2.0));
        0.5 * (lower + upper) + 0.4 * dice.roll() * (upper - lower)
    });
    *run = Run::new(run.model.clone(), run.acceleration, run.period, start);
    let begin = run.tool();
    let direction = Vector3::from_fn(|_, _| dice.roll()).normalize();
    let turn = Vector3::from_fn(|_, _| dice.roll()) * if turns { 1.0 } else { 0.0 };
    let out = (3.0 / run.period).round();
    for tick in 0..(5.0 / run.period).round() as u32 {
        let share = (f64::from(tick) / out).min(1.0);
        let way = 0.5 - 0.5 * (std::f64::consts::TAU * share).cos();
        let mut target = begin;
        target.translation += direction * (1.2 * way);
        target.rotation = Rotation3::new(turn * way).into_inner() * target.rotation;
        run.tick(|follower| follower.track(&target));
    }
    begin
}
