//! One scenario: a core with its arm, runner, operator and faults, from one seed.
//!
//! Owns the order of a tick, which is the guard's: wake, read, decide, write. Everything random
//! comes from the seed, so that a seed is all that a replay needs.

use surehand::arm::Space;
use surehand::control::{Core, CoreConfig, Inputs, JointCommand, Signals, Step, Torque, TorqueAct};
use surehand::messages::{Cause, Mode};
use surehand::units::MonoTime;

use crate::beat::Beat;
use crate::buttons::Buttons;
use crate::cell::Cell;
use crate::digest::Digest;
use crate::fault::{Fault, Schedule};
use crate::invariants::Observer;
use crate::line::Line;
use crate::motion::Broken;
use crate::operator::Operator;
use crate::rng::Rng;
use crate::runner::Runner;
use crate::tally::Tally;

/// Scenarios begin here: plans may be stamped before it.
const BEGIN: u64 = 100_000_000_000;

/// A tick that broke a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The scenario.
    pub seed: u64,
    /// The tick, from 1.
    pub tick: u64,
    /// The rule, as a sentence.
    pub rule: &'static str,
    /// With numbers.
    pub detail: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Violation {
            seed,
            tick,
            rule,
            detail,
        } = self;
        write!(
            f,
            "scenario {seed}, tick {tick}: violated: {rule} ({detail})"
        )
    }
}

impl std::error::Error for Violation {}

/// Seconds that the scenario of `seed` lasts: seconds as often as minutes.
#[must_use]
pub fn duration_secs(seed: u64) -> f64 {
    Rng::new(seed).scale(3.0, 180.0)
}

/// Runs the scenario of `seed`; `watch` sees every tick.
///
/// # Errors
/// The first rule broken.
pub fn run(seed: u64, watch: &mut dyn FnMut(&Seen<'_>)) -> Result<Tally, Box<Violation>> {
    let mut rng = Rng::new(seed);
    let end = BEGIN + (rng.scale(3.0, 180.0) * 1e9) as u64;
    let mut world = World::draw(&mut rng).map_err(|error| {
        Box::new(Violation {
            seed,
            tick: 0,
            rule: "every scenario that is drawn can be run",
            detail: error,
        })
    })?;
    while world.now.0 < end {
        world.tick(watch).map_err(|Broken { rule, detail }| {
            Box::new(Violation {
                seed,
                tick: world.tally.ticks,
                rule,
                detail,
            })
        })?;
    }
    world.tally.scenarios = 1;
    world.tally.nanos = world.now.0 - BEGIN;
    world.tally.digest = world.digest.value();
    Ok(world.tally)
}

/// What a watcher sees of a tick.
#[derive(Debug)]
pub struct Seen<'a> {
    /// From 1.
    pub tick: u64,
    /// What went in.
    pub inputs: &'a Inputs<'a>,
    /// What came out.
    pub step: &'a Step<JointCommand>,
    /// The fault that struck in this tick.
    pub fault: Option<Fault>,
}

struct World {
    rng: Rng,
    config: CoreConfig,
    space: Space,
    core: Core,
    observer: Observer,
    line: Line,
    runner: Runner,
    operator: Operator,
    faults: Schedule,
    beat: Beat,
    buttons: Buttons,
    now: MonoTime,
    mode: Mode,
    digest: Digest,
    tally: Tally,
    /// The guard is dead, and its successor comes after this span and for this cause.
    succession: Option<(u64, Cause)>,
    signals: Signals,
}

impl World {
    fn draw(rng: &mut Rng) -> Result<World, String> {
        let takeover = rng.chance(0.2);
        let cell = Cell::draw(rng, takeover).map_err(|error| error.to_string())?;
        let (boot, torque) = if takeover {
            (Cause::GuardReplaced, Torque::On)
        } else {
            (Cause::Boot, Torque::Off)
        };
        let buttons = Buttons::new(rng.fork());
        let mut config = cell.config;
        config.hold_to_run = buttons.hold_to_run();
        let core = Core::new(config.clone(), boot, torque).map_err(|error| error.to_string())?;
        Ok(World {
            observer: Observer::new(&config, &cell.space, boot, torque),
            core,
            faults: Schedule::new(rng.fork(), cell.servos.len(), BEGIN),
            line: Line::new(rng.fork(), cell.servos, BEGIN).map_err(|error| error.to_string())?,
            runner: Runner::new(rng.fork(), BEGIN, config.lease),
            operator: Operator::new(rng.fork(), BEGIN),
            beat: Beat::new(rng.fork(), BEGIN, config.period),
            buttons,
            rng: rng.fork(),
            config,
            space: cell.space,
            now: MonoTime(BEGIN),
            mode: Mode::Stopped,
            digest: Digest::default(),
            tally: Tally::default(),
            succession: None,
            signals: Signals::default(),
        })
    }

    fn tick(&mut self, watch: &mut dyn FnMut(&Seen<'_>)) -> Result<(), Broken> {
        self.succeed()?;
        self.tally.ticks += 1;
        let (now, missed) = self.beat.next()?;
        self.now = now;
        self.line.advance(now.0);
        let mut signals = std::mem::take(&mut self.signals);
        let fault = self.faults.due(now.0);
        if let Some(fault) = fault {
            self.strike(fault, &mut signals);
        }
        self.operator.ask(now.0, self.mode, &mut signals);
        let hold = self.buttons.hold(now, self.mode, &mut signals);
        let command = self.core.positions();
        let (link, plan) =
            self.runner
                .poll(now, missed, self.mode, &self.config.model, command.as_ref());
        let inputs = Inputs {
            now,
            missed,
            joints: self.line.read()?,
            restarted: self.line.restarted(),
            watchdog: None,
            safety: self.buttons.read(now),
            hold,
            link,
            plan,
            signals,
        };
        let step = self.core.tick(&inputs);
        watch(&Seen {
            tick: self.tally.ticks,
            inputs: &inputs,
            step: &step,
            fault,
        });
        self.observer
            .check(&inputs, &step, self.core.measured().as_ref())?;
        self.obey(&step);
        Ok(())
    }

    fn strike(&mut self, fault: Fault, signals: &mut Signals) {
        let now = self.now.0;
        self.line.strike(fault);
        self.runner.strike(fault, now);
        self.beat.strike(fault, now);
        self.buttons.strike(fault, now);
        match fault {
            Fault::GuardDies { span } => self.succession = Some((span, Cause::GuardReplaced)),
            Fault::Signal => signals.told_to_end = true,
            Fault::RunnerTrips => {
                signals.trip = Some(self.rng.pick([
                    Cause::PolicyFailed,
                    Cause::CameraFrozen { camera: 0 },
                    Cause::CameraLost { camera: 1 },
                    Cause::TorqueNotTaken,
                ]));
            }
            _ => {}
        }
    }

    /// Carries out what was decided, as the guard's shell does.
    fn obey(&mut self, step: &Step<JointCommand>) {
        match (step.torque, &step.command) {
            (TorqueAct::Release, _) => self.line.release(),
            (TorqueAct::Enable, Some(command)) => {
                self.line.write(&command.positions());
                // Every servo is asked to confirm.
                let confirmed = self.now.0 + self.rng.millis(1.0, 40.0);
                self.beat.restart(confirmed);
            }
            (TorqueAct::Keep, Some(command)) => self.line.write(&command.positions()),
            (TorqueAct::Keep | TorqueAct::Enable, None) => {}
        }
        self.digest.step(step);
        self.tally.note(self.mode, step);
        self.mode = step.mode;
        if step.may_exit {
            let away = self.rng.millis(50.0, 500.0);
            self.succession = self.succession.or(Some((away, Cause::Boot)));
        }
    }

    /// A dead guard's successor takes the arm over as it finds it.
    fn succeed(&mut self) -> Result<(), Broken> {
        let Some((span, boot)) = self.succession.take() else {
            return Ok(());
        };
        let torque = self.core.torque();
        let now = self.now.0 + span;
        let core = Core::new(self.config.clone(), boot, torque).map_err(|error| Broken {
            rule: "a successor comes up",
            detail: error.to_string(),
        })?;
        let goals = self.line.goals();
        self.core = core.holding(goals);
        self.observer = Observer::new(&self.config, &self.space, boot, torque).holding(&goals);
        self.beat = Beat::new(self.rng.fork(), now, self.config.period);
        self.mode = Mode::Stopped;
        self.tally.takeovers += 1;
        Ok(())
    }
}
