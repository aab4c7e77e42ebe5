//! A policy on another machine: openpi's websocket protocol, its failures, and what the arm does.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod double;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use surehand::cell::Overrides;
use surehand::messages::{Cause, ServerFault, Waypoints};
use surehand::policy::{Observation, Picture, Policy, PolicyError};
use surehand::runner::Setup;
use surehand::units::{MonoTime, Rad, RadPerSec};

use common::{Controller, Sim, now_ns, output, root, surehand};
use double::{HORIZON, Manner, PolicyServer, RATE_HZ, floats};

/// A job whose policy is on the server at `address`, as DROID's policies are spoken to.
fn job(address: &str) -> String {
    format!(
        r#"
[jobs.remote]
episode_secs = 60
plan_hz = 4
start = {{ shoulder_pan = 1.2, shoulder_lift = -0.6, elbow_flex = 0.6, wrist_flex = 1.0, wrist_roll = 0.0, gripper = 0.3 }}

[jobs.remote.remote]
server = "{address}"
api_key_file = "openpi.key"
prompt = "swing to the right"
images = [
  {{ camera = "overhead", key = "observation/exterior_image_1_left", width = 48, height = 24 }},
  {{ camera = "wrist", key = ["images", "cam_wrist"], layout = "chw" }},
]

[[jobs.remote.remote.state]]
key = "observation/joint_position"
values = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll"]
units = "si"

[[jobs.remote.remote.state]]
key = "observation/gripper_position"
values = ["gripper"]
units = "percent"
scale = 0.01

[jobs.remote.remote.action]
order = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
units = "si"
gripper = {{ units = "percent", scale = 100.0 }}
rate_hz = {RATE_HZ}
horizon = {HORIZON}
first_step = 1
"#
    )
}

/// The shipped cell's arm and cameras with the job above, for what needs no arm.
fn cell(folder: &Path, address: &str) -> PathBuf {
    let text = std::fs::read_to_string(root().join("cells/sim.toml")).unwrap();
    let text = text.replace("../", &format!("{}/", root().display()));
    let file = folder.join("cell.toml");
    std::fs::write(&file, text + &job(address)).unwrap();
    std::fs::write(folder.join("openpi.key"), "s3cret\n").unwrap();
    file
}

fn load(folder: &Path, address: &str) -> Result<Policy, String> {
    let file = cell(folder, address);
    let setup = Setup::load(&file, Some("remote"), &Overrides::default()).unwrap();
    let loaded = setup.load_policy_with(setup.cell.inference.backend);
    loaded
        .map(|(policy, _)| policy)
        .map_err(|error| error.to_string())
}

const POSE: [f64; 6] = [0.5, -0.6, 0.6, 1.0, 0.1, 0.4];

fn asked(policy: &mut Policy, patience: Duration) -> Result<surehand::messages::Plan, PolicyError> {
    let grey = vec![100u8; 96 * 96 * 3];
    let picture = Picture {
        width: 96,
        height: 96,
        rgb: &grey,
    };
    let pose = POSE.map(Rad).to_vec();
    let observation = Observation {
        captured_at: MonoTime(1_000_000_000),
        pictures: vec![picture; 2],
        measured: pose.clone(),
        velocity: vec![RadPerSec(0.0); pose.len()],
        command: pose,
    };
    policy.plan(&observation, 1, patience)
}

const LONG: Duration = Duration::from_secs(20);

fn fault(error: &PolicyError) -> ServerFault {
    assert!(error.starves(), "{error}");
    match error.cause() {
        Cause::PolicyServer { fault } => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_observation_arrives_as_the_cell_lays_it_out_and_its_actions_come_back() {
    let server = PolicyServer::start();
    let folder = tempfile::tempdir().unwrap();
    let mut policy = load(folder.path(), &server.address()).unwrap();
    let description = policy.backend();
    assert_eq!(description.name, server.address());
    assert!(
        description.detail.contains("model: double"),
        "{description}"
    );
    policy.warm_up().unwrap();
    let plan = asked(&mut policy, LONG).unwrap();
    let seen = server.seen();
    assert_eq!(seen.authorization.as_deref(), Some("Api-Key s3cret"));
    assert_eq!(seen.texts["prompt"], "swing to the right");
    let joints = floats(&seen.arrays["observation/joint_position"]);
    assert_eq!(joints.len(), 5);
    assert!((joints[1] + 0.6).abs() < 1e-6, "{joints:?}");
    // Square pictures lie in the middle of a wide one, black beside them.
    let wide = &seen.arrays["observation/exterior_image_1_left"];
    assert_eq!(
        (wide.dtype.as_str(), &wide.shape[..]),
        ("|u1", &[24, 48, 3][..])
    );
    let row = &wide.data[..48 * 3];
    assert_eq!(
        (row[11 * 3], row[12 * 3], row[35 * 3], row[36 * 3]),
        (0, 100, 100, 0)
    );
    assert_eq!(seen.arrays["images.cam_wrist"].shape, [3, 96, 96]);
    let Waypoints::Joint(points) = &plan.waypoints else {
        panic!("not a joint plan");
    };
    assert_eq!(points.len(), HORIZON);
    let last = points[HORIZON - 1];
    let away = 0.25 * HORIZON as f64 / RATE_HZ;
    assert!((last.get(0).unwrap().0 - (0.5 - away)).abs() < 1e-5);
    // To and from a share of the gripper's range.
    assert!((last.get(5).unwrap().0 - 0.4).abs() < 2e-3, "{last:?}");
}

#[test]
fn whatever_is_wrong_with_an_answer_ends_the_connection_and_only_an_episode_makes_a_new_one() {
    let cases = [
        (Manner::Silent, ServerFault::Silent, "no answer within"),
        (
            Manner::Traceback,
            ServerFault::Refused,
            "KeyError: 'observation/joint_position'",
        ),
        (
            Manner::Short,
            ServerFault::Answer,
            "shape [11, 6], [12, 6] is declared",
        ),
        (Manner::Nan, ServerFault::NotFinite, "NaN"),
        (Manner::Huge, ServerFault::Answer, "too"),
        (
            Manner::Closing,
            ServerFault::Closed,
            "closed the connection",
        ),
    ];
    let server = PolicyServer::start();
    let folder = tempfile::tempdir().unwrap();
    let mut policy = load(folder.path(), &server.address()).unwrap();
    for (index, (manner, kind, words)) in cases.into_iter().enumerate() {
        assert!(asked(&mut policy, LONG).is_ok());
        server.answer(manner);
        let patience = match manner {
            Manner::Silent => Duration::from_millis(300),
            _ => LONG,
        };
        let error = asked(&mut policy, patience).unwrap_err();
        assert_eq!(fault(&error), kind, "{error}");
        let said = error.to_string();
        assert!(
            said.contains(words) && said.contains(&server.address()),
            "{said}"
        );
        assert!(!said.contains('\n'), "{said}");
        // It is well again, and nobody asks it: the episode is lost.
        server.answer(Manner::Well);
        let before = server.seen();
        assert_eq!(before.connections as usize, index + 1);
        assert_eq!(fault(&asked(&mut policy, LONG).unwrap_err()), kind);
        assert_eq!(server.seen().asked, before.asked);
        policy.begin();
    }
    assert!(asked(&mut policy, LONG).is_ok());
}

#[test]
fn a_connection_that_broke_while_nothing_was_asked_is_made_anew_for_the_next_episode() {
    let server = PolicyServer::start();
    let folder = tempfile::tempdir().unwrap();
    let mut policy = load(folder.path(), &server.address()).unwrap();
    policy.begin();
    assert!(asked(&mut policy, LONG).is_ok());
    assert_eq!(server.seen().connections, 1, "one that is well is kept");
    server.cut();
    let deadline = Instant::now() + LONG;
    while asked(&mut policy, LONG).is_err() {
        assert!(Instant::now() < deadline);
        policy.begin();
    }
    assert_eq!(server.seen().connections, 2);
}

#[test]
fn a_server_that_is_not_there_keeps_the_policy_from_loading() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens: the port was somebody's a moment ago.
    let port = PolicyServer::start().port;
    let error = load(folder.path(), &format!("ws://127.0.0.1:{port}"))
        .err()
        .unwrap();
    assert!(
        error.contains("can't be used") && error.contains(&port.to_string()),
        "{error}"
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = load(folder.path(), &format!("ws://127.0.0.1:{port}"))
        .err()
        .unwrap();
    assert!(error.contains("said nothing"), "{error}");
}

fn check(cell: &Path) -> (Value, Option<i32>) {
    let ended = output(surehand().args(["check", "--json"]).arg(cell));
    let said = serde_json::from_slice(&ended.stdout).unwrap();
    (said, ended.status.code())
}

#[test]
fn check_asks_the_server_how_it_is_and_says_what_it_found() {
    let server = PolicyServer::start();
    let folder = tempfile::tempdir().unwrap();
    let file = cell(folder.path(), &server.address());
    let (said, _) = check(&file);
    assert_eq!(server.seen().health_checks, 1);
    let asked = &said["servers"][0];
    assert_eq!(asked["there"], true, "{said:#}");
    let says = asked["says"].as_str().unwrap();
    assert!(
        says.contains("model: double") && says.contains("reset_pose: [0, 1.5]"),
        "{says}"
    );
    let inference = said["inference"].as_array().unwrap();
    let remote = inference.iter().find(|it| it["job"] == "remote").unwrap();
    assert_eq!(remote["backend"], server.address());
    let of_server = |it: &&Value| it["where"].as_str().unwrap().contains("remote");
    let findings = said["findings"].as_array().unwrap();
    let about: Vec<&Value> = findings.iter().filter(of_server).collect();
    assert_eq!(about.len(), 1, "{about:#?}");
    assert!(
        about[0]["what"]
            .as_str()
            .unwrap()
            .contains("can't be approved")
    );
}

#[test]
fn check_finds_a_server_that_is_not_there_and_does_not_hang() {
    let folder = tempfile::tempdir().unwrap();
    let port = PolicyServer::start().port;
    let file = cell(folder.path(), &format!("ws://127.0.0.1:{port}"));
    let (said, code) = check(&file);
    assert_eq!(code, Some(2));
    let findings = said["findings"].as_array().unwrap();
    let found = findings.iter().any(|it| {
        it["severity"] == "error"
            && it["where"] == "jobs.remote.remote.server"
            && it["what"].as_str().unwrap().contains("is not there")
    });
    assert!(found, "{said:#}");
}

/// The controller on `sim` with the server's job, its plans old when they are slow.
fn running(sim: &Sim, server: &PolicyServer, folder: &Path) -> Controller {
    let file = sim.cell("quick.toml", folder);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + &job(&server.address())).unwrap();
    std::fs::write(folder.join("openpi.key"), "s3cret").unwrap();
    Controller::run(&file, &["--job", "remote"])
}

/// Waits until the arm has come to the start, and the server has it swing away from there.
fn driven(controller: &Controller) -> Value {
    let at = |wanted: fn(f64) -> bool| move |s: &Value| s["mode"] == "running" && wanted(pan(s));
    controller.wait_status("at its start", at(|pan| pan > 1.15));
    controller.wait_status("driven by the server", at(|pan| pan < 0.95))
}

fn pan(status: &Value) -> f64 {
    status["joints"][0]["command"].as_f64().unwrap()
}

#[test]
fn a_server_drives_the_arm_and_cutting_it_in_the_middle_of_a_chunk_stops_the_arm_by_its_name() {
    let sim = Sim::start(61);
    let server = PolicyServer::start();
    let folder = tempfile::tempdir().unwrap();
    let controller = running(&sim, &server, folder.path());
    let status = driven(&controller);
    assert_eq!(status["policy"]["backend"], server.address(), "{status}");

    let cut = now_ns();
    let before = pan(&controller.status());
    server.cut();
    let stopped = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    let cause = stopped["cause"].as_str().unwrap();
    assert!(
        cause.contains("policy server") && cause.contains(&server.address()),
        "{cause}"
    );
    assert!(stopped["remedy"].as_str().unwrap().contains("server"));
    // The plan it had was good to its end.
    assert!(before - pan(&stopped) > 0.02, "{before} to {stopped}");
    sim.wait_still();
    assert!(!sim.goals(cut).is_empty());
    let connections = server.seen().connections;
    let asked = server.seen().asked;
    std::thread::sleep(Duration::from_millis(700));
    let seen = server.seen();
    assert_eq!(
        (seen.connections, seen.asked),
        (connections, asked),
        "nobody asks"
    );

    // After a stop, and by an operator alone, there is another connection and another episode.
    for verb in ["reset", "enable", "start"] {
        assert_eq!(controller.verb(verb), 0, "{verb}");
    }
    driven(&controller);
    assert_eq!(server.seen().connections, connections + 1);

    server.answer(Manner::Silent);
    let stopped = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    let cause = stopped["cause"].as_str().unwrap();
    assert!(cause.contains("gave no answer in time"), "{cause}");
    assert!(cause.contains(&server.address()), "{cause}");
}
