//! Holds the goals of one joint to its limits, tick by tick, from nothing but the goals.
//!
//! Owns the goals of the ticks before. Which rule gives way to which is the limiter's own order:
//! a goal may break its rates, and even its position limits, only at the edge of the lead window
//! and only towards where its joint already is.

use crate::law::Law;

/// Rounding of goals, radians.
const EXACT: f64 = 3e-9;
/// Rounding of rates, as a factor.
const ROUNDED: f64 = 1.0 + 1e-5;
/// A goal this little moved stands, radians.
const STANDS: f64 = 1e-12;

/// What a tick did to a joint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Move {
    /// The goal that was given.
    pub(crate) goal: f64,
    /// Where the joint was last believed to be.
    pub(crate) measured: f64,
    /// Where the encoder went elsewhere and is believed the goal begins anew.
    pub(crate) encoder: Encoder,
    /// A plan is being followed.
    pub(crate) driven: bool,
}

/// What an encoder has done since the tick before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoder {
    /// It went with the joint.
    #[default]
    Steady,
    /// It went elsewhere, and is believed there since this tick or an earlier one: nothing could be
    /// seen of that before.
    MayHaveJumped,
    /// It is believed where it went.
    Jumped,
}

/// A rule that was broken, with numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
}

/// From the lowest to the highest value that something may have had.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    low: f64,
    high: f64,
}

impl Span {
    const ZERO: Span = Span {
        low: 0.0,
        high: 0.0,
    };

    fn only(value: f64) -> Span {
        Span {
            low: value,
            high: value,
        }
    }

    /// The position limits.
    fn of(law: &Law) -> Span {
        Span {
            low: law.lower,
            high: law.upper,
        }
    }

    fn with(self, value: f64) -> Span {
        Span {
            low: self.low.min(value),
            high: self.high.max(value),
        }
    }

    /// From zero to `value`.
    fn up_to(value: f64) -> Span {
        Span {
            low: value.min(0.0),
            high: value.max(0.0),
        }
    }

    fn widened(self, by: f64) -> Span {
        Span {
            low: self.low - by,
            high: self.high + by,
        }
    }

    fn largest(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    fn holds(&self, value: f64, slack: f64) -> bool {
        value >= self.low - slack && value <= self.high + slack
    }
}

/// One joint's goals so far.
#[derive(Debug, Clone)]
pub(crate) struct Motion {
    law: Law,
    period: f64,
    /// `None` while limp and before the first goal.
    goal: Option<f64>,
    /// The goal's mean speed in the tick before, or where a goal was cut at the edge of its window
    /// what speed it may have kept at the end of it.
    speed: Span,
    /// Its acceleration, where two ticks in a row were free of such cuts.
    acceleration: Option<f64>,
    /// The last goal stood at the edge of its window, or began anew.
    pulled: bool,
    /// Where goals may be: the position limits, and outside them no farther than it has been.
    range: Span,
    /// Ticks since a plan was last followed.
    coasting: u32,
    /// The most speed that may be left since then.
    most_left: f64,
    /// The goal that the servo held before the first one, where the joint may be that far from it.
    held: Option<Held>,
}

/// A goal of before, radians, and how far from it a joint still follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Held {
    pub(crate) goal: f64,
    pub(crate) most: f64,
}

impl Motion {
    pub(crate) fn new(law: Law, period: f64) -> Motion {
        Motion {
            law,
            period,
            goal: None,
            speed: Span::ZERO,
            acceleration: None,
            pulled: true,
            range: Span::of(&law),
            coasting: u32::MAX,
            most_left: 0.0,
            held: None,
        }
    }

    /// Its servo holds a goal already.
    pub(crate) fn holding(&mut self, held: Option<Held>) {
        self.held = held;
    }

    /// The goal of the tick before.
    pub(crate) fn goal(&self) -> Option<f64> {
        self.goal
    }

    /// Whether the joint itself had a say in the last goal.
    pub(crate) fn pulled(&self) -> bool {
        self.pulled
    }

    /// How far a goal may be from the joint, radians.
    pub(crate) fn lead(&self) -> f64 {
        self.law.lead()
    }

    /// No goal in this tick: the joint is limp, or nothing is known of it.
    pub(crate) fn limp(&mut self) {
        self.begin(None);
    }

    /// Takes in a tick.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub(crate) fn step(&mut self, step: &Move) -> Result<(), Broken> {
        let Move { goal, measured, .. } = *step;
        if !goal.is_finite() {
            return broken("goals are finite", format!("the goal is {goal}"));
        }
        let lead = self.law.lead();
        let ahead = (goal - measured).abs();
        if ahead > lead + EXACT {
            return broken(
                "a goal is never farther from its joint than its stopping distance",
                format!("{ahead} rad ahead, {lead} allowed"),
            );
        }
        let anew = self.goal.is_none() && step.driven;
        let before = match self.goal {
            Some(before) if step.encoder != Encoder::Jumped => before,
            _ => {
                let held = self.held.take().filter(|_| match step.encoder {
                    Encoder::Steady => true,
                    Encoder::MayHaveJumped => (goal - measured).abs() > EXACT,
                    Encoder::Jumped => false,
                });
                let held = held.filter(|held| (held.goal - measured).abs() <= held.most);
                let first = held.map_or(measured, |held| {
                    held.goal.clamp(measured - lead, measured + lead)
                });
                self.begin(Some(first));
                if !anew {
                    if (goal - first).abs() > EXACT {
                        return broken(
                            "the first goal is the one that is held, or where the joint is",
                            format!("{goal} rad and not {first}, at {measured}"),
                        );
                    }
                    return Ok(());
                }
                // A way that is gone in the very tick that brings torque, or the arm to a new
                // guard: its first step is from there.
                first
            }
        };
        let at_edge = ahead >= lead - EXACT;
        let moved = goal - before;
        let speed = moved / self.period;
        self.position(goal, measured)?;
        if at_edge {
            self.cut(speed, before, measured)?;
        } else {
            self.rates(speed)?;
        }
        self.coast(step.driven, at_edge, moved, speed)?;
        self.goal = Some(goal);
        self.pulled = at_edge || anew;
        if at_edge {
            self.acceleration = None;
            let change = self.law.acceleration * self.period;
            self.speed = Span::up_to(speed).widened(change / 2.0);
        } else {
            let known = self.speed.low == self.speed.high;
            self.acceleration = known.then(|| (speed - self.speed.low) / self.period);
            self.speed = Span::only(speed);
        }
        Ok(())
    }

    fn begin(&mut self, goal: Option<f64>) {
        self.goal = goal;
        self.pulled = true;
        self.range = Span::of(&self.law).with(goal.unwrap_or(self.law.lower));
        self.speed = Span::ZERO;
        self.acceleration = None;
        self.coasting = u32::MAX;
        self.most_left = 0.0;
    }

    fn slack(&self) -> f64 {
        EXACT / self.period
    }

    /// Speed, acceleration and jerk of a goal that nothing cut short.
    fn rates(&self, speed: f64) -> Result<(), Broken> {
        let law = self.law;
        let slack = self.slack();
        if speed.abs() > law.velocity * ROUNDED + slack {
            return broken(
                "the goal's speed stays inside its limit",
                format!("{speed} rad/s, {} allowed", law.velocity),
            );
        }
        let change = law.acceleration * ROUNDED * self.period;
        if !self.speed.holds(speed, change + 2.0 * slack) {
            return broken(
                "the goal's acceleration stays inside its limit",
                format!(
                    "from {} … {} to {speed} rad/s in a tick, {change} allowed",
                    self.speed.low, self.speed.high
                ),
            );
        }
        if let Some(before) = self.acceleration {
            let acceleration = (speed - self.speed.low) / self.period;
            let change = law.jerk * ROUNDED * self.period;
            if (acceleration - before).abs() > change + 8.0 * slack / self.period {
                return broken(
                    "the goal's jerk stays inside its limit",
                    format!("from {before} to {acceleration} rad/s² in a tick, {change} allowed"),
                );
            }
        }
        Ok(())
    }

    /// A goal at the edge of its window may be cut short or pulled towards its joint.
    fn cut(&self, speed: f64, before: f64, measured: f64) -> Result<(), Broken> {
        let pulled = speed * (measured - before) >= 0.0;
        let change = self.law.acceleration * self.period;
        let most = (self.speed.largest() + change).min(self.law.velocity);
        if pulled || speed.abs() <= most + 2.0 * self.slack() {
            return Ok(());
        }
        broken(
            "at the edge of its window a goal only slows down or goes to its joint",
            format!("{speed} rad/s away from it, {most} allowed"),
        )
    }

    /// Inside the position limits, or on the way back: no farther out than where it began, or
    /// than its joint made it be.
    fn position(&mut self, goal: f64, measured: f64) -> Result<(), Broken> {
        let law = self.law;
        let low = self.range.low.min(measured + law.lead());
        let high = self.range.high.max(measured - law.lead());
        if goal < low - EXACT || goal > high + EXACT {
            return broken(
                "a goal never leaves its position limits",
                format!("to {goal} rad, {low} … {high} allowed, the joint is at {measured}"),
            );
        }
        let inside = goal >= law.lower - EXACT && goal <= law.upper + EXACT;
        // Once it is inside it stays there.
        if inside || goal < self.range.low || goal > self.range.high {
            self.range = Span::of(&law).with(goal);
        }
        Ok(())
    }

    /// Without a plan a goal slows down, and stands within its stopping time.
    fn coast(&mut self, driven: bool, at_edge: bool, moved: f64, speed: f64) -> Result<(), Broken> {
        if driven {
            self.coasting = 0;
            // At the end of a tick it may be faster than in its mean.
            let more = self.law.acceleration * self.period / 2.0;
            self.most_left = speed.abs() + more + self.law.speed_to_come();
            return Ok(());
        }
        self.coasting = self.coasting.saturating_add(1);
        if at_edge {
            return Ok(());
        }
        if speed.abs() > self.most_left + 2.0 * self.slack() {
            return broken(
                "nothing moves faster once it is told to stand",
                format!(
                    "{speed} rad/s after {} with what was to come",
                    self.most_left
                ),
            );
        }
        // A goal that was being sped up takes that back first.
        let turning = self.law.acceleration / self.law.jerk;
        let patience = (turning + self.law.stopping_secs()) / self.period + 2.0;
        if f64::from(self.coasting) > patience && moved.abs() > STANDS {
            return broken(
                "without a plan the goal stands within its stopping time",
                format!(
                    "{moved} rad in the {}th tick, {patience} allowed",
                    self.coasting
                ),
            );
        }
        Ok(())
    }
}

pub(crate) fn broken(rule: &'static str, detail: String) -> Result<(), Broken> {
    Err(Broken { rule, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: f64 = 0.005;

    fn motion() -> Motion {
        let law = Law {
            lower: -1.0,
            upper: 1.0,
            velocity: 2.0,
            acceleration: 10.0,
            jerk: f64::INFINITY,
        };
        let mut motion = Motion::new(law, T);
        motion.step(&at(0.0, 0.0)).unwrap();
        motion
    }

    fn at(goal: f64, measured: f64) -> Move {
        Move {
            goal,
            measured,
            encoder: Encoder::Steady,
            driven: true,
        }
    }

    fn rule(result: Result<(), Broken>) -> &'static str {
        result.unwrap_err().rule
    }

    #[test]
    fn a_step_that_accelerates_too_much_is_seen() {
        let mut motion = motion();
        motion.step(&at(0.05 * T, 0.0)).unwrap();
        let found = rule(motion.step(&at(0.16 * T, 0.0)));
        assert!(found.contains("acceleration"), "{found}");
    }

    #[test]
    fn a_goal_ahead_of_its_joint_is_seen() {
        let mut motion = motion();
        let found = rule(motion.step(&at(0.0001, -0.21)));
        assert!(found.contains("stopping distance"), "{found}");
    }

    #[test]
    fn a_goal_may_be_pulled_to_its_joint_and_not_away() {
        let mut motion = motion();
        motion.step(&at(-0.1, -0.3)).unwrap();
        assert!(motion.step(&at(-0.05, -0.2)).is_err());
    }

    #[test]
    fn a_goal_that_never_stands_is_seen() {
        let mut motion = motion();
        motion.step(&at(0.04 * T, 0.0)).unwrap();
        let creep = |motion: &mut Motion| {
            let goal = motion.goal().unwrap() + 0.01 * T;
            motion.step(&Move {
                driven: false,
                ..at(goal, 0.0)
            })
        };
        let found = (0..100).find_map(|_| creep(&mut motion).err()).unwrap();
        assert!(found.rule.contains("stands"), "{}", found.rule);
    }

    #[test]
    fn a_goal_beyond_its_position_limit_is_seen() {
        let mut motion = motion();
        motion.begin(Some(0.9999));
        motion.speed = Span::only(1.0);
        let found = rule(motion.step(&at(0.9999 + T, 0.95)));
        assert!(found.contains("position"), "{found}");
    }
}
