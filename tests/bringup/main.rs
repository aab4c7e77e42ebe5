//! From servos out of their boxes to a running policy, through a terminal, with the wrong turns a
//! person takes: scan, setup, calibrate, check, run, on both buses.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod terminal;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Controller, Servos, Sim, output, request, surehand};
use serde_json::{Value, json};
use terminal::Terminal;

const JOINTS: [&str; 6] = [
    "shoulder_pan",
    "shoulder_lift",
    "elbow_flex",
    "wrist_flex",
    "wrist_roll",
    "gripper",
];
/// From stop to stop, joint by joint, rad: folded out of the table's way as a person would.
const WAY: [(usize, f64); 20] = [
    (0, -1.91986),
    (0, 1.91986),
    (0, 0.0),
    (4, 0.3),
    (4, -0.3),
    (4, 0.0),
    (5, -0.174533),
    (5, 1.74533),
    (5, 0.785),
    (3, 1.65806),
    (3, -1.65806),
    (2, -1.69),
    (1, 1.74533),
    (1, -1.2),
    (2, 1.69),
    (1, -1.74533),
    (1, -1.2),
    (2, 0.0),
    (1, 0.0),
    (3, 0.0),
];
/// The middle of each joint's range, rad.
const MIDDLE: [f64; 6] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.785];
/// By then every servo that was given power answers.
const BOOTED: Duration = Duration::from_millis(200);
/// Folded so that the job's start is near.
const START: [f64; 6] = [0.3, -0.6, 0.6, 1.0, 0.0, 0.3];

/// The arm on a bench, and a person's hands.
struct Bench {
    sim: Sim,
    folder: tempfile::TempDir,
    cell: PathBuf,
}

impl Bench {
    fn new(servos: Servos) -> Bench {
        let sim = Sim::fresh(11, servos);
        let folder = tempfile::tempdir().unwrap();
        let cell = sim.cell("calm.toml", folder.path());
        // Its calibration is still to be made.
        let text = std::fs::read_to_string(&cell).unwrap();
        let line = text
            .lines()
            .find(|it| it.starts_with("calibration"))
            .unwrap();
        let text = text.replace(line, "calibration = \"arm.json\"");
        std::fs::write(&cell, text).unwrap();
        Bench { sim, folder, cell }
    }

    fn cell(&self) -> &str {
        self.cell.to_str().unwrap()
    }

    fn hands(&self, act: &Value) {
        request(&self.sim.http, "POST", "/hands", &act.to_string()).expect("hands can do that");
    }

    fn connect(&self, joints: &[&str]) {
        self.hands(&json!({"hands": "connect", "servos": joints}));
        // Servos boot faster than a person reaches for a key.
        std::thread::sleep(BOOTED);
    }

    fn power(&self, on: bool) {
        self.hands(&json!({"hands": "power", "on": on}));
        std::thread::sleep(BOOTED);
    }

    fn cut_power(&self, at_write: u32, kept: bool) {
        self.hands(&json!({"hands": "cut_power", "at_write": at_write, "kept": kept}));
    }

    /// Turns a joint and waits until it is there.
    fn turn(&self, joint: usize, to: f64) {
        self.hands(&json!({"hands": "turn", "joint": JOINTS[joint], "to": to}));
        self.sim.wait_joint(joint, |at, speed| {
            (at - to).abs() < 0.01 && speed.abs() < 0.05
        });
    }

    fn turn_all(&self, pose: &[f64; 6]) {
        for (joint, to) in pose.iter().enumerate() {
            self.hands(&json!({"hands": "turn", "joint": JOINTS[joint], "to": to}));
        }
        for (joint, to) in pose.iter().enumerate() {
            self.sim.wait_joint(joint, |at, _| (at - to).abs() < 0.02);
        }
    }

    /// Moves every joint from stop to stop; the elbow, if it is to stay short, to one of its own.
    fn stop_to_stop(&self, elbow_short: bool) {
        for (joint, to) in WAY {
            let short = elbow_short && joint == 2 && to > 0.0;
            self.turn(joint, if short { 0.0 } else { to });
        }
    }

    /// Each servo's EEPROM.
    fn eeprom(&self) -> Vec<Vec<u8>> {
        let servos = common::get(&self.sim.http, "/eeprom");
        let hex = |servo: &Value| {
            let hex = servo["hex"].as_str().unwrap().to_owned();
            let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
            (0..hex.len() / 2).map(byte).collect()
        };
        servos.as_array().unwrap().iter().map(hex).collect()
    }
}

fn run(args: &[&str]) -> (i32, String) {
    let ended = output(surehand().args(args));
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (ended.status.code().expect("a code"), said)
}

fn whole_way(servos: Servos) {
    let bench = Bench::new(servos);
    scan_and_wrong_ports(&bench);
    set_up(&bench, servos);
    calibrate(&bench, servos);
    verify_check_and_run(&bench);
}

fn scan_and_wrong_ports(bench: &Bench) {
    let port = bench.sim.pty.to_str().unwrap();
    let (code, said) = run(&["scan", port]);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("nothing answers") && said.contains("--all-bauds"),
        "{said}"
    );
    let (code, said) = run(&["setup", bench.cell(), "--port", "/dev/null"]);
    assert!(
        code == 3 && said.contains("/dev/null is not a serial port"),
        "{said}"
    );
    bench.connect(&["gripper", "wrist_roll"]);
    let (code, said) = run(&["scan", port]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("several servos") && said.contains("surehand setup"),
        "{said}"
    );
    bench.connect(&["gripper"]);
    let (code, said) = run(&["scan", port, "--json"]);
    let found: Value = serde_json::from_str(&said).expect("one document");
    let servo = &found["servos"][0];
    assert_eq!((code, &servo["id"]), (0, &json!(1)), "{said}");
    assert!(
        servo["model"] == "STS3215" || servo["model"] == "XL430-W250",
        "{said}"
    );
    bench.connect(&[]);
}

fn set_up(bench: &Bench, servos: Servos) {
    let other = match servos {
        Servos::Feetech => "dynamixel",
        Servos::Dynamixel => "feetech",
    };
    let port = bench.sim.pty.to_str().unwrap();
    let notebook = bench.folder.path().join("other.jsonl");
    let mut setup = Terminal::run(&[
        "setup",
        "--family",
        other,
        "--joints",
        "a",
        "--port",
        port,
        "--notebook",
        notebook.to_str().unwrap(),
    ]);
    setup.see("Connect the servo of a alone");
    bench.connect(&["gripper"]);
    setup.enter("");
    setup.see("use the cell file (or --family) of this arm");
    setup.ctrl_c();
    assert_eq!(setup.end().code(), Some(1), "{}", setup.shown());
    bench.connect(&[]);

    let mut setup = Terminal::run(&["setup", bench.cell()]);
    setup.see("Connect the servo of shoulder_pan alone");
    setup.enter("");
    setup.see("nothing answers on");
    bench.connect(&["shoulder_pan", "gripper"]);
    setup.enter("");
    setup.see("unplug all but one");
    bench.connect(&["shoulder_pan"]);
    bench.cut_power(1, true);
    setup.enter("");
    setup.see("fell silent");
    bench.power(true);
    setup.enter("");
    setup.see("shoulder_pan: ");
    setup.see("Read back, locked. Label it 1.");
    setup.see("Connect the servo of shoulder_lift alone");
    // Still the first one.
    setup.enter("");
    setup.see("Is it truly the one of shoulder_lift?");
    setup.ctrl_c();
    assert_eq!(setup.end().code(), Some(1), "{}", setup.shown());
    assert!(
        setup.shown().contains("go on with `surehand setup"),
        "{}",
        setup.shown()
    );

    let mut setup = Terminal::run(&["setup", bench.cell()]);
    setup.see("shoulder_pan: done before");
    for (joint, id) in JOINTS.iter().zip(1..).skip(1) {
        setup.see(&format!("Connect the servo of {joint} alone"));
        bench.connect(&[joint]);
        if id == 4 {
            bench.cut_power(2, false);
            setup.enter("");
            setup.see("fell silent");
            bench.power(true);
        }
        setup.enter("");
        setup.see(&format!("Label it {id}."));
    }
    setup.see("connect all servos");
    bench.connect(&JOINTS[..5]);
    setup.enter("");
    setup.see("gripper: id 6 does not answer");
    bench.connect(&JOINTS);
    setup.enter("");
    setup.see("all 6 servos answer as they should");
    setup.see("next: `surehand calibrate");
    assert_eq!(setup.end().code(), Some(0), "{}", setup.shown());
    let (id, baud, delay, code) = match servos {
        Servos::Feetech => (5, 6, 7, 0),
        Servos::Dynamixel => (7, 8, 9, 3),
    };
    for (eeprom, right) in bench.eeprom().iter().zip(1..) {
        assert_eq!((eeprom[id], eeprom[baud], eeprom[delay]), (right, code, 0));
    }
}

fn calibrate(bench: &Bench, servos: Servos) {
    if servos == Servos::Dynamixel {
        // Horns near the middle of the encoder, but for one.
        for (joint, at) in JOINTS.iter().zip([2047, 2100, 100, 2000, 2040, 1600]) {
            bench.hands(&json!({"hands": "mount", "joint": joint, "encoder_at_zero": at}));
        }
    }
    bench.turn_all(&MIDDLE);
    let before = bench.eeprom();
    let mut calibrate = Terminal::run(&["calibrate", bench.cell()]);
    calibrate.see("Torque goes off now");
    calibrate.enter("no");
    calibrate.see("Torque goes off now");
    calibrate.enter("yes");
    calibrate.see("All joints are limp.");
    calibrate.see("middle of its range");
    calibrate.enter("");
    if servos == Servos::Dynamixel {
        calibrate.see("elbow_flex turns its encoder over inside its range");
        let again = json!({"hands": "mount", "joint": "elbow_flex", "encoder_at_zero": 2048});
        bench.hands(&again);
        std::thread::sleep(BOOTED);
        calibrate.enter("");
    }
    calibrate.see("Move each joint slowly");
    calibrate.enter("");
    calibrate.see("shoulder_pan was not moved");
    bench.stop_to_stop(true);
    calibrate.enter("");
    calibrate.see("elbow_flex was moved 1.");
    calibrate.see("move it to both ends");
    // Thought better of it: nothing was written.
    calibrate.ctrl_c();
    assert_eq!(calibrate.end().code(), Some(1), "{}", calibrate.shown());
    assert_eq!(bench.eeprom(), before);
    assert!(!bench.folder.path().join("arm.json").exists());

    bench.turn_all(&MIDDLE);
    let mut calibrate = Terminal::run(&["calibrate", bench.cell()]);
    calibrate.see("Torque goes off now");
    calibrate.enter("yes");
    calibrate.see("middle of its range");
    calibrate.enter("");
    calibrate.see("Move each joint slowly");
    bench.stop_to_stop(false);
    bench.cut_power(4, false);
    calibrate.enter("");
    calibrate.see("is written");
    calibrate.see("Restore power and cables");
    calibrate.ctrl_c();
    assert_eq!(calibrate.end().code(), Some(1), "{}", calibrate.shown());
    bench.power(true);
    let mut calibrate = Terminal::run(&["calibrate", bench.cell()]);
    calibrate.see("do not hold it. Type write");
    calibrate.enter("write");
    calibrate.see("The arm is calibrated");
    calibrate.see("next: `surehand check");
    assert_eq!(calibrate.end().code(), Some(0), "{}", calibrate.shown());
}

fn verify_check_and_run(bench: &Bench) {
    let (code, said) = run(&["calibrate", bench.cell(), "--verify"]);
    assert!(
        code == 0 && said.contains("next: `surehand check"),
        "{said}"
    );
    let copy = bench.folder.path().join("lerobot.json");
    let (code, said) = run(&[
        "calibrate",
        bench.cell(),
        "--export",
        copy.to_str().unwrap(),
    ]);
    assert_eq!(code, 0, "{said}");
    let copy = copy.to_str().unwrap();
    let mut import = Terminal::run(&["calibrate", bench.cell(), "--import", copy]);
    import.see("Torque goes off now");
    import.enter("yes");
    import.see("The arm is calibrated");
    assert_eq!(import.end().code(), Some(0), "{}", import.shown());
    let (code, said) = run(&["check", bench.cell()]);
    assert_eq!(code, 0, "{said}");
    bench.turn_all(&START);
    let mut controller = Controller::run(&bench.cell, &["--job", "left"]);
    controller.events.wait_mode("running");
    bench.sim.wait_joint(0, |at, _| at > 1.3);
    bench.sim.wait_still();
    let told = controller.status();
    assert!(agrees(&told, &bench.sim.positions()), "{told:#}");
    // Somebody wants to look while it runs.
    let (code, said) = run(&["scan", bench.sim.pty.to_str().unwrap()]);
    assert!(
        code == 3 && said.contains("in use by a controller"),
        "{said}"
    );
    assert_eq!(controller.verb("shutdown"), 0);
    let ended = controller.events.wait_exit(Duration::from_secs(60));
    assert_eq!(ended.code(), Some(1), "{}", controller.events.said());
}

/// Whether the controller measures a standing arm where it is, rad.
fn agrees(status: &Value, truth: &[f64]) -> bool {
    let joints = status["joints"].as_array().unwrap().iter();
    let told = joints.map(|joint| joint["position"].as_f64().unwrap());
    told.zip(truth)
        .all(|(told, truth)| (told - truth).abs() < 0.02)
}

#[test]
fn feetech_servos_go_from_their_boxes_to_a_running_policy() {
    whole_way(Servos::Feetech);
}

#[test]
fn dynamixel_servos_go_from_their_boxes_to_a_running_policy() {
    whole_way(Servos::Dynamixel);
}

#[test]
fn a_set_up_is_undone_from_its_notebook() {
    let bench = Bench::new(Servos::Feetech);
    let fresh = bench.eeprom();
    bench.connect(&["gripper"]);
    let port = bench.sim.pty.to_str().unwrap().to_owned();
    let notebook = bench.folder.path().join("two.jsonl");
    let notebook = notebook.to_str().unwrap();
    let args = [
        "setup",
        "--family",
        "feetech",
        "--joints",
        "wrist_roll,gripper",
        "--port",
        &port,
        "--baud",
        "500000",
        "--joint",
        "gripper",
    ];
    let mut setup = Terminal::run(&[&args[..], &["--notebook", notebook]].concat());
    setup.see("Connect the servo of gripper alone");
    setup.enter("");
    setup.see("Label it 2.");
    setup.see("connect all servos");
    setup.enter("skip");
    assert_eq!(setup.end().code(), Some(0), "{}", setup.shown());
    assert_ne!(bench.eeprom(), fresh);
    let mut undo = Terminal::run(&[&args[..], &["--undo", notebook]].concat());
    undo.see("gets back what it held");
    undo.enter("");
    undo.see("every servo holds what it held before");
    assert_eq!(undo.end().code(), Some(0), "{}", undo.shown());
    assert_eq!(bench.eeprom(), fresh);
    let lines = std::fs::read_to_string(Path::new(notebook)).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
}

#[test]
fn answers_are_read_from_a_pipe_as_well_and_its_end_ends_the_command() {
    let bench = Bench::new(Servos::Feetech);
    let began = Instant::now();
    let (code, said) = run(&["setup", bench.cell(), "--json"]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("\"event\":\"ask\"") && said.contains("the input has ended"),
        "{said}"
    );
    assert!(began.elapsed() < Duration::from_secs(60));
}
