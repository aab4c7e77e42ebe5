//! The operator's verbs: straight to the guard's own socket, never through the runner. In a cell of
//! two arms they are said to both guards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::voice::said_of;
use super::{Exit, Failure, Outcome, output};
use crate::messages::channel::{
    Channel, Received, arm_at, buffer, guards_of, own_name, running_controllers,
};
use crate::messages::{
    FromGuard, Mode, Name, Names, PROTOCOL, Refusal, Request, Role, Status, ToGuard,
};

/// How long the guard may take to answer; it answers within two ticks.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a stop is said.
const STOP_TRIES: u32 = 3;

/// A reset, and torque, want every servo read in the very tick that takes them: for one lost reply
/// they are asked for again, this often in all.
const TRIES: u32 = 5;
/// Between two of them: ticks at any rate.
const PAUSE: Duration = Duration::from_millis(60);

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb<'a> {
    Reset,
    Enable,
    Start(Option<&'a str>),
    Pause,
    Release,
    Park,
    Shutdown,
}

/// Asks the controller for one thing.
pub(super) fn ask(socket: Option<&Path>, verb: Verb<'_>, json: bool) -> Outcome {
    let mut guards = Guard::all(socket)?;
    let (request, done) = match verb {
        Verb::Reset => (
            Request::Reset,
            "reset; nothing moves before `surehand start`",
        ),
        Verb::Enable => (Request::Enable, "torque is on; the arm stands"),
        Verb::Start(job) => {
            for guard in &mut guards {
                guard.expect_job(job)?;
            }
            (Request::Start, "started")
        }
        Verb::Pause => (Request::Pause, "paused; `surehand start` goes on"),
        Verb::Release => (Request::Release, "torque is off"),
        Verb::Park => (
            Request::Park,
            "the arm goes to its park pose and is let go there; `surehand estop` stops it",
        ),
        Verb::Shutdown => (
            Request::Shutdown,
            "the controller stops the arm and ends; it holds, or is parked where the cell says so",
        ),
    };
    match request {
        Request::Reset | Request::Enable | Request::Start => {
            one_by_one(concerned(guards, request)?, request)?;
        }
        Request::StartHeld
        | Request::Pause
        | Request::Stop
        | Request::Release
        | Request::Park
        | Request::Shutdown => together(guards, request)?,
    }
    Ok(tell(request, done, json))
}

/// Those of a cell's guards that `request` is for: an arm that is where it leads need not be asked,
/// as long as there is another.
fn concerned(guards: Vec<Guard>, request: Request) -> Result<Vec<Guard>, Failure> {
    if guards.len() <= 1 {
        return Ok(guards);
    }
    let (mut others, mut there) = (Vec::new(), Vec::new());
    for mut guard in guards {
        let mode = guard.status()?.mode;
        let already = match request {
            Request::Reset => !mode.latched(),
            Request::Start => mode == Mode::Running,
            _ => false,
        };
        if already {
            there.push(guard);
        } else {
            others.push(guard);
        }
    }
    Ok(if others.is_empty() { there } else { others })
}

/// Asks one after the other until one refuses; arms that were started are paused again then.
fn one_by_one(guards: Vec<Guard>, request: Request) -> Result<(), Failure> {
    let mut done: Vec<Guard> = Vec::new();
    for mut guard in guards {
        let answer = guard.answer(request);
        if let Err(failure) = guard.granted(request, answer) {
            if request == Request::Start {
                let pause = ToGuard::Request(Request::Pause);
                done.iter_mut().for_each(|guard| guard.send(&pause));
            }
            return Err(failure);
        }
        done.push(guard);
    }
    Ok(())
}

/// Asks all, and then hears all: nobody's refusal keeps the others from it.
fn together(mut guards: Vec<Guard>, request: Request) -> Result<(), Failure> {
    let asked = ToGuard::Request(request);
    guards.iter_mut().for_each(|guard| guard.send(&asked));
    let mut all = Vec::new();
    for guard in &mut guards {
        let answer = guard.receive();
        all.push(guard.granted(request, answer));
    }
    // The end of one arm is passed on to the other, which may be gone before it can answer.
    if request == Request::Shutdown && all.iter().any(Result::is_ok) {
        return Ok(());
    }
    all.into_iter().collect()
}

/// One line on `request`, which came while somebody else holds control.
pub(super) fn held(request: &str, holder: &Name) -> Failure {
    Failure {
        line: format!(
            "{request} was refused: {holder} holds control, until three seconds after their last command; `surehand estop` is anybody's"
        ),
        exit: Exit::Configuration,
    }
}

fn tell(request: Request, done: &str, json: bool) -> Exit {
    if json {
        output::json(&json!({"ok": true, "request": format!("{request:?}").to_lowercase()}));
    } else {
        output::line_out(done);
    }
    Exit::Done
}

/// A stop is the first word on its connection and waits for no welcome; where the connection is
/// taken away by a crowd of others, it is said again. All guards of a cell are told before the answer
/// of any is waited for.
pub(super) fn stop(socket: Option<&Path>, json: bool) -> Outcome {
    let mut left = sockets(socket)?;
    let mut failure = no_answer();
    for _ in 0..STOP_TRIES {
        let told = left.into_iter().map(|path| {
            let mut guard = Guard::reach(&path);
            if let Ok(guard) = &mut guard {
                guard.send(&ToGuard::Request(Request::Stop));
            }
            (path, guard)
        });
        let told: Vec<(PathBuf, Result<Guard, Failure>)> = told.collect();
        left = Vec::new();
        for (path, guard) in told {
            let answer = guard.map(|mut guard| guard.receive());
            match answer {
                Ok(Some(FromGuard::Done(_))) => {}
                Ok(_) => left.push(path),
                Err(why) => {
                    failure = why;
                    left.push(path);
                }
            }
        }
        if left.is_empty() {
            let done = "stopping; the arm holds with torque on, latched";
            return Ok(tell(Request::Stop, done, json));
        }
    }
    Err(failure)
}

pub(super) fn no_answer() -> Failure {
    Failure::hardware("the guard gave no answer; use the hard-wired emergency stop")
}

/// A connection of an operator.
pub(super) struct Guard {
    /// Which arm's it is; empty in a cell of one.
    pub(super) arm: String,
    channel: Channel,
    buffer: Box<[u8; crate::messages::MAX_MESSAGE]>,
}

impl Guard {
    /// Connects to the guard that listens at `socket`.
    pub(super) fn connect(socket: &Path) -> Result<Guard, Failure> {
        let mut guard = Guard::reach(socket)?;
        guard.introduce()?;
        Ok(guard)
    }

    /// Connects to all guards of the controller at `socket`, or of the only one that runs.
    pub(super) fn all(socket: Option<&Path>) -> Result<Vec<Guard>, Failure> {
        let sockets = sockets(socket)?;
        sockets.iter().map(|path| Guard::connect(path)).collect()
    }

    fn reach(path: &Path) -> Result<Guard, Failure> {
        let channel = Channel::connect(path).map_err(|error| {
            Failure::hardware(format!(
                "no controller listens at {}: {error}",
                path.display()
            ))
        })?;
        Ok(Guard {
            arm: arm_at(path).to_owned(),
            channel,
            buffer: buffer(),
        })
    }

    fn introduce(&mut self) -> Result<(), Failure> {
        self.send(&ToGuard::Hello {
            protocol: PROTOCOL,
            role: Role::Operator,
            name: own_name(),
        });
        match self.receive() {
            Some(FromGuard::Welcome { .. }) => Ok(()),
            Some(FromGuard::Refused(refusal)) => Err(Failure::hardware(format!(
                "the controller refused the connection: {}",
                refusal.text(&Names::NONE)
            ))),
            _ => Err(no_answer()),
        }
    }

    /// What the controller answers to `request`.
    fn answer(&mut self, request: Request) -> Option<FromGuard> {
        let mut first = None;
        for tries in 1.. {
            self.send(&ToGuard::Request(request));
            let answer = self.receive();
            let again = match answer {
                Some(FromGuard::Refused(Refusal::PowerReturns)) => true,
                Some(FromGuard::Refused(refusal)) => refusal.may_pass(),
                _ => false,
            };
            if !again {
                return answer;
            }
            // What the first says stands: it may have given motor power back.
            first = first.or(answer);
            if tries == TRIES {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        first
    }

    pub(super) fn send(&mut self, message: &ToGuard) {
        self.channel.try_send(message, self.buffer.as_mut_slice());
    }

    /// The next message within `patience`.
    pub(super) fn receive_within(&mut self, patience: Duration) -> Received<FromGuard> {
        self.channel
            .receive_within(patience, self.buffer.as_mut_slice())
    }

    pub(super) fn receive(&mut self) -> Option<FromGuard> {
        match self.receive_within(PATIENCE) {
            Received::Message(message) => Some(message),
            Received::Garbage | Received::Nothing | Received::Closed => None,
        }
    }

    /// What `answer` to `request` means for whoever asked.
    fn granted(&mut self, request: Request, answer: Option<FromGuard>) -> Result<(), Failure> {
        let name = format!("{request:?}").to_lowercase();
        match answer {
            Some(FromGuard::Done(_)) => Ok(()),
            Some(FromGuard::Refused(refusal)) => Err(self.refused(&name, refusal)?),
            Some(FromGuard::Held(holder)) => Err(held(&name, &holder)),
            _ => Err(no_answer()),
        }
    }

    /// One line on `request`, which the guard refused.
    pub(super) fn refused(&mut self, request: &str, refusal: Refusal) -> Result<Failure, Failure> {
        let status = self.status()?;
        Ok(Failure {
            line: format!(
                "{}{request} was refused: {}; the controller is {}{}",
                said_of(&self.arm),
                status.with_names(|names| refusal.text(names)),
                status.mode,
                super::status::why(&status)
            ),
            exit: Exit::Configuration,
        })
    }

    /// The controller's status.
    pub(super) fn status(&mut self) -> Result<Status, Failure> {
        self.send(&ToGuard::Status);
        loop {
            match self.receive() {
                Some(FromGuard::Status(status)) => return Ok(status),
                // The answer to something before.
                Some(_) => {}
                None => return Err(no_answer()),
            }
        }
    }

    /// Refuses to start another job than the one the runner has.
    pub(super) fn expect_job(&mut self, job: Option<&str>) -> Result<(), Failure> {
        let status = self.status()?;
        let has = status.runner.as_ref().map(|runner| runner.job.as_str());
        match (job, has) {
            (_, None) => Err(Failure::configuration(
                "no runner is connected to the guard; start one with `surehand run CELL`",
            )),
            (Some(asked), Some(has)) if asked != has => Err(Failure::configuration(format!(
                "the running controller has the job `{has}`, not `{asked}`"
            ))),
            _ => Ok(()),
        }
    }
}

/// Where the guards of the controller at `socket`, or of the only one that runs, listen.
fn sockets(socket: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
    let path = match socket {
        Some(path) => path.to_owned(),
        None => the_only_one()?,
    };
    Ok(guards_of(&path))
}

fn the_only_one() -> Result<PathBuf, Failure> {
    let found = running_controllers().map_err(Failure::hardware)?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::hardware(
            "no controller is running; start one with `surehand run CELL` or `surehand demo`",
        )),
        many => {
            let names: Vec<String> = many.iter().map(|p| p.display().to_string()).collect();
            Err(Failure::configuration(format!(
                "several controllers are running; choose one with --socket: {}",
                names.join(", ")
            )))
        }
    }
}
