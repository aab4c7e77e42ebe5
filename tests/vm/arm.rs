//! A simulated arm that runs outside of the virtual machine: its line comes in as a device, the rest
//! over the network.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Controller, get, request, root};

/// Where `tests/vm/run` says which arms there are: name, HTTP port and baud rate a line.
const ARMS: &str = "/arms";
/// How long anything may take in here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The arm.
pub(crate) struct Arm {
    http: String,
    baud: u32,
}

impl Arm {
    /// The one called `name`.
    pub(crate) fn named(name: &str) -> Arm {
        let arms = std::fs::read_to_string(ARMS).unwrap();
        let mut lines = arms.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let line = lines.find(|line| line[0] == name).unwrap();
        Arm {
            // What the virtual machine's network calls the machine around it.
            http: format!("10.0.2.2:{}", line[1]),
            baud: line[2].parse().unwrap(),
        }
    }

    /// A cell with this arm on `port`, in `folder`.
    pub(crate) fn cell(&self, port: &Path, folder: &Path) -> PathBuf {
        let text = std::fs::read_to_string(root().join("tests/vm/cell.toml")).unwrap();
        let text = text
            .replace("@ROOT@", &root().display().to_string())
            .replace("@PORT@", &port.display().to_string())
            .replace("@BAUD@", &self.baud.to_string())
            .replace("@HTTP@", &self.http);
        let cell = folder.join("vm.toml");
        std::fs::write(&cell, text).unwrap();
        cell
    }

    /// Its adapter holds replies back for so long.
    pub(crate) fn hold_back(&self, ms: u32) {
        let fault = json!({"fault": "latency", "ms": ms}).to_string();
        request(&self.http, "POST", "/faults", &fault).unwrap();
    }

    fn joints(&self) -> Vec<Value> {
        get(&self.http, "/state")["joints"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Where its joints are, and whether each holds.
    pub(crate) fn joint(&self, key: &str) -> Vec<Value> {
        let joints = self.joints();
        joints.iter().map(|joint| joint[key].clone()).collect()
    }

    /// Waits until the pan joint is on its way for `controller`.
    pub(crate) fn wait_moving(&self, controller: &Controller) {
        let fast = |joints: &[Value]| joints[0]["velocity"].as_f64().unwrap().abs() > 0.2;
        let begin = Instant::now();
        while !fast(&self.joints()) {
            assert!(
                begin.elapsed() < PATIENCE,
                "never moving: {:#}",
                controller.status()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until all joints stand.
    pub(crate) fn wait_standing(&self) {
        let slow = |joint: &Value| joint["velocity"].as_f64().unwrap().abs() < 0.01;
        wait_for("standing", || self.joints().iter().all(slow).then_some(()));
    }
}

/// Waits until `wanted` gives something.
pub(crate) fn wait_for<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = wanted() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "never {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Prints how a running arm's line and loop are doing; its status.
pub(crate) fn tell_running(controller: &Controller) -> Value {
    let status = controller.status();
    println!(
        "  running: bus {} µs, late {} µs, {} of {} ticks missed, errors {}",
        status["bus"]["cycle_us"],
        status["tick"]["lateness_us"],
        status["tick"]["missed"],
        status["tick"]["count"],
        status["bus"]["errors"]
    );
    status
}
