//! Who is connected to the guard: at most one runner, a few operators.
//!
//! Owns the connections and turns what arrives into the core's inputs. Never decides about
//! motion: a stop request from anyone goes to the core like every other.
//!
//! Real time: accepting, receiving and sending neither block nor allocate.

use super::claim::Claim;
use super::holder::Holder;
use crate::control::{Link, Signals};
use crate::messages::channel::{Channel, Listener, Received};
use crate::messages::{
    Answer, Asked, Asker, FromGuard, MAX_MESSAGE, PROTOCOL, Plan, Refusal, Request, Role,
    RunnerReport, Status, Telemetry, ToGuard,
};
use crate::units::MonoTime;

/// Connections the guard keeps at once.
const SLOTS: usize = 8;
/// Messages taken from the runner in one tick; the rest waits in the kernel's queue.
const FROM_RUNNER: usize = 8;

#[derive(Debug)]
struct Client {
    channel: Channel,
    asker: Asker,
    /// When something last came from it; when it connected, before that.
    heard_at: MonoTime,
    /// Status is asked for and still owed.
    wants_status: bool,
}

/// Everything that came in since the last tick.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Requests, trips.
    pub(super) signals: Signals,
    /// Which connection each request came from, and who was there then, in the same order.
    askers: heapless::Vec<(usize, Asker), 8>,
}

/// The guard's connections.
#[derive(Debug)]
pub(super) struct Clients {
    listener: Listener,
    slots: [Option<Client>; SLOTS],
    claim: Claim,
    link: Link,
    holder: Holder,
    /// A runner's connection closed in this poll.
    hung_up: bool,
    report: Option<RunnerReport>,
    /// Requests so far.
    asked: u64,
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
            claim: Claim::default(),
            link: Link::Absent,
            holder: Holder::default(),
            hung_up: false,
            report: None,
            asked: 0,
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
        // Who is there already is heard before a newcomer may take his place.
        self.hear(now, inbox, |_| true);
        self.accept(now);
        self.hear(now, inbox, |client| client.asker.role.is_none());
    }

    /// Takes in what has come from those that `wanted` picks. One message from everybody, however
    /// busy one is, so that every other's stop is taken in the same tick; then all of the runner's,
    /// for whose requests there is always room left.
    fn hear(&mut self, now: MonoTime, inbox: &mut Inbox, wanted: impl Fn(&Client) -> bool) {
        for index in 0..SLOTS {
            match self.role_of(index, &wanted) {
                Some(None) => {
                    // A hello and what is asked after it.
                    self.take_one(index, now, inbox);
                    if self.role_of(index, &|_| true) == Some(Some(Role::Operator)) {
                        self.take_one(index, now, inbox);
                    }
                }
                Some(Some(Role::Operator)) => {
                    self.take_one(index, now, inbox);
                }
                Some(Some(Role::Runner | Role::Pulse)) | None => {}
            }
        }
        for index in 0..SLOTS {
            if self
                .role_of(index, &wanted)
                .flatten()
                .is_some_and(is_runner)
            {
                for _ in 0..FROM_RUNNER {
                    if !self.take_one(index, now, inbox) {
                        break;
                    }
                }
            }
        }
    }

    /// What connection `index` is, where there is one and `wanted` picks it.
    fn role_of(&self, index: usize, wanted: &impl Fn(&Client) -> bool) -> Option<Option<Role>> {
        let client = self.slots.get(index)?.as_ref()?;
        wanted(client).then_some(client.asker.role)
    }

    /// Lets everybody in who waits, at most as many as there are places: where all are taken, the
    /// operator who has been silent for longest makes room. A stop never finds a closed door.
    fn accept(&mut self, now: MonoTime) {
        for _ in 0..SLOTS {
            let Some(slot) = self.place(now) else {
                return;
            };
            let Some(channel) = self.listener.try_accept() else {
                return;
            };
            if self.slots.get(slot).is_some_and(Option::is_some) {
                self.refuse(slot, Refusal::Full);
            }
            if let Some(place) = self.slots.get_mut(slot) {
                let asker = Asker {
                    peer: channel.peer(),
                    ..Asker::default()
                };
                *place = Some(Client {
                    channel,
                    asker,
                    heard_at: now,
                    wants_status: false,
                });
            }
        }
    }

    /// A place that is free, or that of the operator who has been silent for longest; `None` when
    /// all have come or spoken just now.
    fn place(&self, now: MonoTime) -> Option<usize> {
        if let Some(free) = self.slots.iter().position(Option::is_none) {
            return Some(free);
        }
        let silent = self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let client = slot.as_ref()?;
            let may_go = !client.asker.role.is_some_and(is_runner) && client.heard_at < now;
            may_go.then_some((client.heard_at, index))
        });
        silent.min().map(|(_, index)| index)
    }

    /// Takes one message of connection `index`; false when there is none, or no room for what it
    /// may ask: that waits in the kernel's queue.
    fn take_one(&mut self, index: usize, now: MonoTime, inbox: &mut Inbox) -> bool {
        if inbox.askers.is_full() {
            return false;
        }
        let Some(client) = self.slots.get_mut(index).and_then(Option::as_mut) else {
            return false;
        };
        let role = client.asker.role;
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
                client.heard_at = now;
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
            (
                None,
                ToGuard::Hello {
                    protocol,
                    role,
                    name,
                },
            ) => {
                if let Some(client) = self.slots.get_mut(index).and_then(Option::as_mut) {
                    client.asker.name = name;
                }
                self.welcome(index, protocol, role, now);
            }
            (Some(Role::Runner | Role::Pulse), ToGuard::Heartbeat { sent_at, report }) => {
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
            (Some(role), ToGuard::Request(request)) => {
                let Some(client) = self.slots.get(index).and_then(Option::as_ref) else {
                    return;
                };
                let asker = client.asker.clone();
                if let Err(holder) = self.claim.command(&asker.name, role, request, now) {
                    self.send(index, &FromGuard::Held(holder.clone()));
                    return self.tell_runner(asker, request, Answer::Held(holder));
                }
                if request == Request::StartHeld
                    && let Err(refusal) = self.holder.may_start(index)
                {
                    self.refuse(index, refusal);
                    return self.tell_runner(asker, request, Answer::Refused(refusal));
                }
                take(inbox, index, asker, request);
            }
            (Some(_), ToGuard::Status) => {
                if let Some(client) = self.slots.get_mut(index).and_then(Option::as_mut) {
                    client.wants_status = true;
                }
            }
            // A stop is taken even from one who forgot to say hello.
            (None, ToGuard::Request(Request::Stop)) => {
                if let Some(client) = self.slots.get(index).and_then(Option::as_ref) {
                    take(inbox, index, client.asker.clone(), Request::Stop);
                }
            }
            (
                Some(Role::Operator),
                ToGuard::Heartbeat { .. } | ToGuard::Plan(_) | ToGuard::Trip(_),
            )
            | (Some(Role::Pulse), ToGuard::Plan(_) | ToGuard::Trip(_)) => {
                self.refuse(index, Refusal::NotTheRunner);
            }
            (
                None,
                ToGuard::Heartbeat { .. }
                | ToGuard::Plan(_)
                | ToGuard::Trip(_)
                | ToGuard::Request(_)
                | ToGuard::Hold { .. }
                | ToGuard::Status,
            )
            | (Some(Role::Runner | Role::Pulse), ToGuard::Hold { .. })
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
                .any(|client| client.asker.role == Some(Role::Runner));
        if protocol != PROTOCOL {
            self.refuse(index, Refusal::WrongProtocol);
        } else if role == Role::Runner && runner_present {
            self.refuse(index, Refusal::RunnerPresent);
        } else if role == Role::Pulse && (self.hung_up || !runner_present) {
            self.refuse(index, Refusal::NoRunner);
        } else {
            if let Some(client) = self.slots.get_mut(index).and_then(Option::as_mut) {
                client.asker.role = Some(role);
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
        if gone
            .and_then(|client| client.asker.role)
            .is_some_and(is_runner)
        {
            // One of its two connections is enough: what the other still holds is nobody's.
            for slot in &mut self.slots {
                let other = slot.as_ref().and_then(|client| client.asker.role);
                if other.is_some_and(is_runner) {
                    *slot = None;
                }
            }
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

    /// Tells each asker what came of its request, and the runner of both.
    pub(super) fn answer(&mut self, inbox: &Inbox, answers: &[Option<Result<Request, Refusal>>]) {
        let requests = inbox.askers.iter().zip(&inbox.signals.requests);
        for (((index, asker), request), answer) in requests.zip(answers) {
            let answer = match answer {
                Some(Ok(request)) => {
                    self.send(*index, &FromGuard::Done(*request));
                    Answer::Done
                }
                Some(Err(refusal)) => {
                    self.refuse(*index, *refusal);
                    Answer::Refused(*refusal)
                }
                None => continue,
            };
            self.tell_runner(asker.clone(), *request, answer);
        }
    }

    /// Tells the runner about this tick.
    pub(super) fn publish(&mut self, telemetry: Telemetry) {
        self.send_runner(&FromGuard::Telemetry(telemetry));
    }

    fn tell_runner(&mut self, asker: Asker, request: Request, answer: Answer) {
        self.asked += 1;
        self.send_runner(&FromGuard::Asked(Asked {
            number: self.asked,
            asker,
            request,
            answer,
        }));
    }

    fn send_runner(&mut self, message: &FromGuard) {
        let runner = self.slots.iter().position(|slot| {
            slot.as_ref()
                .is_some_and(|client| client.asker.role == Some(Role::Runner))
        });
        if let Some(index) = runner {
            self.send(index, message);
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

/// Puts a request where the core finds it; room was checked before the message was taken.
fn take(inbox: &mut Inbox, index: usize, asker: Asker, request: Request) {
    if inbox.signals.requests.push(request).is_ok() {
        let _ = inbox.askers.push((index, asker));
    }
}

/// Whether a connection is one of the runner's two.
fn is_runner(role: Role) -> bool {
    match role {
        Role::Runner | Role::Pulse => true,
        Role::Operator => false,
    }
}

#[cfg(test)]
mod tests;
