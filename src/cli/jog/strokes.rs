//! The strokes of a hand: begun as a held run, led on by plans, and ended by a pause.
//!
//! Owns when each begins and ends. Everything it asks for may be refused: the guard's limits hold.

use serde_json::json;

use super::axes::Axis;
use super::grip::Hold;
use super::hand::Hand;
use super::stroke::Stroke;
use crate::messages::{HOLD_EVERY, Mode, Refusal, Request, Telemetry, ToGuard};
use crate::realtime::nanos;
use crate::units::{JointVec, MonoTime, Rad};

/// Between two plans of a stroke, nanoseconds.
const PLAN_EVERY: u64 = 200_000_000;
/// The guard begins a run within two ticks, and the arm is at rest in less than the second time
/// once it was told to pause, nanoseconds.
const BEGINS: u64 = 1_000_000_000;
const STANDS: u64 = 3_000_000_000;
/// A step's last bit is left so long to be gone, nanoseconds.
const LAST_BIT: u64 = 60_000_000;
/// An arm that is so far behind is held up: seconds at its speed, and radians or metres.
const BEHIND: (f64, f64) = (0.25, 0.006);

/// Where a stroke is.
pub(super) enum Phase {
    /// None; the arm stands, or the guard does with it what it must.
    Still,
    /// The guard was asked for a held run.
    Starting { since: MonoTime },
    /// It moves.
    Moving {
        stroke: Box<Stroke>,
        key: char,
        first_plan: u64,
        planned_at: MonoTime,
    },
    /// The guard was told to pause.
    Ending { since: MonoTime },
}

impl Hand<'_> {
    /// One turn of the stroke.
    pub(super) fn move_on(&mut self, tick: &Telemetry, now: MonoTime) {
        let held = self.grip.holds(now);
        match &mut self.phase {
            Phase::Still => self.begin(held, tick, now),
            Phase::Starting { since } => {
                let since = *since;
                if tick.mode == Mode::Running && tick.at > since {
                    self.set_off(held, tick, now);
                } else if now.since(since) > BEGINS {
                    self.grip.spend();
                    self.tell("the guard did not begin");
                    self.pause(now);
                }
            }
            Phase::Moving { .. } => self.keep_on(held, tick, now),
            Phase::Ending { since } => {
                let over = tick.mode != Mode::Running && (self.stands || tick.mode.latched());
                if over || now.since(*since) > STANDS {
                    self.phase = Phase::Still;
                }
            }
        }
    }

    fn begin(&mut self, held: Hold, tick: &Telemetry, now: MonoTime) {
        let (Hold::Step(key) | Hold::On(key)) = held else {
            return;
        };
        if tick.mode != Mode::Holding {
            self.grip.spend();
            let line = match tick.mode {
                Mode::Stopped | Mode::Idle => "it does not move: press Enter first",
                Mode::Running => "it does not move: another operator has started it",
                Mode::Stopping | Mode::Parking | Mode::Holding => "it does not move yet",
            };
            return self.tell(line);
        }
        if !self.stands {
            return;
        }
        let Some((axis, direction)) = self.axis(key) else {
            return self.grip.spend();
        };
        if self.axes.room(axis, direction, &tick.command) <= 0.0 {
            self.grip.spend();
            return self.tell(&self.at_limit(axis));
        }
        self.operator.send(&ToGuard::Hold { sent_at: now });
        self.held_at = now;
        self.ask(Request::StartHeld);
        self.phase = Phase::Starting { since: now };
    }

    fn set_off(&mut self, held: Hold, tick: &Telemetry, now: MonoTime) {
        let (Hold::Step(key) | Hold::On(key)) = held else {
            return self.pause(now);
        };
        let stroke = self.axis(key).and_then(|(axis, direction)| {
            Stroke::press(
                &self.axes,
                axis,
                direction,
                self.share(),
                &tick.command,
                now,
            )
        });
        let Some(stroke) = stroke else {
            self.grip.spend();
            return self.pause(now);
        };
        let axis = self.axes.name(stroke.axis).to_owned();
        let line = format!("{axis} moves");
        self.screen.tell("moving", &line, json!({"axis": axis}));
        self.phase = Phase::Moving {
            stroke: Box::new(stroke),
            key,
            first_plan: self.plans + 1,
            planned_at: MonoTime::default(),
        };
        self.keep_on(held, tick, now);
    }

    fn keep_on(&mut self, held: Hold, tick: &Telemetry, now: MonoTime) {
        let Phase::Moving {
            stroke,
            key,
            first_plan,
            planned_at,
        } = &mut self.phase
        else {
            return;
        };
        let planned = *planned_at != MonoTime::default();
        let mut news = false;
        let mut end = None;
        match held {
            Hold::Open => end = Some("let go"),
            Hold::Step(held) | Hold::On(held) if held != *key => end = Some("let go"),
            Hold::Step(_) => {
                if stroke.is_over(MonoTime(now.0.saturating_sub(LAST_BIT))) {
                    self.grip.open();
                    end = Some(if stroke.is_at_limit(now) {
                        "limit"
                    } else {
                        "step"
                    });
                }
            }
            Hold::On(_) => {
                news = stroke.go_on();
                if stroke.is_over(MonoTime(now.0.saturating_sub(LAST_BIT))) {
                    self.grip.spend();
                    end = Some("limit");
                }
            }
        }
        let refused = tick.refused.filter(|(id, _)| id >= first_plan && planned);
        let (late, apart) = BEHIND;
        let behind = stroke.behind(&self.axes, &tick.command, now) > late * stroke.speed() + apart
            || tick.plan_lag > late;
        let mut why = None;
        if tick.mode != Mode::Running {
            // The guard has stopped it, and has told why.
            self.grip.spend();
            end = Some("stopped");
        } else if let Some((_, refusal)) = refused {
            self.grip.spend();
            end = Some("refused");
            why = Some(refusal);
        } else if planned && behind {
            self.grip.spend();
            end = Some("held up");
        }
        if let Some(end) = end {
            let (axis, from) = (stroke.axis, stroke.from);
            self.tell_end(end, axis, &from, why, tick);
            if tick.mode == Mode::Running {
                return self.pause(now);
            }
            self.phase = Phase::Ending { since: now };
            return;
        }
        if news || !planned || now.since(*planned_at) >= PLAN_EVERY {
            *planned_at = now;
            self.plans += 1;
            let plan = stroke.plan(&self.axes, self.plans, now);
            self.link.send_plan(plan, &mut self.bytes);
        }
    }

    fn tell_end(
        &mut self,
        end: &str,
        axis: Axis,
        from: &JointVec<Rad>,
        why: Option<Refusal>,
        tick: &Telemetry,
    ) {
        let name = self.axes.name(axis).to_owned();
        let line = match (end, why) {
            (_, Some(refusal)) => {
                let why = self.named(|names| refusal.text(names));
                format!("{name} can't be led on there: {why}; go another way, or in smaller steps")
            }
            ("limit", None) => self.at_limit(axis),
            ("held up", None) => format!(
                "{name} was held up: something is near, or the arm is at the edge of its reach"
            ),
            (_, None) => format!("{name} stands"),
        };
        let gone = self.axes.gone(axis, from, &tick.command);
        let more = json!({"axis": name, "why": end, "gone": gone});
        // What has stopped the arm is of more interest.
        if end != "stopped" || !self.screen.draws() {
            self.screen.tell("stands", &line, more);
        }
    }

    fn at_limit(&self, axis: Axis) -> String {
        format!("{} is at its limit", self.axes.name(axis))
    }

    fn pause(&mut self, now: MonoTime) {
        self.ask(Request::Pause);
        self.phase = Phase::Ending { since: now };
    }

    /// Says that the arm is held, as long as it is to move or comes to stand.
    pub(super) fn hold(&mut self, tick: &Telemetry, now: MonoTime) {
        let held = match self.phase {
            Phase::Still => false,
            Phase::Starting { .. } | Phase::Moving { .. } => true,
            // A pause that is not there yet would be one that was lost.
            Phase::Ending { .. } => tick.mode == Mode::Running,
        };
        if held && now.since(self.held_at) >= nanos(HOLD_EVERY) {
            self.held_at = now;
            self.operator.send(&ToGuard::Hold { sent_at: now });
        }
    }
}
