//! A policy server as a backend: openpi's websocket protocol.
//!
//! Owns what becomes of a connection that fails: nothing is asked over it again, and none is made
//! anew before an episode begins. So an arm never goes on in the middle of a job with what a server
//! thought of long ago.

use std::time::{Duration, Instant};

mod health;
mod line;
mod wire;

use super::{Backend, BackendError, Description, InferError, Input, Outputs, one_line};
use crate::messages::ServerFault;
use crate::policy::package::Package;
use crate::policy::server::Server;
use line::{Line, Lost};

pub use health::{Health, health};

/// For a connection and the server's word about itself.
const WELCOME: Duration = Duration::from_secs(10);

/// How it stands.
#[derive(Debug)]
enum State {
    /// Connecting.
    Opening(Line),
    /// Ready to be asked.
    Open(Line),
    /// Not to be used before an episode begins.
    Lost(Lost),
}

/// A policy server.
pub(super) struct Remote {
    server: Server,
    sizes: [usize; 2],
    state: State,
    description: Description,
}

impl Remote {
    /// Connects to `server`, which runs `package`.
    pub(super) fn connect(package: &Package, server: &Server) -> Result<Remote, BackendError> {
        let mut remote = Remote {
            server: server.clone(),
            sizes: [package.output.chunk, package.output.width],
            state: State::Lost(Lost::new(ServerFault::Closed, "it was not asked yet")),
            description: Description {
                name: server.address.to_string(),
                detail: "openpi".into(),
                reason: "the cell names it".into(),
            },
        };
        remote.begin();
        let said = remote
            .welcome(WELCOME)
            .map_err(|lost| BackendError::Server {
                server: server.address.to_string(),
                detail: lost.detail,
            })?;
        if let Some(said) = said.filter(|said| !said.is_empty()) {
            remote.description.detail = format!("openpi: {said}");
        }
        Ok(remote)
    }

    /// Waits for a connection that is being made; what the server says of itself, if it was.
    fn welcome(&mut self, patience: Duration) -> Result<Option<String>, Lost> {
        let placeholder = State::Lost(Lost::new(ServerFault::Closed, "it is lost"));
        match std::mem::replace(&mut self.state, placeholder) {
            State::Opening(line) => match line.word(patience) {
                Ok(welcome) => {
                    self.state = State::Open(line);
                    let said = wire::description(&welcome);
                    Ok(Some(said.unwrap_or_default()))
                }
                Err(lost) => {
                    self.state = State::Lost(lost.clone());
                    Err(lost)
                }
            },
            State::Lost(lost) => {
                self.state = State::Lost(lost.clone());
                Err(lost)
            }
            open @ State::Open(_) => {
                self.state = open;
                Ok(None)
            }
        }
    }

    fn ask(
        &mut self,
        inputs: &[Input<'_>],
        patience: Duration,
        out: &mut Outputs,
    ) -> Result<(), Lost> {
        let began = Instant::now();
        self.welcome(patience)?;
        let State::Open(line) = &self.state else {
            return Err(Lost::new(ServerFault::Closed, "it is lost"));
        };
        let wrong = |error: wire::WireError| Lost::new(ServerFault::Answer, error.to_string());
        let mut question = Vec::new();
        let (keys, prompt) = (&self.server.inputs, self.server.prompt.as_ref());
        wire::observation(keys, inputs, prompt, &mut question).map_err(wrong)?;
        line.ask(question)?;
        let answer = line.word(patience.saturating_sub(began.elapsed()))?;
        let actions = &self.server.actions;
        wire::actions(&answer, actions, self.sizes, &mut out.action).map_err(wrong)?;
        if out.action.iter().all(|value| value.is_finite()) {
            Ok(())
        } else {
            let what = "it put out NaN or an infinity";
            Err(Lost::new(ServerFault::NotFinite, what))
        }
    }
}

impl Backend for Remote {
    fn infer(
        &mut self,
        inputs: &[Input<'_>],
        patience: Duration,
        out: &mut Outputs,
    ) -> Result<(), InferError> {
        self.ask(inputs, patience, out).map_err(|lost| {
            // Closed with it: what may still come is the answer to another question.
            self.state = State::Lost(lost.clone());
            InferError::Server {
                server: self.server.address.to_string(),
                fault: lost.fault,
                detail: one_line(&lost.detail),
            }
        })
    }

    fn begin(&mut self) {
        let broken = match &self.state {
            State::Lost(_) => true,
            State::Open(line) => line.broken(),
            State::Opening(_) => false,
        };
        if broken {
            let server = &self.server;
            self.state = match Line::open(&server.address, server.api_key.as_ref()) {
                Ok(line) => State::Opening(line),
                Err(error) => State::Lost(Lost::new(
                    ServerFault::Unreachable,
                    format!("no thread for it ({error})"),
                )),
            };
        }
    }

    fn description(&self) -> &Description {
        &self.description
    }
}
