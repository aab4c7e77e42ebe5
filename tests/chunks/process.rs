//! Late inference through the program itself, measured on the simulator's wire.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::motion::COUNT;
use crate::common::{Controller, Goals, Sim, now_ns, root};

/// The cell's tick and its limits on every joint.
const TICK: f64 = 0.005;
const VELOCITY: f64 = 3.0;
const ACCELERATION: f64 = 40.0;

/// A cell whose policy sways, is joined in the way `chunks` and held up by `held_up`.
fn cell(sim: &Sim, folder: &Path, package: &str, chunks: &str, held_up: &str) -> PathBuf {
    let package = root().join("tests/packages").join(package);
    let cell = job(sim, folder, &package, &format!("chunks = \"{chunks}\""));
    let text = std::fs::read_to_string(&cell).unwrap();
    let text = format!("{text}\n[inference]\nheld_up = {{ {held_up} }}\n");
    std::fs::write(&cell, text).unwrap();
    cell
}

/// A cell whose first job runs `package`, with `keys` of its own.
fn job(sim: &Sim, folder: &Path, package: &Path, keys: &str) -> PathBuf {
    let cell = sim.cell("quick.toml", folder);
    let text = std::fs::read_to_string(&cell).unwrap();
    let hold = format!("\"{}\"", root().join("tests/packages/hold").display());
    assert!(text.contains(&hold), "{text}");
    let text = text
        .replacen(&hold, &format!("\"{}\"\n{keys}", package.display()), 1)
        .replacen("shoulder_pan = 1.4", "shoulder_pan = -0.3", 1)
        .replacen("wrist_roll = 0.0", "wrist_roll = 1.2", 1)
        // A busy host holds pictures up, too.
        .replace("height = 96", "height = 96\nmax_age_ms = 400");
    std::fs::write(&cell, text).unwrap();
    cell
}

/// What a whole number of counts, on either side, and a tick that was not quite one, may add.
fn assert_inside_limits(goals: &[Goals]) {
    for three in goals.windows(3) {
        let ticks = |pair: &[Goals]| (pair[1].tick_ns - pair[0].tick_ns) as f64 * 1e-9;
        let (first, second) = (ticks(&three[..2]), ticks(&three[1..]));
        for joint in 0..three[0].counts.len() {
            let at = |index: usize| f64::from(three[index].counts[joint]) * COUNT;
            let (before, after) = (at(1) - at(0), at(2) - at(1));
            // A tick that was missed was a longer one.
            let most = VELOCITY * second.max(TICK) * 1.3 + COUNT;
            assert!(after.abs() <= most, "joint {joint} at {three:?}");
            let longest = first.max(second).max(TICK) * 1.3;
            let bend = (after / second.max(TICK) - before / first.max(TICK)) * TICK;
            let most = ACCELERATION * longest * longest + 2.5 * COUNT;
            assert!(
                bend.abs() <= most,
                "joint {joint} at {three:?}: {bend} > {most}"
            );
        }
    }
}

#[test]
fn late_and_jittering_inference_keeps_the_arm_swaying_inside_its_limits() {
    for (seed, chunks) in (60..).zip(["append", "cross-fade", "ensemble"]) {
        let sim = Sim::start(seed);
        let folder = tempfile::tempdir().unwrap();
        let held_up = "by_ms = 66, jitter_ms = 66";
        let cell = cell(&sim, folder.path(), "sway", chunks, held_up);
        let controller = Controller::run(&cell, &["--job", "left"]);
        controller.wait_status("led by the policy", |s| {
            s["policy"]["inference_ms"]["p50"].as_f64() > Some(60.0)
        });
        let since = now_ns();
        std::thread::sleep(Duration::from_secs(5));
        let status = controller.status();
        assert_eq!(status["mode"], "running", "{chunks}: {status}");
        assert_eq!(status["plan"]["starved"], 0, "{chunks}: {status}");
        assert_eq!(status["plan"]["refused"], 0, "{chunks}: {status}");
        let goals = sim.goals(since);
        let pans: Vec<i32> = goals.iter().map(|goal| goal.counts[0]).collect();
        let range = pans.iter().max().unwrap() - pans.iter().min().unwrap();
        assert!(range > 100, "{chunks}: it sways: {range} counts");
        assert_inside_limits(&goals);
    }
}

#[test]
fn a_stall_of_inference_stops_the_arm_and_the_late_chunk_moves_nothing() {
    let sim = Sim::start(63);
    let folder = tempfile::tempdir().unwrap();
    let held_up = "by_ms = 20, stall_ms = 2500, stall_at = 12";
    let cell = cell(&sim, folder.path(), "sway", "cross-fade", held_up);
    let since = now_ns();
    let controller = Controller::run(&cell, &["--job", "left"]);
    let status = controller.wait_status("stopped", |s| {
        s["mode"] == "stopped" && s["plan"]["starved"].as_u64() > Some(0)
    });
    let cause = status["cause"].as_str().unwrap();
    assert!(cause.contains("ran out"), "{cause}");
    sim.wait_still();
    let stood = now_ns();
    // The chunk comes meanwhile.
    std::thread::sleep(Duration::from_millis(2500));
    let goals = sim.goals(since);
    assert_inside_limits(&goals);
    let later: Vec<&Goals> = goals.iter().filter(|goal| goal.t_ns > stood).collect();
    assert!(
        later
            .windows(2)
            .all(|pair| pair[0].counts == pair[1].counts)
    );
    assert_eq!(controller.status()["mode"], "stopped");
}

#[test]
fn a_graph_for_real_time_chunking_leads_the_arm_through_late_inference() {
    let sim = Sim::start(64);
    let folder = tempfile::tempdir().unwrap();
    let held_up = "by_ms = 66, jitter_ms = 66";
    let cell = cell(&sim, folder.path(), "goes_on", "cross-fade", held_up);
    let controller = Controller::run(&cell, &["--job", "left"]);
    controller.wait_status("led by the policy", |s| {
        s["policy"]["inference_ms"]["p50"].as_f64() > Some(60.0)
    });
    let since = now_ns();
    std::thread::sleep(Duration::from_secs(4));
    let status = controller.status();
    assert_eq!(status["mode"], "running", "{status}");
    let goals = sim.goals(since);
    assert_inside_limits(&goals);
    let pans: Vec<i32> = goals.iter().map(|goal| goal.counts[0]).collect();
    let range = pans.iter().max().unwrap() - pans.iter().min().unwrap();
    assert!(range > 50, "it sways: {range} counts");
}

/// The goals of four seconds of the policy of `package`, and how many chunks of it led meanwhile.
fn led(sim: &Sim, folder: &Path, package: &Path) -> (Vec<Goals>, f64) {
    // A cross-fade would give the steps in reserve a say, and the usual rate asks sooner.
    let keys = "chunks = \"cross-fade\"\nhorizon_steps = 0\nplan_hz = 0.5";
    let cell = job(sim, folder, package, keys);
    let controller = Controller::run(&cell, &["--job", "left"]);
    controller.wait_status("led by the policy", |s| {
        s["policy"]["inference_ms"]["p50"].as_f64() > Some(0.0)
    });
    // The way from the start to where the policy wants the joints.
    std::thread::sleep(Duration::from_millis(1500));
    let since = now_ns();
    std::thread::sleep(Duration::from_secs(4));
    let goals = sim.goals(since);
    let status = controller.status();
    assert_eq!(status["mode"], "running", "{status}");
    let ends = [goals.first(), goals.last()].map(|goal| f64::from(goal.unwrap().counts[3]));
    let chunks = (ends[1] - ends[0]) * COUNT / 0.01;
    (goals, chunks)
}

#[test]
fn of_each_chunk_the_wire_has_the_steps_that_are_meant_to_be_executed() {
    let sim = Sim::start(65);
    let folder = tempfile::tempdir().unwrap();
    let package = root().join("tests/packages/reserve");
    let (goals, chunks) = led(&sim, folder.path(), &package);
    assert_inside_limits(&goals);
    // Eight steps at 15 Hz, and each chunk is there a little before the one before it is done.
    println!("{chunks:.1} chunks of eight steps in 4 s");
    assert!((6.5..12.5).contains(&chunks), "{chunks}");
    // What the policy says for a step is 0.2 rad/s of the first joint.
    let mut speeds: Vec<f64> = goals
        .windows(21)
        .map(|some| {
            let (first, last) = (&some[0], &some[20]);
            let moved = f64::from(last.counts[0] - first.counts[0]) * COUNT;
            moved / ((last.tick_ns - first.tick_ns) as f64 * 1e-9)
        })
        .collect();
    speeds.sort_by(f64::total_cmp);
    let median = speeds[speeds.len() / 2];
    println!("{median:.3} rad/s");
    assert!((0.18..0.22).contains(&median), "{median}");
    // No step of the reserve, which would turn this joint by 0.05 rad more each.
    let away = strayed(&goals);
    println!("{away:.4} rad off");
    assert!(away < 0.02, "{away}");

    // The same without a word of the eight: all sixteen are executed.
    let whole = folder.path().join("reserve");
    std::fs::create_dir(&whole).unwrap();
    for file in ["reserve.onnx", "manifest.json"] {
        let text = std::fs::read(package.join(file)).unwrap();
        std::fs::write(whole.join(file), text).unwrap();
    }
    let manifest = whole.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let mut said: serde_json::Value = serde_json::from_str(&text).unwrap();
    let runner = said["model"]["runner"].as_object_mut().unwrap();
    assert!(runner.remove("n_action_steps").is_some());
    std::fs::write(&manifest, said.to_string()).unwrap();
    let (goals, chunks) = led(&sim, folder.path(), &whole);
    println!("{chunks:.1} chunks of sixteen steps in 4 s");
    assert!(chunks < 5.5, "{chunks}");
    assert!(strayed(&goals) > 0.2, "{}", strayed(&goals));
}

/// How far the goals of the fifth joint are apart, radians.
fn strayed(goals: &[Goals]) -> f64 {
    let rolls = goals.iter().map(|goal| goal.counts[4]);
    let (least, most) = (rolls.clone().min().unwrap(), rolls.max().unwrap());
    f64::from(most - least) * COUNT
}
