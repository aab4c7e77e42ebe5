//! Who is connected to the guard: at most one runner, a few operators.
//!
//! Owns the connections and turns what arrives into the core's inputs. Never decides about
//! motion: a stop request from anyone goes to the core like every other.
//!
//! Real time: accepting, receiving and sending neither block nor allocate.

use super::holder::Holder;
use crate::control::{Link, Signals};
use crate::messages::channel::{Channel, Listener, Received};
use crate::messages::{
    FromGuard, MAX_MESSAGE, PROTOCOL, Plan, Refusal, Request, Role, RunnerReport, Status,
    Telemetry, ToGuard,
};
use crate::units::MonoTime;

/// Connections the guard keeps at once.
const SLOTS: usize = 8;
/// Messages taken from one connection in one tick; the rest waits in the kernel's queue.
const PER_TICK: usize = 8;

#[derive(Debug)]
struct Client {
    channel: Channel,
    role: Option<Role>,
    /// Status is asked for and still owed.
    wants_status: bool,
}

/// Everything that came in since the last tick.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Requests, trips.
    pub(super) signals: Signals,
    /// Which connection each request came from, in the same order.
    askers: heapless::Vec<usize, 8>,
}

/// The guard's connections.
#[derive(Debug)]
pub(super) struct Clients {
    listener: Listener,
    slots: [Option<Client>; SLOTS],
    link: Link,
    holder: Holder,
    /// A runner's connection closed in this poll.
    hung_up: bool,
    report: Option<RunnerReport>,
    /// The newest plan since the last tick; a box made once.
    plan: Box<Option<Plan>>,
    buffer: Box<[u8; MAX_MESSAGE]>,
    pid: u32,
}

impl Clients {
    /// Serves the connections of `listener`.
    #[must_use]
    pub(super) fn new(listener: Listener) -> Clients {
        Clients {
            listener,
            slots: [const { None }; SLOTS],
            link: Link::Absent,
            holder: Holder::default(),
            hung_up: false,
            report: None,
            plan: Box::new(None),
            buffer: crate::messages::channel::buffer(),
            pid: std::process::id(),
        }
    }

    /// The runner's state as of the last poll.
    #[must_use]
    pub(super) fn link(&self) -> Link {
        self.link
    }

    /// When the operator who holds the arm running last said so.
    #[must_use]
    pub(super) fn hold(&self) -> Option<MonoTime> {
        self.holder.heard_at()
    }

    /// What the connected runner said last; `None` when none is connected.
    #[must_use]
    pub(super) fn runner(&self) -> Option<&RunnerReport> {
        match self.link {
            Link::Up { .. } => self.report.as_ref(),
            Link::Absent | Link::Closed => None,
        }
    }

    /// The newest plan of this tick.
    #[must_use]
    pub(super) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref().as_ref()
    }

    /// Takes in all that arrived by `now`.
    pub(super) fn poll(&mut self, now: MonoTime, inbox: &mut Inbox) {
        *self.plan = None;
        self.hung_up = false;
        inbox.signals = Signals::default();
        inbox.askers.clear();
        self.accept();
        for index in 0..SLOTS {
            for _ in 0..PER_TICK {
                // A full list of requests waits: what is not taken stays in the kernel's queue.
                if inbox.askers.is_full() || !self.take_one(index, now, inbox) {
                    break;
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Some(channel) = self.listener.try_accept() {
            let client = Client {
                channel,
                role: None,
                wants_status: false,
            };
            match self.slots.iter_mut().find(|slot| slot.is_none()) {
                Some(slot) => *slot = Some(client),
                None => {
                    let refused = FromGuard::Refused(Refusal::Full);
                    client
                        .channel
                        .try_send(&refused, self.buffer.as_mut_slice());
                }
            }
        }
    }

    /// Takes one message of connection `index`; false when there is none.
    fn take_one(&mut self, index: usize, now: MonoTime, inbox: &mut Inbox) -> bool {
        let Some(client) = self.slots.get_mut(index).and_then(Option::as_mut) else {
            return false;
        };
        let role = client.role;
        match client.channel.try_receive(self.buffer.as_mut_slice()) {
            Received::Nothing => false,
            Received::Closed => {
                self.drop_client(index);
                false
            }
            Received::Garbage => {
                self.refuse(index, Refusal::WrongProtocol);
                self.drop_client(index);
                false
            }
            Received::Message(message) => {
                self.handle(index, role, message, now, inbox);
                true
            }
        }
    }

    fn handle(
        &mut self,
        index: usize,
        role: Option<Role>,
        message: ToGuard,
        now: MonoTime,
        inbox: &mut Inbox,
    ) {
        match (role, message) {
            (None, ToGuard::Hello { protocol, role }) => self.welcome(index, protocol, role, now),
            (Some(Role::Runner), ToGuard::Heartbeat { sent_at, report }) => {
                self.report = Some(report);
                // A stamp from the future gives no longer lease.
                self.link = Link::Up {
                    heard_at: sent_at.min(now),
                };
            }
            (Some(Role::Runner), ToGuard::Plan(plan)) => {
                *self.plan = Some(plan);
            }
            (Some(Role::Runner), ToGuard::Trip(cause)) => {
                inbox.signals.trip.get_or_insert(cause);
            }
            (Some(Role::Operator), ToGuard::Hold { sent_at }) => {
                if let Err(refusal) = self.holder.hold(index, sent_at, now) {
                    self.refuse(index, refusal);
                }
            }
            (Some(_), ToGuard::Request(request)) => {
                if request == Request::StartHeld
                    && let Err(refusal) = self.holder.may_start(index)
                {
                    return self.refuse(index, refusal);
                }
                // Room was checked before the message was taken.
                if inbox.signals.requests.push(request).is_ok() {
                    let _ = inbox.askers.push(index);
                }
            }
            (Some(_), ToGuard::Status) => {
                if let Some(client) = self.slots.get_mut(index).and_then(Option::as_mut) {
                    client.wants_status = true;
                }
            }
            // A stop is taken even from one who forgot to say hello.
            (None, ToGuard::Request(Request::Stop)) => {
                if inbox.signals.requests.push(Request::Stop).is_ok() {
                    let _ = inbox.askers.push(index);
                }
            }
            (
                Some(Role::Operator),
                ToGuard::Heartbeat { .. } | ToGuard::Plan(_) | ToGuard::Trip(_),
            ) => self.refuse(index, Refusal::NotTheRunner),
            (
                None,
                ToGuard::Heartbeat { .. }
                | ToGuard::Plan(_)
                | ToGuard::Trip(_)
                | ToGuard::Request(_)
                | ToGuard::Hold { .. }
                | ToGuard::Status,
            )
            | (Some(Role::Runner), ToGuard::Hold { .. })
            | (Some(_), ToGuard::Hello { .. }) => self.refuse(index, Refusal::WrongProtocol),
        }
    }

    fn welcome(&mut self, index: usize, protocol: u32, role: Role, now: MonoTime) {
        // One that hung up in this very poll still counts: the core has to see it gone first.
        let runner_present = self.hung_up
            || self
                .slots
                .iter()
                .flatten()
                .any(|client| client.role == Some(Role::Runner));
        if protocol != PROTOCOL {
            self.refuse(index, Refusal::WrongProtocol);
        } else if role == Role::Runner && runner_present {
            self.refuse(index, Refusal::RunnerPresent);
        } else {
            if let Some(client) = self.slots.get_mut(index).and_then(Option::as_mut) {
                client.role = Some(role);
            }
            if role == Role::Runner {
                self.link = Link::Up { heard_at: now };
            }
            self.send(index, &FromGuard::Welcome { pid: self.pid });
        }
    }

    fn drop_client(&mut self, index: usize) {
        let gone = self.slots.get_mut(index).and_then(Option::take);
        self.holder.left(index);
        if gone.is_some_and(|client| client.role == Some(Role::Runner)) {
            self.link = Link::Closed;
            self.hung_up = true;
            // What it sent last and nobody has looked at yet must not move the arm.
            *self.plan = None;
        }
    }

    fn refuse(&mut self, index: usize, refusal: Refusal) {
        self.send(index, &FromGuard::Refused(refusal));
    }

    fn send(&mut self, index: usize, message: &FromGuard) {
        if let Some(client) = self.slots.get(index).and_then(Option::as_ref) {
            // A reader that does not read loses messages; it never holds up the loop.
            client.channel.try_send(message, self.buffer.as_mut_slice());
        }
    }

    /// Tells each asker what came of its request.
    pub(super) fn answer(&mut self, inbox: &Inbox, answers: &[Option<Result<Request, Refusal>>]) {
        for (asker, answer) in inbox.askers.iter().zip(answers) {
            match answer {
                Some(Ok(request)) => self.send(*asker, &FromGuard::Done(*request)),
                Some(Err(refusal)) => self.refuse(*asker, *refusal),
                None => {}
            }
        }
    }

    /// Tells the runner about this tick.
    pub(super) fn publish(&mut self, telemetry: Telemetry) {
        let runner = self.slots.iter().position(|slot| {
            slot.as_ref()
                .is_some_and(|client| client.role == Some(Role::Runner))
        });
        if let Some(index) = runner {
            self.send(index, &FromGuard::Telemetry(telemetry));
        }
    }

    /// Whether somebody waits for a status.
    #[must_use]
    pub(super) fn status_wanted(&self) -> bool {
        self.slots
            .iter()
            .flatten()
            .any(|client| client.wants_status)
    }

    /// Sends `status` to all who wait for one.
    pub(super) fn send_status(&mut self, status: Status) {
        let message = FromGuard::Status(status);
        for client in self.slots.iter_mut().flatten() {
            if std::mem::take(&mut client.wants_status) {
                client
                    .channel
                    .try_send(&message, self.buffer.as_mut_slice());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(path: &std::path::Path) -> Channel {
        let channel = Channel::connect(path).unwrap();
        let hello = ToGuard::Hello {
            protocol: PROTOCOL,
            role: Role::Runner,
        };
        let mut bytes = crate::messages::channel::buffer();
        assert!(channel.try_send(&hello, bytes.as_mut_slice()));
        channel
    }

    #[test]
    fn a_runner_that_comes_as_another_dies_does_not_hide_the_death() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard.sock");
        let mut clients = Clients::new(Listener::bind(&path).unwrap());
        let mut inbox = Inbox::default();
        let first = hello(&path);
        clients.poll(MonoTime(1), &mut inbox);
        assert_eq!(
            clients.link(),
            Link::Up {
                heard_at: MonoTime(1)
            }
        );
        drop(first);
        let _second = hello(&path);
        clients.poll(MonoTime(2), &mut inbox);
        assert_eq!(clients.link(), Link::Closed);
        let _third = hello(&path);
        clients.poll(MonoTime(3), &mut inbox);
        assert_eq!(
            clients.link(),
            Link::Up {
                heard_at: MonoTime(3)
            }
        );
    }
}
