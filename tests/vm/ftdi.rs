//! An FTDI adapter, as the virtual machine emulates one: the kernel's driver finds it, keeps its
//! latency timer and sets it in the chip.
//!
//! The emulated chip keeps the timer's value and hands bytes on at once all the same, and it comes up
//! with 0 where the maker's have 16. So the timer is put to 16 here, and what a chip would do about
//! its value, the simulated arm does: it holds every reply back for that long.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::arm::{Arm, tell_running};
use crate::common::{Controller, answered, output, surehand};

const PORT: &str = "/dev/ttyUSB0";
const TIMER: &str = "/sys/bus/usb-serial/devices/ttyUSB0/latency_timer";
const RULE: &str = "/etc/udev/rules.d/70-surehand-vm.rules";

fn timer() -> u32 {
    let text = std::fs::read_to_string(TIMER).unwrap();
    text.trim().parse().unwrap()
}

/// What `doctor` says of the port.
fn port_of(cell: &Path) -> (Option<i32>, Vec<Value>) {
    let looked = output(surehand().arg("doctor").arg(cell).arg("--json"));
    let said = String::from_utf8_lossy(&looked.stderr);
    let report: Value = serde_json::from_slice(&looked.stdout)
        .unwrap_or_else(|error| panic!("{error}; it said:\n{said}"));
    let mut items = report["items"].as_array().unwrap().clone();
    items.retain(|item| {
        let name = item["item"].as_str().unwrap();
        name.starts_with("port") || name == "bus"
    });
    for item in &items {
        println!("  {item}");
    }
    (looked.status.code(), items)
}

fn says(item: &Value, key: &str, what: &str) -> bool {
    item[key].as_str().is_some_and(|text| text.contains(what))
}

#[test]
#[ignore = "needs an emulated FTDI adapter: tests/vm/run"]
fn replies_held_back_for_16_ms_are_found_refused_and_mended() {
    let arm = Arm::named("ftdi");
    let folder = tempfile::tempdir().unwrap();
    let cell = arm.cell(Path::new(PORT), folder.path());
    println!("the emulated chip came up with its timer at {} ms", timer());
    std::fs::write(TIMER, "16").unwrap();
    assert_eq!(timer(), 16, "the driver takes it");
    arm.hold_back(timer());

    let (code, items) = port_of(&cell);
    assert_eq!(code, Some(3));
    let port = |item: &&Value| says(item, "item", PORT) && says(item, "what", "16 ms");
    let port = items.iter().find(port).expect("the timer is found");
    assert_eq!(port["state"], "error");
    assert!(says(port, "remedy", "latency_timer"), "{port}");

    let mut run = surehand();
    run.arg("run")
        .arg(&cell)
        .args(["--job", "left", "--socket"]);
    let refused = output(run.arg(folder.path().join("vm.sock")));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    let why = said.lines().find(|line| line.contains("latency_timer"));
    println!("  {}", why.expect("it names the setting"));

    let mended = answered(surehand().arg("doctor").arg(&cell).arg("--fix"), "y\n");
    let said = String::from_utf8_lossy(&mended.stderr);
    assert!(said.contains("set at once"), "{said}");
    let rule = std::fs::read_to_string(RULE).unwrap();
    assert!(rule.contains("ATTR{latency_timer}=\"1\""), "{rule}");
    assert_eq!(timer(), 1);
    arm.hold_back(timer());

    let (_, items) = port_of(&cell);
    for item in &items {
        // A machine this slow may miss an answer in a thousand.
        let bus = item["item"] == "bus" && item["state"] != "error";
        assert!(bus || item["state"] == "good", "{item}");
    }
    let mut controller = Controller::run(&cell, &["--job", "left"]);
    controller.events.wait_mode("running");
    arm.wait_moving(&controller);
    std::thread::sleep(Duration::from_secs(3));
    let status = tell_running(&controller);
    assert_eq!(status["mode"], "running", "{}", status["cause"]);
    assert_eq!(controller.verb("shutdown"), 0);
    controller.events.wait_exit(crate::arm::PATIENCE);
}
