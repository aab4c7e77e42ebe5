//! The running guard takes little, and nothing new once it runs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Controller, Sim};

/// An input and a relay, as a cell that has all of it.
const INPUTS: &str = "
[inputs.stop]
kind = \"simulated\"
role = \"emergency_stop\"
lines = [\"stop\"]
[relay]
kind = \"simulated\"
line = \"relay\"
";

/// Fields of `/proc/PID/stat` after the command's name, counted from the state.
fn stat(pid: u32) -> Vec<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = text.rsplit_once(") ").unwrap();
    rest.split(' ')
        .map(|field| field.parse().unwrap_or_default())
        .collect()
}

/// Minor faults, major faults, and ticks of the scheduler's clock (10 ms) spent.
fn spent(pid: u32) -> (u64, u64, u64) {
    let stat = stat(pid);
    (stat[7], stat[9], stat[11] + stat[12])
}

fn resident_kb(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_running_guard_is_small_and_touches_no_new_page() {
    let sim = Sim::start(31);
    let folder = tempfile::tempdir().unwrap();
    let cell = sim.cell("calm.toml", folder.path());
    let text = std::fs::read_to_string(&cell).unwrap();
    std::fs::write(&cell, text + INPUTS).unwrap();
    std::fs::write(folder.path().join("stop"), "closed").unwrap();
    let mut controller = Controller::run(&cell, &["--job", "left"]);
    controller.events.wait_mode("running");
    // Every path of an ordinary run has been taken once, a status included.
    std::thread::sleep(Duration::from_secs(4));
    controller.status();
    let before = spent(controller.guard_pid);
    std::thread::sleep(Duration::from_secs(4));
    let status = controller.status();
    let after = spent(controller.guard_pid);
    assert_eq!(status["mode"], "running", "{status}");
    if status["memory_locked"] == true {
        // A hiccup of the machine may lead it over a page of code it never needed before.
        let faults = after.0 - before.0;
        assert!(faults <= 8, "it faulted {faults} pages in");
    }
    assert_eq!(before.1, after.1, "it waited for a disk");
    let share = (after.2 - before.2) as f64 / 400.0;
    println!("the guard took {:.1} % of a core", 100.0 * share);
    assert!(share < 0.15, "{share} of a core");
    let resident = resident_kb(controller.guard_pid);
    println!("the guard holds {resident} kB");
    assert!(resident < 16_000, "{resident} kB");
}
