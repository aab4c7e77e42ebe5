//! Operators: mostly they bring the arm back to work, sometimes they press anything.
//!
//! Owns what is asked for and when. Never looks beyond mode and torque.

use surehand::control::Signals;
use surehand::messages::{Mode, Request};

use crate::rng::Rng;

const ALL: [Request; 8] = [
    Request::Reset,
    Request::Enable,
    Request::Start,
    Request::Pause,
    Request::Stop,
    Request::Release,
    Request::Park,
    Request::Shutdown,
];

/// Whoever is at the panel.
#[derive(Debug)]
pub struct Operator {
    rng: Rng,
    /// Mean time until the next request while the arm works, and while it waits, nanoseconds.
    busy: f64,
    waiting: f64,
    next: u64,
    mode: Mode,
}

impl Operator {
    /// One who begins at `now`.
    #[must_use]
    pub fn new(mut rng: Rng, now: u64) -> Operator {
        Operator {
            busy: rng.scale(1e9, 60e9),
            waiting: rng.scale(5e6, 200e6),
            rng,
            next: now,
            mode: Mode::Stopped,
        }
    }

    /// What is asked for at `now`.
    pub fn ask(&mut self, now: u64, mode: Mode, signals: &mut Signals) {
        if mode != self.mode {
            // Something happened: they look at it anew.
            self.mode = mode;
            self.next = now + self.wait();
        }
        if now < self.next {
            return;
        }
        self.next = now + self.wait();
        let rng = &mut self.rng;
        let mut ask = |request| {
            // More than fit in a tick wait for nobody.
            let _ = signals.requests.push(request);
        };
        if rng.chance(0.01) {
            for _ in 0..=rng.below(8) {
                ask(rng.pick(ALL));
            }
            return;
        }
        match mode {
            // What stands where no reset is taken is moved by hand.
            Mode::Stopped if rng.chance(0.03) => ask(Request::Release),
            Mode::Stopped => {
                let steps = [Request::Reset, Request::Enable, Request::Start];
                let count = 1 + rng.below(3);
                steps.into_iter().take(count).for_each(ask);
            }
            Mode::Idle => {
                ask(Request::Enable);
                if rng.chance(0.5) {
                    ask(Request::Start);
                }
            }
            Mode::Holding => ask(match rng.below(20) {
                0 => Request::Release,
                1 => Request::Stop,
                2 => Request::Enable,
                3 => Request::Park,
                _ => Request::Start,
            }),
            Mode::Running => ask(match rng.below(40) {
                0 => Request::Shutdown,
                1..10 => Request::Stop,
                10..13 => Request::Release,
                13..15 => Request::Park,
                15..20 => Request::Start,
                20..25 => Request::Reset,
                _ => Request::Pause,
            }),
            Mode::Stopping | Mode::Parking => {
                if rng.chance(0.03) {
                    ask(rng.pick(ALL));
                }
            }
        }
    }

    fn wait(&mut self) -> u64 {
        let mean = if self.mode == Mode::Running {
            self.busy
        } else {
            self.waiting
        };
        (mean * self.rng.between(0.2, 1.8)) as u64
    }
}
