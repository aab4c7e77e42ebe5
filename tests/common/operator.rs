//! An operator's connection to the guard, kept open: a request is on its way the moment it is asked.

use std::path::Path;
use std::time::Duration;

use surehand::messages::channel::{Channel, Received, buffer};
use surehand::messages::{FromGuard, PROTOCOL, Request, Role, ToGuard, name};

/// The connection.
pub struct Operator {
    channel: Channel,
}

impl Operator {
    pub fn connect(socket: &Path) -> Operator {
        Operator::named(socket, "tester")
    }

    pub fn named(socket: &Path, who: &str) -> Operator {
        let operator = Operator::silent(socket);
        let hello = ToGuard::Hello {
            protocol: PROTOCOL,
            role: Role::Operator,
            name: name(who),
        };
        assert!(operator.channel.try_send(&hello, buffer().as_mut_slice()));
        let answer = operator.answer();
        assert!(
            matches!(answer, Some(FromGuard::Welcome { .. })),
            "{answer:?}"
        );
        operator
    }

    /// One that never says who it is.
    pub fn silent(socket: &Path) -> Operator {
        let channel = Channel::connect(socket).expect("the guard listens");
        Operator { channel }
    }

    pub fn send(&self, request: Request) {
        let request = ToGuard::Request(request);
        assert!(self.channel.try_send(&request, buffer().as_mut_slice()));
    }

    pub fn answer(&self) -> Option<FromGuard> {
        let mut bytes = buffer();
        match self
            .channel
            .receive_within(Duration::from_secs(2), bytes.as_mut_slice())
        {
            Received::Message(message) => Some(message),
            Received::Garbage | Received::Nothing | Received::Closed => None,
        }
    }
}
