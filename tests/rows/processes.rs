//! Processes that die, freeze, are held up or deprived: rows 1 to 16, but for what is only struck
//! and measured.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::common::braking::QUICK;
use crate::common::motion::{Patience, STOPPING, first_slower_ms, moving, moving_in, settle};
use crate::common::threads::Held;
use crate::common::{Controller, Events, Goals, Sim, now_ns, root, send_signal};
use crate::strike::{holds, swinging};

/// What two goals in a row may be apart, counts, at the cell's speed limit of 3 rad/s.
fn largest_step() -> f64 {
    3.0 * QUICK.period / crate::common::motion::COUNT + 1.0
}

/// Goals of every joint go on from each other without a jump.
pub fn assert_no_jump(goals: &[Goals]) {
    for pair in goals.windows(2) {
        for (before, after) in pair[0].counts.iter().zip(&pair[1].counts) {
            let step = f64::from((after - before).abs());
            assert!(step <= largest_step(), "{pair:?}");
        }
    }
}

#[test]
fn heartbeats_without_plans_stop_the_arm_when_the_plan_is_over() {
    let sim = Sim::start(30);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 1);
    let held = Held::thread(controller.runner_pid, "planner");
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    let cause = status["cause"].as_str().unwrap();
    assert!(cause.contains("ran out"), "{cause}");
    assert_eq!(status["runner_pid"], controller.runner_pid, "it is heard");
    holds(&sim);
    drop(held);
    let standing = sim.positions();
    settle();
    assert!((sim.positions()[0] - standing[0]).abs() < 0.01);
}

#[test]
fn late_inference_coasts_on_the_plan() {
    let sim = Sim::start(31);
    let folder = tempfile::tempdir().unwrap();
    let controller = swinging(&sim, folder.path(), 0, Patience::Long, true);
    let since = now_ns();
    // Once a little, then for three plans in a row: the plan lasts for sixteen.
    for late in [80, 220] {
        let held = Held::thread(controller.runner_pid, "planner");
        std::thread::sleep(Duration::from_millis(late));
        drop(held);
        std::thread::sleep(Duration::from_millis(200));
    }
    let status = controller.status();
    assert_eq!(status["mode"], "running", "{}", status["cause"]);
    assert_eq!(status["plan"]["starved"], 0);
    let goals = sim.goals(since);
    assert!(goals.len() > 100, "{} goals", goals.len());
    assert_no_jump(&goals);
}

#[test]
fn a_second_ctrl_c_does_not_shorten_the_stop() {
    let sim = Sim::start(32);
    let folder = tempfile::tempdir().unwrap();
    let mut controller = moving(&sim, folder.path(), 2);
    let since = now_ns();
    for _ in 0..5 {
        assert!(send_signal(controller.runner_pid, Signal::INT));
        std::thread::sleep(Duration::from_millis(7));
    }
    let exit = controller.events.wait_exit(Duration::from_secs(30));
    assert_eq!(exit.code(), Some(1));
    let goals = sim.goals(since);
    assert_no_jump(&goals);
    let (before, last) = (&goals[goals.len() - 2], &goals[goals.len() - 1]);
    assert_eq!(before.counts, last.counts, "the last goals stand");
    holds(&sim);
}

#[test]
fn both_killed_leave_an_arm_that_stops_by_itself() {
    let sim = Sim::start(60);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 3);
    let before = sim.positions();
    assert!(send_signal(controller.runner_pid, Signal::KILL));
    assert!(send_signal(controller.guard_pid, Signal::KILL));
    settle();
    let after = sim.positions();
    // What it covered before the signals arrived, and the stopping distance.
    let travel = (after[0] - before[0]).abs();
    assert!(travel < STOPPING + 0.05, "it travelled {travel} rad");
    holds(&sim);
}

/// Programs that do nothing but use a processor each; gone when dropped.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start() -> Hogs {
        let cores = std::thread::available_parallelism().unwrap().get();
        let hog = |_| {
            let mut command = Command::new("sh");
            command
                .args(["-c", "while :; do :; done"])
                .stdin(Stdio::null());
            command.spawn().unwrap()
        };
        Hogs((0..cores).map(hog).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

/// How late a thread of the guard's priority and period wakes up that does nothing else, beside it:
/// what the machine itself causes. The latest wake-up in microseconds; `None` without the priority.
fn reference(time: Duration) -> Option<f64> {
    let waking = move || {
        surehand::realtime::set_fifo(80).ok()?;
        let began = surehand::realtime::now();
        let (mut next, mut latest) = (began, 0);
        while next.since(began) < surehand::realtime::nanos(time) {
            next = next.offset_secs(0.005);
            surehand::realtime::sleep_until(next);
            latest = latest.max(surehand::realtime::now().since(next));
        }
        Some(latest as f64 * 1e-3)
    };
    std::thread::spawn(waking).join().unwrap()
}

#[test]
fn hogs_on_every_core_hold_up_no_wake_up_and_a_stop_has_its_cause() {
    let sim = Sim::start(33);
    let folder = tempfile::tempdir().unwrap();
    let controller = swinging(&sim, folder.path(), 0, Patience::Long, true);
    let hogs = Hogs::start();
    let since = now_ns();
    let beside = reference(Duration::from_secs(2));
    let status = controller.status();
    drop(hogs);
    let cause = status["cause"].as_str().unwrap_or_default();
    // A pty's bytes pass through a kernel thread of ordinary priority, which the hogs hold up: what
    // comes of that is a stop with its cause.
    let named = [
        "missed",
        "did not answer",
        "another id",
        "silent",
        "are lost",
        "replaced",
        "ran out",
    ];
    assert!(
        status["mode"] == "running" || named.iter().any(|word| cause.contains(word)),
        "{cause}; it said:\n{}",
        controller.events.said()
    );
    // The loop itself wakes up on time, which without its priority it would not.
    if status["realtime"] == true {
        let late = status["tick"]["lateness_us"]["p50"].as_f64().unwrap();
        assert!(late < 500.0, "it wakes up {late} µs late");
        let late = status["tick"]["lateness_us"]["p99"].as_f64().unwrap();
        println!("the guard wakes up {late} µs late (p99), one beside it {beside:?} at most");
        if let Some(beside) = beside {
            // A period more than the machine holds up everybody of this priority.
            assert!(late < beside + 5000.0, "{late} µs late, beside it {beside}");
        }
    }
    assert_no_jump(&sim.goals(since));
}

/// The controller without real-time priority, whatever this machine would grant, its pan joint in
/// motion.
fn moving_without_priority(sim: &Sim, folder: &Path) -> Controller {
    let cell = sim.cell("quick.toml", folder);
    let socket = cell.with_extension("sock");
    // The right itself goes first, where it is held; then the limit that stands in for it.
    let unprivileged = ["--bounding-set=-sys_nice", "--inh-caps=-sys_nice"];
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(unprivileged).arg("prlimit");
        command
    } else {
        Command::new("prlimit")
    };
    let side = if sim.positions()[0] > 0.0 {
        "right"
    } else {
        "left"
    };
    command
        .arg("--rtprio=0")
        .arg(env!("CARGO_BIN_EXE_surehand"))
        .arg("run")
        .arg(&cell)
        .args(["--json", "--job", side, "--socket"])
        .arg(socket);
    let mut controller = Controller::ready(Events::start(&mut command));
    controller.events.wait_mode("running");
    std::thread::sleep(Duration::from_millis(600));
    controller
}

/// Takes every processor away from ordinary programs for `time`; whether this process may.
fn hog_all(time: Duration) -> bool {
    let ours = sched_getaffinity(None).unwrap();
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|core| ours.is_set(*core))
        .collect();
    let together = Arc::new(Barrier::new(cores.len()));
    let hog = |core| {
        let together = Arc::clone(&together);
        move || {
            let mut only = CpuSet::new();
            only.set(core);
            sched_setaffinity(None, &only).unwrap();
            let granted = surehand::realtime::set_fifo(50).is_ok();
            together.wait();
            let until = now_ns() + surehand::realtime::nanos(time);
            while granted && now_ns() < until {
                std::hint::spin_loop();
            }
            granted
        }
    };
    let hogs: Vec<_> = cores
        .into_iter()
        .map(|core| std::thread::spawn(hog(core)))
        .collect();
    hogs.into_iter().all(|hog| hog.join().unwrap())
}

#[test]
fn hogs_that_hold_up_a_loop_without_priority_stop_the_arm() {
    let sim = Sim::start(61);
    let folder = tempfile::tempdir().unwrap();
    let hogged = Duration::from_millis(200);
    let mut reactions = Vec::new();
    for _ in 0..3 {
        let controller = moving_without_priority(&sim, folder.path());
        assert_eq!(controller.status()["realtime"], false);
        let since = now_ns();
        if !hog_all(hogged) {
            println!("not struck: this machine lets no test outrank an ordinary program");
            return;
        }
        let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
        let cause = status["cause"].as_str().unwrap();
        // Who wakes first: the loop, which has missed its ticks, or it sees a runner that was not heard,
        // or the runner a camera.
        let named = ["missed", "silent", "did not answer", "no frames"];
        assert!(named.iter().any(|word| cause.contains(word)), "{cause}");
        let goals = sim.goals(since - 300_000_000);
        reactions.push(first_slower_ms(&goals, since) - 200.0);
        assert_no_jump(&goals);
        holds(&sim);
    }
    reactions.sort_by(f64::total_cmp);
    println!("without priority, slower {reactions:.1?} ms after 200 ms of hogs");
    // The largest is the machine's as well: others want the processors too.
    assert!(reactions[1] < 45.0 && reactions[2] < 150.0, "{reactions:?}");
}

#[test]
fn a_stalled_loop_writes_no_burst_of_goals() {
    let sim = Sim::start(34);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving_in(&sim, folder.path(), 4, Patience::Short, &[]);
    assert!(send_signal(controller.guard_pid, Signal::STOP));
    std::thread::sleep(Patience::STALL);
    let woken = now_ns();
    assert!(send_signal(controller.guard_pid, Signal::CONT));
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    assert!(
        status["cause"].as_str().unwrap().contains("missed"),
        "{status}"
    );
    let goals = sim.goals(woken);
    let soon = goals.iter().filter(|goal| goal.t_ns < woken + 50_000_000);
    // Thirty periods passed while it stood still, and ten since.
    assert!(soon.count() <= 12, "a burst after waking");
    assert_no_jump(&goals);
}

#[test]
fn everybody_frozen_together_wakes_up_latched_and_still() {
    let sim = Sim::start(35);
    let folder = tempfile::tempdir().unwrap();
    let controller = moving(&sim, folder.path(), 5);
    let all = [controller.runner_pid, controller.guard_pid, sim.pid()];
    for pid in all {
        assert!(send_signal(pid, Signal::STOP));
    }
    std::thread::sleep(Duration::from_millis(1500));
    for pid in all.iter().rev() {
        assert!(send_signal(*pid, Signal::CONT));
    }
    let woken = now_ns();
    let status = controller.wait_status("stopped", |s| s["mode"] == "stopped");
    assert_eq!(status["latched"], true);
    settle();
    let goals = sim.goals(woken);
    let (first, last) = (&goals[0], &goals[goals.len() - 1]);
    let way = f64::from((last.counts[0] - first.counts[0]).abs());
    let way = way * crate::common::motion::COUNT;
    assert!(way < STOPPING + 0.02, "it went on for {way} rad");
    holds(&sim);
}

#[test]
fn the_wall_clock_is_read_by_nothing_that_controls() {
    // One file names folders and dates lines of the log by it, which nothing that decides about
    // motion may see: the test of imports holds that.
    let only = root().join("src/record/clock.rs");
    let wall = [
        "SystemTime",
        "UNIX_EPOCH",
        "Realtime",
        "CLOCK_REALTIME",
        "chrono",
        "utcnow",
    ];
    let mut folders = vec![root().join("src")];
    let mut looked = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            looked += 1;
            if path == only {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for word in wall {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
    assert!(
        looked > 50,
        "the sources are somewhere else: {looked} files"
    );
}
