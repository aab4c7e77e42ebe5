//! Every kind of input and relay, and what is wrong with one that is refused.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::cell::parse::parse;

const GOOD: &str = include_str!("../../../../cells/sim.toml");

fn cell(more: &str) -> Result<crate::cell::Cell, CellError> {
    parse(Path::new("cells/x.toml"), &format!("{GOOD}\n{more}"))
}

#[test]
fn every_kind_of_input_is_read() {
    let cell = cell(
        r#"
[inputs.a]
kind = "gpio"
role = "emergency_stop"
chip = "/dev/gpiochip0"
lines = [17, 27]
antivalent = true
disagree_ms = 30
[inputs.b]
kind = "modem"
role = "enabling"
lines = ["dcd"]
debounce_ms = 5
[inputs.c]
kind = "hid"
role = "emergency_stop"
device = "/dev/input/by-id/usb-button-event-kbd"
lines = [304]
[inputs.d]
kind = "simulated"
role = "enabling"
lines = ["pedal", "pedal2"]
[relay]
kind = "modem"
port = "/dev/ttyUSB1"
line = "rts"
"#,
    )
    .unwrap();
    let [a, b, c, d] = cell.inputs.as_slice() else {
        panic!("{:?}", cell.inputs);
    };
    assert_eq!(a.role, InputRole::EmergencyStop);
    assert_eq!(
        a.lines,
        Lines::Gpio {
            chip: "/dev/gpiochip0".into(),
            lines: vec![17, 27],
            contact: Contact::ToGround,
            pull: Pull::Internal,
        }
    );
    assert!(a.antivalent);
    assert_eq!(a.disagree, Duration::from_millis(30));
    assert_eq!(b.role, InputRole::Enabling);
    assert_eq!(
        b.lines,
        Lines::Modem {
            port: None,
            lines: vec![ModemLine::Dcd],
        }
    );
    assert_eq!(b.debounce, Duration::from_millis(5));
    assert!(matches!(&c.lines, Lines::Hid { lines, .. } if lines == &[304]));
    assert_eq!(
        d.lines,
        Lines::Simulated {
            lines: vec!["cells/pedal".into(), "cells/pedal2".into()],
        }
    );
    let relay = cell.relay.unwrap();
    assert_eq!(relay.line, RelayLine::Rts("/dev/ttyUSB1".into()));
    assert_eq!(relay.power_up, Duration::from_millis(500));
}

#[test]
fn a_wrong_input_is_told_in_one_line_with_its_place_and_what_would_be_right() {
    let cases = [
        (
            "kind = \"usb\"\nrole = \"enabling\"\nlines = [1]",
            2,
            "`inputs.x.kind` is \"usb\", it must be \"gpio\"",
        ),
        (
            "kind = \"gpio\"\nrole = \"stop\"\nlines = [1]",
            3,
            "must be \"emergency_stop\" or \"enabling\"",
        ),
        (
            "kind = \"gpio\"\nrole = \"enabling\"\nlines = [1]",
            2,
            "`inputs.x.chip` is missing",
        ),
        (
            "kind = \"gpio\"\nrole = \"enabling\"\nlines = [1]\nchip = \"c\"\nport = \"p\"",
            6,
            "`inputs.x.port` means nothing",
        ),
        (
            "kind = \"gpio\"\nrole = \"enabling\"\nlines = [\"dcd\"]\nchip = \"c\"",
            4,
            "a line number of the chip",
        ),
        (
            "kind = \"modem\"\nrole = \"enabling\"\nlines = [\"rts\"]",
            4,
            "\"dcd\", \"cts\", \"dsr\" or \"ri\"",
        ),
        (
            "kind = \"hid\"\nrole = \"enabling\"\nlines = [9000]\ndevice = \"d\"",
            4,
            "0 to 767",
        ),
        (
            "kind = \"simulated\"\nrole = \"enabling\"\nlines = []",
            4,
            "one line or two",
        ),
        (
            "kind = \"simulated\"\nrole = \"enabling\"\nlines = [\"a\"]\nantivalent = true",
            4,
            "a second line",
        ),
        (
            "kind = \"simulated\"\nrole = \"enabling\"\nlines = [\"a\"]\ndebounce_ms = -1",
            5,
            "`inputs.x.debounce_ms` is -1",
        ),
        (
            "kind = \"simulated\"\nrole = \"enabling\"\nlines = [\"a\"]\nnormally = \"open\"",
            5,
            "unknown field `normally`",
        ),
    ];
    let before = GOOD.matches('\n').count() + 1;
    for (table, line, what) in cases {
        let refusal = cell(&format!("[inputs.x]\n{table}"))
            .unwrap_err()
            .to_string();
        let place = format!("cells/x.toml:{}: ", before + line);
        assert!(refusal.starts_with(&place), "{place} {refusal}");
        assert!(refusal.contains(what), "{what}: {refusal}");
        assert!(!refusal.contains('\n'), "{refusal}");
    }
}

#[test]
fn a_wrong_relay_is_told_with_its_place() {
    let cases = [
        ("kind = \"gpio\"\nline = 4", "`relay.chip` is missing"),
        (
            "kind = \"gpio\"\nchip = \"c\"\nline = \"rts\"",
            "a line number",
        ),
        (
            "kind = \"modem\"\nport = \"p\"\nline = \"dcd\"",
            "\"rts\" or \"dtr\"",
        ),
        (
            "kind = \"modem\"\nline = \"rts\"",
            "`relay.port` is missing",
        ),
        ("kind = \"hid\"\nline = 4", "`relay.kind` is \"hid\""),
    ];
    for (table, what) in cases {
        let refusal = cell(&format!("[relay]\n{table}")).unwrap_err().to_string();
        assert!(refusal.contains(what), "{what}: {refusal}");
    }
}
