//! Finds the first goal of a braking in a row of goals on the wire.
//!
//! The first goal of a jerk-limited braking falls a fifth of an encoder count short of going on as
//! before: alone it can't be told from rounding. Its successors can, and how a braking goes is
//! known from the limits; so every moment at which it may have begun is tried, and the one that
//! explains the goals best is the answer.

use nalgebra::{DMatrix, DVector};

use super::Goals;
use super::motion::COUNT;

/// How a joint brakes.
#[derive(Debug, Clone, Copy)]
pub struct Brakes {
    /// rad/s².
    pub acceleration: f64,
    /// rad/s³.
    pub jerk: f64,
    /// Between two goals, seconds.
    pub period: f64,
}

/// The brakes of tests/cells/quick.toml.
pub const QUICK: Brakes = Brakes {
    acceleration: 40.0,
    jerk: 20_000.0,
    period: 0.005,
};

/// Goals before the event that say how the joint was moving: 120 ms.
const BEFORE: usize = 40;
/// How many goals it takes to be sure of a braking, and by how many counts the last two of them
/// fall short then.
const SURE: usize = 6;
const SURELY: f64 = 3.0;
/// How far from where it was found the braking may have begun, goals either way.
const ABOUT: usize = 5;
/// Goals after the latest beginning, which tell when it was.
const AFTER: usize = 6;
/// A fit worse than this, counts, explains nothing: the move was disturbed.
const GOOD_FIT: f64 = 0.8;

/// Of `goals`, those of one joint in its direction of motion.
struct Track {
    /// When the tick of each began, in periods since that of the last goal before the event: there
    /// the plan is looked at, and a reading that takes longer changes nothing of it.
    ticks: Vec<f64>,
    counts: Vec<f64>,
    /// How many came before the event.
    before: usize,
}

impl Track {
    fn new(goals: &[Goals], from_ns: u64, period: f64) -> Track {
        let before = goals.iter().filter(|goal| goal.t_ns <= from_ns).count();
        assert!(before > BEFORE, "too few goals before the event: {before}");
        let goals = &goals[before - BEFORE..];
        let way = goals[BEFORE - 1].counts[0] - goals[0].counts[0];
        let last = goals[BEFORE - 1].tick_ns as f64;
        let ticks = goals
            .iter()
            .map(|goal| (goal.tick_ns as f64 - last) * 1e-9 / period);
        let ticks = ticks.collect();
        let sign = f64::from(way.signum());
        Track {
            ticks,
            counts: (goals.iter().map(|goal| sign * f64::from(goal.counts[0]))).collect(),
            before: BEFORE,
        }
    }

    /// The first goal after the event from which on the joint falls surely short of going on as in
    /// the goals before it, by the clock and from goal to goal; the braking begins near it.
    fn surely_short(&self) -> Option<usize> {
        (self.before..self.counts.len().saturating_sub(SURE)).find(|first| {
            let known = first - BEFORE..*first;
            let steps: Vec<f64> = known.clone().map(|i| i as f64).collect();
            let by_clock = Fit::of(&self.ticks[known.clone()], &self.counts[known.clone()], 2);
            let by_goal = Fit::of(&steps, &self.counts[known], 2);
            (first + SURE - 2..first + SURE).all(|i| {
                let expected = by_clock.at(self.ticks[i]).min(by_goal.at(i as f64));
                expected - self.counts[i] > SURELY
            })
        })
    }

    /// Root mean square in counts of what is left unexplained when goal `first` is the first of a
    /// braking, up to goal `end`.
    fn unexplained(&self, first: usize, end: usize, brakes: Brakes) -> f64 {
        let known = first.saturating_sub(BEFORE)..first;
        let at = self.ticks[first - 1];
        let ticks: Vec<f64> = (0..end)
            .map(|i| match (i + 1).checked_sub(first) {
                None | Some(0) => self.ticks[i],
                Some(step) => at + step as f64,
            })
            .collect();
        let mut moving = Fit::of(&self.ticks[known.clone()], &self.counts[known], 2);
        let mut squares = f64::INFINITY;
        // What the braking took is given back: then all goals lie on one curve, which in turn says
        // better how the joint moved when it began.
        for _ in 0..3 {
            let lost = brakes.lost(moving.slope(at), moving.bend(at), end - first);
            let counts: Vec<f64> = (0..end)
                .map(|i| self.counts[i] + i.checked_sub(first).map_or(0.0, |step| lost[step]))
                .collect();
            moving = Fit::of(&ticks, &counts, 4);
            let left = ticks.iter().zip(&counts);
            squares = left.map(|(x, y)| (moving.at(*x) - y).powi(2)).sum();
        }
        (squares / end as f64).sqrt()
    }
}

impl Brakes {
    /// Counts by which each of `goals` goals falls short of going on with the speed (counts a
    /// tick) and acceleration (counts a tick²) of the goal before them.
    fn lost(&self, speed: f64, acceleration: f64, goals: usize) -> Vec<f64> {
        const FINE: usize = 200;
        let dt = self.period / FINE as f64;
        let mut speed = speed * COUNT / self.period;
        let free_acceleration = acceleration * COUNT / self.period / self.period;
        let (mut free_speed, mut a) = (speed, free_acceleration);
        let (mut way, mut free_way) = (0.0, 0.0);
        let mut lost = Vec::new();
        for _ in 0..goals {
            for _ in 0..FINE {
                // At the end the deceleration is given up as gently as it was taken up.
                let ends = a < 0.0 && speed <= a * a / (2.0 * self.jerk);
                a = if ends {
                    (a + self.jerk * dt).min(0.0)
                } else {
                    (a - self.jerk * dt).max(-self.acceleration)
                };
                speed = (speed + a * dt).max(0.0);
                free_speed += free_acceleration * dt;
                way += speed * dt;
                free_way += free_speed * dt;
            }
            lost.push((free_way - way) / COUNT);
        }
        lost
    }
}

/// A polynomial through points, nearest in the sense of least squares.
struct Fit(DVector<f64>);

impl Fit {
    fn of(x: &[f64], y: &[f64], degree: usize) -> Fit {
        // Scaled, so that the powers stay comparable.
        let rows = DMatrix::from_fn(x.len(), degree + 1, |i, j| (x[i] / 16.0).powi(j as i32));
        let y = DVector::from_column_slice(y);
        let solved = rows.svd(true, true).solve(&y, 1e-12);
        Fit(solved.expect("as many points as powers"))
    }

    fn at(&self, x: f64) -> f64 {
        let x = x / 16.0;
        self.0
            .iter()
            .rev()
            .fold(0.0, |sum, factor| sum * x + factor)
    }

    fn slope(&self, x: f64) -> f64 {
        let terms = self.0.iter().enumerate().skip(1);
        terms
            .map(|(j, f)| j as f64 * f * (x / 16.0).powi(j as i32 - 1) / 16.0)
            .sum()
    }

    fn bend(&self, x: f64) -> f64 {
        let terms = self.0.iter().enumerate().skip(2);
        let bend = |(j, f): (usize, &f64)| {
            (j * (j - 1)) as f64 * f * (x / 16.0).powi(j as i32 - 2) / 256.0
        };
        terms.map(bend).sum()
    }
}

/// When the first goal of the pan joint's braking after `from_ns` was on the wire; `None` when the
/// joint went on. Where the move was disturbed, the first goal that is surely short.
pub fn first_braking_ns(goals: &[Goals], from_ns: u64, brakes: Brakes) -> Option<u64> {
    let track = Track::new(goals, from_ns, brakes.period);
    let surely = track.surely_short()?;
    let end = (surely + ABOUT + AFTER).min(track.counts.len());
    let candidates = surely.saturating_sub(ABOUT).max(track.before)..=surely + ABOUT;
    let candidates = candidates.filter(|first| *first < end);
    let tried = candidates.map(|first| (first, track.unexplained(first, end, brakes)));
    let (first, unexplained) = tried.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let first = if unexplained < GOOD_FIT {
        first
    } else {
        surely
    };
    let offset = goals.len() - track.counts.len();
    goals.get(offset + first).map(|goal| goal.t_ns)
}

/// `goals` of a controller that has ended: nobody writes any more, and the servos keep the last.
pub fn then_standing(mut goals: Vec<Goals>) -> Vec<Goals> {
    if let Some(last) = goals.last().cloned() {
        goals.extend((1..20).map(|tick| Goals {
            t_ns: last.t_ns + tick * 5_000_000,
            tick_ns: last.tick_ns + tick * 5_000_000,
            counts: last.counts.clone(),
        }));
    }
    goals
}
