//! A Koch v1.1: servos of two models, with two supplies, on one line.

use serde_json::{Value, json};

use super::{Bench, common};
use common::{Sim, output, root, surehand};

/// `cells/koch.toml` on the simulated arm, with this said of its bus besides.
fn koch(bus: &str) -> Bench {
    let sim = Sim::scene(5, "koch.toml");
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(root().join("cells/koch.toml")).unwrap();
    let at = |file: &str| root().join(file).display().to_string();
    let text = text
        .replace("/dev/ttyACM0", &sim.pty.display().to_string())
        .replace("../urdf/koch.urdf", &at("urdf/koch.urdf"))
        .replace("../calibration/koch.json", &at("calibration/koch-sim.json"))
        .replace(
            "[loop]\n",
            &format!("{bus}\n[loop]\nallow_without_realtime = true\n"),
        )
        .replace("[monitors]\n", "[monitors]\nhold_up_ms = 150\n");
    let cell = folder.path().join("koch.toml");
    std::fs::write(&cell, text).unwrap();
    Bench::of(sim, folder, cell)
}

fn json_of(args: &[&str]) -> Value {
    let said = output(surehand().args(args).arg("--json")).stdout;
    serde_json::from_slice(&said).unwrap()
}

#[test]
fn two_models_with_two_supplies_are_checked_and_moved_as_one_arm() {
    let bench = koch("");
    let checked = json_of(&["check", bench.cell.to_str().unwrap()]);
    assert_eq!(checked["ok"], true, "{checked:#}");
    // Clear of the table first: the small servos would push against it.
    for (joint, to) in [
        ("shoulder_lift", 0.0),
        ("elbow_flex", 0.3),
        ("wrist_flex", 0.3),
    ] {
        bench.hands(&json!({"hands": "turn", "joint": joint, "to": to}));
    }
    for (joint, to) in [(1, 0.0), (2, 0.3), (3, 0.3)] {
        bench.sim.wait_joint(joint, |at, _| (at - to).abs() < 0.03);
    }
    let mut terminal = bench.jog();
    bench.hands(&json!({"hands": "let_go"}));
    let status = common::status(&bench.socket).unwrap();
    let volts = |joint: usize| status["joints"][joint]["voltage"].as_f64().unwrap();
    assert!(volts(1) > 7.0 && volts(3) < 5.5, "{status:#}");
    for (key, joint) in [("q", 0), ("e", 2), ("y", 5)] {
        let before = bench.at(joint);
        bench.hold(&mut terminal, key, || bench.at(joint) > before + 0.05);
    }
    terminal.press("\t");
    terminal.see("the keys move the tool");
    bench.sim.wait_still();
    let before = bench.tool();
    bench.hold(&mut terminal, "e", || bench.tool()[2] > before[2] + 0.01);
    terminal.ctrl_c();
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.shown());
}

#[test]
fn only_servos_of_a_model_that_was_tested_are_watched() {
    let bench = koch("watchdog = { after_ms = 300, tested = [\"XL430-W250 fw 45\"] }");
    let began = common::now_ns();
    let mut terminal = bench.jog();
    // Sync writes of register 98, one byte a servo: the last says what each has.
    let wire = bench.sim.wire(began);
    let mut written = wire.iter().filter(|frame| {
        frame.from_host && frame.bytes.get(7..12) == Some([0x83, 98, 0, 1, 0].as_slice())
    });
    let last = written.next_back().expect("watchdogs are set");
    let pairs: Vec<(u8, u8)> = last.bytes[12..last.bytes.len() - 2]
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect();
    assert_eq!(pairs, [(1, 15), (2, 15), (3, 0), (4, 0), (5, 0), (6, 0)]);
    terminal.ctrl_c();
    terminal.end();
}
