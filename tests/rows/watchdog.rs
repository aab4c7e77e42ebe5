//! The bus watchdog of Dynamixel servos, row 42, but for what is only struck and measured.

use serde_json::json;

use crate::common::motion::{moving, settle};
use crate::common::{Frame, Servos, Sim, now_ns, output, surehand};
use crate::strike::holds;

/// When the host wrote `value` to a bus watchdog, by sync write.
fn watchdog_writes(frames: &[Frame], value: u8) -> Vec<u64> {
    let host = frames.iter().filter(|frame| frame.from_host);
    host.filter(|frame| {
        frame.bytes.get(7..12) == Some(&[0x83, 98, 0, 1, 0]) && frame.bytes.get(13) == Some(&value)
    })
    .map(|frame| frame.t_ns)
    .collect()
}

#[test]
fn a_tripped_bus_watchdog_is_set_right_only_once_the_arm_stands() {
    let sim = Sim::with(42, Servos::Dynamixel);
    let folder = tempfile::tempdir().unwrap();
    let mut controller = moving(&sim, folder.path(), 3);
    let before = now_ns() - 400_000_000;
    sim.fault(&json!({"fault": "watchdog", "id": 2}));
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    let cause = status["cause"].as_str().unwrap();
    assert!(cause.contains("shoulder_lift has tripped"), "{cause}");
    settle();
    let frames = sim.wire(before);
    let off = watchdog_writes(&frames, 0);
    let cleared = *off.first().expect("it is switched off");
    let on = watchdog_writes(&frames, 15);
    assert!(
        on.iter().any(|t_ns| *t_ns > cleared),
        "and on again: {on:?}"
    );
    let goals = sim.goals(before);
    let last = goals.last().unwrap();
    let moved = goals.iter().rfind(|goal| goal.counts[0] != last.counts[0]);
    let moved = moved.expect("the arm was moving").t_ns;
    assert!(moved < cleared, "set right while the arm moved");
    holds(&sim);
    // The cause is gone, and a deliberate act goes on.
    controller.wait_status("reset", |_| controller.verb("reset") == 0);
    assert_eq!(controller.verb("start"), 0);
    controller.events.wait_mode("running");
    sim.wait_still();
    assert_eq!(controller.status()["mode"], "running");
}

#[test]
fn a_bus_watchdog_that_was_not_tested_is_not_relied_on() {
    let sim = Sim::with(43, Servos::Dynamixel);
    let folder = tempfile::tempdir().unwrap();
    let cell = sim.cell("quick.toml", folder.path());
    let text = std::fs::read_to_string(&cell).unwrap();
    let started = |tested: &str| {
        std::fs::write(&cell, text.replace("XL430-W250 fw 45", tested)).unwrap();
        let mut command = surehand();
        let run = [
            "run", "--json", "--job", "left", "--for", "1", "--linger", "0",
        ];
        let ended = output(
            command
                .args(run)
                .arg("--socket")
                .arg(folder.path().join("it.sock"))
                .arg(&cell),
        );
        (
            ended.status.code(),
            String::from_utf8_lossy(&ended.stderr).into_owned(),
        )
    };
    // Another firmware of this model: what it does is not known.
    let since = now_ns();
    let (code, said) = started("XL430-W250 fw 44");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("XL430-W250 with firmware 45"), "{said}");
    assert!(watchdog_writes(&sim.wire(since), 15).is_empty());
    // Another model: this one goes without.
    let since = now_ns();
    let (_, said) = started("XM430-W350 fw 45");
    assert!(said.contains("goes without its bus watchdog"), "{said}");
    assert!(!sim.goals(since).is_empty(), "{said}");
    assert!(watchdog_writes(&sim.wire(since), 15).is_empty());
}
