//! Whole processes for tests: the simulated arm, the controller on it, and what both did.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a harness that each test file uses a part of; a test may panic"
)]

pub mod braking;
pub mod events;
pub mod log;
pub mod motion;
pub mod operator;
pub mod threads;

use std::io::{Read, Seek, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub use events::Events;

/// The program under test.
pub fn surehand() -> Command {
    Command::new(env!("CARGO_BIN_EXE_surehand"))
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `command` to its end, and that of all it has started and left its output to.
///
/// # Panics
/// When that takes two minutes, with what is still there.
pub fn output(command: &mut Command) -> Output {
    to_its_end(command.stdin(Stdio::null()))
}

/// As [`output`], with `answers` to what it asks.
pub fn answered(command: &mut Command, answers: &str) -> Output {
    let mut file = tempfile::tempfile().expect("a file for the answers");
    file.write_all(answers.as_bytes())
        .and_then(|()| file.rewind())
        .expect("the answers are written");
    to_its_end(command.stdin(file))
}

fn to_its_end(command: &mut Command) -> Output {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let pid = child.id();
    let (sender, ended) = channel();
    // Left behind when the test fails for it.
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match ended.recv_timeout(Duration::from_secs(120)) {
        Ok(output) => output.expect("its output can be read"),
        Err(_) => panic!(
            "{command:?} (process {pid}) has not ended; of the program there are:\n{}",
            threads::of_program()
        ),
    }
}

/// Cells share the machine's few cores: one at a time.
static ONE_CELL: Mutex<()> = Mutex::new(());

/// Waits for the others' cells to be gone, and holds further ones off while it lives.
pub fn turn() -> MutexGuard<'static, ()> {
    ONE_CELL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The simulated arm in a process of its own.
pub struct Sim {
    process: Events,
    servos: Servos,
    _turn: Option<MutexGuard<'static, ()>>,
    pub pty: PathBuf,
    pub http: String,
}

/// What moves its joints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Servos {
    /// Feetech STS3215.
    #[default]
    Feetech,
    /// Dynamixel XL430-W250.
    Dynamixel,
}

impl Sim {
    pub fn start(seed: u64) -> Sim {
        Sim::with(seed, Servos::Feetech)
    }

    pub fn with(seed: u64, servos: Servos) -> Sim {
        Sim::with_options(seed, servos, &[])
    }

    /// Servos out of their boxes.
    pub fn fresh(seed: u64, servos: Servos) -> Sim {
        Sim::with_options(seed, servos, &["--fresh"])
    }

    /// With a port whose name stays, `at`, as udev's names do.
    pub fn named(seed: u64, at: &Path) -> Sim {
        let at = at.to_str().expect("a path is text");
        Sim::with_options(seed, Servos::Feetech, &["--pty", at])
    }

    /// The scene in this file of `sim/scenes`, with the servos that it has: all Dynamixel's.
    pub fn scene(seed: u64, scene: &str) -> Sim {
        let scene = root().join("sim/scenes").join(scene);
        let scene = scene.to_str().expect("a path is text");
        Sim::launch(seed, Servos::Dynamixel, &[scene])
    }

    fn with_options(seed: u64, servos: Servos, options: &[&str]) -> Sim {
        let others: &[&str] = match servos {
            Servos::Feetech => &[],
            Servos::Dynamixel => &["--servos", "XL430-W250"],
        };
        Sim::launch(seed, servos, &[others, options].concat())
    }

    /// A second arm for the cell of this one, which has its turn already.
    pub fn beside(&self, seed: u64) -> Sim {
        Sim::spawn(seed, self.servos, &[], None)
    }

    fn launch(seed: u64, servos: Servos, options: &[&str]) -> Sim {
        Sim::spawn(seed, servos, options, Some(turn()))
    }

    fn spawn(
        seed: u64,
        servos: Servos,
        options: &[&str],
        turn: Option<MutexGuard<'static, ()>>,
    ) -> Sim {
        let mut process = Events::start(
            surehand()
                .args(["sim", "--seed", &seed.to_string()])
                .args(options),
        );
        let ready = process.wait("ready", |e| e["event"] == "ready");
        Sim {
            pty: ready["pty"].as_str().expect("a pty").into(),
            http: ready["http"].as_str().expect("an address").into(),
            process,
            servos,
            _turn: turn,
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn state(&self) -> Value {
        get(&self.http, "/state")
    }

    /// Strikes with `fault`; when it took effect.
    pub fn fault(&self, fault: &Value) -> u64 {
        let taken = request(&self.http, "POST", "/faults", &fault.to_string());
        let taken = taken.expect("a fault is taken");
        taken["t_ns"].as_u64().expect("when it took effect")
    }

    pub fn clear_faults(&self) {
        request(&self.http, "DELETE", "/faults", "").expect("faults are cleared");
    }

    /// Joint positions in the state's order.
    pub fn positions(&self) -> Vec<f64> {
        field(&self.state(), "position")
    }

    /// Waits until the arm has stood for half a second.
    pub fn wait_still(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut since = Instant::now();
        while since.elapsed() < Duration::from_millis(500) {
            let speeds = field(&self.state(), "velocity");
            if speeds.iter().any(|speed| speed.abs() > 0.01) {
                since = Instant::now();
            }
            assert!(Instant::now() < deadline, "it never stands: {speeds:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until joint `index` is at a position and a speed that `wanted` likes.
    pub fn wait_joint(&self, index: usize, wanted: impl Fn(f64, f64) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let joint = &self.state()["joints"][index];
            let number = |key: &str| joint[key].as_f64().expect("a number");
            if wanted(number("position"), number("velocity")) {
                return;
            }
            assert!(Instant::now() < deadline, "never there: {joint}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// All frames since `since_ns`.
    pub fn wire(&self, since_ns: u64) -> Vec<Frame> {
        frames(&get(&self.http, &format!("/wire?since_ns={since_ns}")))
    }

    /// The goals written since `since_ns`.
    pub fn goals(&self, since_ns: u64) -> Vec<Goals> {
        goals(&get(&self.http, &format!("/wire?since_ns={since_ns}")))
    }

    /// A copy of the cell `template` on this arm's wires, in `folder`.
    pub fn cell(&self, template: &str, folder: &Path) -> PathBuf {
        let file = root().join("tests/cells").join(template);
        let text = std::fs::read_to_string(&file).expect("the cell template is there");
        let text = text
            .replace("@ROOT@", &root().display().to_string())
            .replace("@PTY@", &self.pty.display().to_string())
            .replace("@HTTP@", &self.http);
        let text = match self.servos {
            Servos::Feetech => text,
            Servos::Dynamixel => text
                .replace("so101-sim.json", "so101-dynamixel-sim.json")
                .replace(
                    "kind = \"feetech\"",
                    "kind = \"dynamixel\"\nwatchdog = { after_ms = 300, tested = [\"XL430-W250 fw 45\"] }",
                ),
        };
        let cell = folder.join(template);
        std::fs::write(&cell, text).expect("the cell can be written");
        cell
    }

    /// As [`Sim::cell`], with the calibration, and so the service book, of a Feetech arm in `folder`.
    pub fn cell_of_its_own(&self, template: &str, folder: &Path) -> PathBuf {
        let cell = self.cell(template, folder);
        let shared = root().join("calibration/so101-sim.json");
        let own = folder.join("arm.json");
        std::fs::copy(&shared, &own).expect("the calibration can be copied");
        let text = std::fs::read_to_string(&cell).expect("the cell was written");
        let path = |file: &Path| file.display().to_string();
        let text = text.replace(&path(&shared), &path(&own));
        std::fs::write(&cell, text).expect("the cell can be written");
        cell
    }
}

fn field(state: &Value, key: &str) -> Vec<f64> {
    state["joints"]
        .as_array()
        .expect("joints")
        .iter()
        .map(|joint| joint[key].as_f64().expect("a number"))
        .collect()
}

/// One frame on the line.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub t_ns: u64,
    /// From the host; else from a servo.
    pub from_host: bool,
    pub bytes: Vec<u8>,
}

/// The frames of a wire trace.
pub fn frames(wire: &Value) -> Vec<Frame> {
    let frames = wire.as_array().expect("a list of frames").iter();
    frames
        .map(|frame| Frame {
            t_ns: frame["t_ns"].as_u64().expect("a time"),
            from_host: frame["dir"] == "host",
            bytes: hex(frame["hex"].as_str().expect("bytes")),
        })
        .collect()
}

/// One goal write as the servos got it, counts by servo id from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Goals {
    pub t_ns: u64,
    /// When the servos were asked where they are, in the same tick: its beginning.
    pub tick_ns: u64,
    pub counts: Vec<i32>,
}

/// The goal writes in a wire trace: a Feetech's sync write of register 42, two bytes, or a
/// Dynamixel's of register 116, four bytes.
pub fn goals(wire: &Value) -> Vec<Goals> {
    let mut tick_ns = 0;
    let mut goals = Vec::new();
    for Frame { t_ns, bytes, .. } in frames(wire).into_iter().filter(|it| it.from_host) {
        if bytes.starts_with(&[0xFF, 0xFF, 0xFD, 0x00]) {
            match bytes.get(7..12) {
                Some([0x82, 126, 0, ..]) => tick_ns = t_ns,
                // Goals of an arm hold nothing to be stuffed: none is below zero.
                Some([0x83, 116, 0, 4, 0]) => goals.push(Goals {
                    t_ns,
                    tick_ns,
                    counts: bytes[12..bytes.len() - 2]
                        .chunks_exact(5)
                        .map(|entry| i32::from_le_bytes([entry[1], entry[2], entry[3], entry[4]]))
                        .collect(),
                }),
                _ => {}
            }
            continue;
        }
        match bytes.get(4..7) {
            Some([0x82, 56, _]) => tick_ns = t_ns,
            Some([0x83, 42, 2]) => goals.push(Goals {
                t_ns,
                tick_ns,
                counts: bytes[7..bytes.len() - 1]
                    .chunks_exact(3)
                    .map(|entry| i32::from(entry[1]) | i32::from(entry[2]) << 8)
                    .collect(),
            }),
            _ => {}
        }
    }
    // The first may belong to a reading before the trace; a single servo gets a goal of its own
    // when its bus watchdog is set right.
    goals.retain(|goal: &Goals| goal.tick_ns > 0 && goal.counts.len() > 1);
    goals
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect()
}

/// The controller on an arm.
pub struct Controller {
    pub events: Events,
    pub guard_pid: u32,
    pub runner_pid: u32,
    pub socket: PathBuf,
}

impl Controller {
    /// `surehand run` on `cell` with more arguments.
    pub fn run(cell: &Path, args: &[&str]) -> Controller {
        Controller::run_in(cell, args, &[])
    }

    /// As [`Controller::run`], with variables in its environment.
    pub fn run_in(cell: &Path, args: &[&str], environment: &[(&str, &str)]) -> Controller {
        let socket = cell.with_extension("sock");
        let mut command = surehand();
        command.arg("run").arg(cell).arg("--json").arg("--socket");
        command.arg(&socket).args(args);
        command.envs(environment.iter().copied());
        Controller::ready(Events::start(&mut command))
    }

    pub fn ready(mut events: Events) -> Controller {
        let ready = events.wait("ready", |e| e["event"] == "ready");
        let pid = |key: &str| u32::try_from(ready[key].as_u64().expect(key)).expect(key);
        Controller {
            guard_pid: pid("guard_pid"),
            runner_pid: pid("runner_pid"),
            socket: ready["socket"].as_str().expect("a socket").into(),
            events,
        }
    }

    pub fn status(&self) -> Value {
        status(&self.socket).expect("the guard answers")
    }

    /// Waits until the status fulfils `wanted`.
    pub fn wait_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let status = status(&self.socket);
            if let Some(status) = &status
                && wanted(status)
            {
                return status.clone();
            }
            assert!(
                Instant::now() < deadline,
                "never {what}: {status:#?}; it said:\n{}",
                self.events.said()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs an operator's verb; its exit code. What it says is shown when the test fails.
    pub fn verb(&self, verb: &str) -> i32 {
        let ended = output(surehand().args([verb, "--socket"]).arg(&self.socket));
        println!("{verb}: {}", String::from_utf8_lossy(&ended.stderr));
        ended.status.code().expect("a code")
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // First the runner, or it would replace the guards; a frozen one takes no other signal.
        send_signal(self.runner_pid, Signal::KILL);
        for pid in guards_at(&self.socket) {
            send_signal(pid, Signal::KILL);
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// The guard processes that were told to listen at `socket`, or as those of two arms beside it: they
/// outlive everybody on purpose, and would keep a test's output open for ever.
fn guards_at(socket: &Path) -> Vec<u32> {
    let mut of_arms = socket.with_extension("arms").into_os_string();
    of_arms.push("/");
    let of_arms = of_arms.as_encoded_bytes();
    let socket = socket.as_os_str().as_encoded_bytes();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|process| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0);
            words.any(|word| word == b"guard")
                && words.any(|word| word == socket || word.starts_with(of_arms))
        })
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .collect()
}

pub fn status(socket: &Path) -> Option<Value> {
    let output = output(
        surehand()
            .args(["status", "--json", "--socket"])
            .arg(socket),
    );
    serde_json::from_slice(&output.stdout).ok()
}

pub fn send_signal(pid: u32, signal: Signal) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| kill_process(pid, signal).is_ok())
}

pub fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

pub fn get(host: &str, path: &str) -> Value {
    request(host, "GET", path, "").expect("the simulator answers")
}

pub fn request(host: &str, method: &str, path: &str, body: &str) -> Result<Value, String> {
    let mut stream = TcpStream::connect(host).map_err(|e| e.to_string())?;
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .map_err(|e| e.to_string())?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .map_err(|e| e.to_string())?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .map_err(|e| e.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    if !head.starts_with("HTTP/1.1 2") {
        return Err(format!("{head}\n{body}"));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(body).map_err(|e| format!("{e}: {body}"))
}
