//! A contact on a line of a GPIO chip.
//!
//! The line is pulled away from where a closed contact leads it, so that an open wire reads as an
//! open contact. Reading is one call of the chip's driver: lines of the processor itself answer at
//! once, a chip behind a slow bus makes every tick longer.
//!
//! Real time: reading allocates nothing.

use std::path::Path;

use gpiocdev::Request;
use gpiocdev::line::{Bias, Value};

use super::{Channel, ChannelError};
use crate::cell::{Contact, Pull};
use crate::messages::Level;
use crate::units::MonoTime;

/// A line as a contact.
pub(super) struct GpioContact {
    request: Request,
    contact: Contact,
}

/// Takes `line` of `chip` as an input.
pub(super) fn open(
    chip: &Path,
    line: u32,
    contact: Contact,
    pull: Pull,
) -> Result<GpioContact, ChannelError> {
    let mut builder = Request::builder();
    builder
        .on_chip(chip)
        .with_consumer("surehand")
        .with_line(line)
        .as_input();
    if let Some(bias) = bias(contact, pull) {
        builder.with_bias(bias);
    }
    let no = |error: &dyn std::fmt::Display| {
        ChannelError::new(
            chip,
            format!(
                "line {line} can't be had as an input ({error}): check chip, line, group and, where the chip has no resistors, `pull = \"external\"`"
            ),
        )
    };
    let request = builder.request().map_err(|error| no(&error))?;
    request.lone_value().map_err(|error| no(&error))?;
    Ok(GpioContact { request, contact })
}

/// Away from where a closed contact leads.
fn bias(contact: Contact, pull: Pull) -> Option<Bias> {
    match (pull, contact) {
        (Pull::Internal, Contact::ToGround) => Some(Bias::PullUp),
        (Pull::Internal, Contact::ToSupply) => Some(Bias::PullDown),
        (Pull::External, Contact::ToGround | Contact::ToSupply) => None,
    }
}

fn meaning(contact: Contact, value: Value) -> Level {
    match (contact, value) {
        (Contact::ToGround, Value::Inactive) | (Contact::ToSupply, Value::Active) => Level::Closed,
        (Contact::ToGround, Value::Active) | (Contact::ToSupply, Value::Inactive) => Level::Open,
    }
}

impl Channel for GpioContact {
    fn level(&mut self, _now: MonoTime) -> Level {
        self.request
            .lone_value()
            .map_or(Level::Broken, |value| meaning(self.contact, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_wire_reads_as_an_open_contact() {
        for contact in [Contact::ToGround, Contact::ToSupply] {
            let floating = match bias(contact, Pull::Internal) {
                Some(Bias::PullUp) => Value::Active,
                Some(Bias::PullDown) => Value::Inactive,
                other => panic!("{other:?}"),
            };
            assert_eq!(meaning(contact, floating), Level::Open);
            assert_eq!(meaning(contact, floating.not()), Level::Closed);
            assert_eq!(bias(contact, Pull::External), None);
        }
    }

    #[test]
    fn a_chip_that_is_not_there_is_told_in_one_line() {
        let open = open(
            Path::new("/dev/no-such-chip"),
            4,
            Contact::ToGround,
            Pull::Internal,
        );
        let error = open.err().unwrap().to_string();
        assert!(error.starts_with("/dev/no-such-chip: line 4 "), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
