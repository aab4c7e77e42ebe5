//! What the cameras show and where the joints are now, beside what each job's policy was trained on.
//!
//! The guard comes up as it does for a run, reads, and ends: nothing moves and no torque is switched
//! on. What can't be looked at is worth a warning and no more: it may be switched off.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::super::run::socket_path;
use crate::camera::Look;
use crate::cell::{CameraSource, Cell};
use crate::messages::RunnerReport;
use crate::policy::finding::{Finding, Findings, Severity};
use crate::policy::{Package, familiarity, sight};
use crate::runner::guard_process::{Boot, GuardProcess, GuardSpec};
use crate::runner::{ArmSetup, Setup};
use crate::units::{JointVec, Rad};

/// How long a camera's server may take to take a call.
const CALL: Duration = Duration::from_millis(500);
/// How long the guard may take to come up and to read all joints.
const BRING_UP: Duration = Duration::from_secs(10);
const READ: Duration = Duration::from_secs(2);

/// Compares what is there now with every job's package.
pub(super) fn check(cell: &Cell, findings: &mut Vec<Finding>) {
    let packages: Vec<Package> = (cell.jobs.iter())
        .filter_map(|job| {
            let mut unheard = Findings::default();
            Package::read(job.package()?, &mut unheard)
        })
        .collect();
    let Some(job) = cell.jobs.first() else {
        return;
    };
    let Ok(setup) = Setup::load_any(&cell.file, Some(&job.name)) else {
        // Why is among the findings already.
        return;
    };
    match looks(&setup) {
        Ok(looks) => {
            let cameras: Vec<&str> = cell.cameras.iter().map(|it| it.name.as_str()).collect();
            let mut strange = Findings::default();
            for package in &packages {
                sight::compare(package, &cameras, &looks, &mut strange);
            }
            findings.extend(strange.into_vec());
        }
        Err(why) => findings.push(unseen(
            "cameras",
            format!("what they show was not looked at: {why}"),
            "switch them on and check again",
        )),
    }
    let there = setup.arms.iter().all(|arm| arm.cell.bus.port.exists());
    if !there || packages.is_empty() {
        return;
    }
    let embodiment = setup.embodiment();
    let joints: Result<Vec<JointVec<Rad>>, String> = setup.arms.iter().map(joints).collect();
    match joints.map(|arms| arms.iter().flatten().copied().collect::<Vec<Rad>>()) {
        Ok(joints) => {
            let mut strange = Findings::default();
            for package in &packages {
                familiarity::now(package, &embodiment, &joints, &mut strange);
            }
            // It need not stand where a job begins: a run looks again there, and refuses.
            findings.extend(strange.into_vec().into_iter().map(|finding| Finding {
                severity: Severity::Warning,
                remedy: format!(
                    "unless the arm was left elsewhere, {}; `run` looks again at the job's start",
                    finding.remedy
                ),
                ..finding
            }));
        }
        Err(why) => findings.push(unseen(
            "bus",
            format!("where the joints are was not read: {why}"),
            "power the arm, stop the controller that has its port, and check again",
        )),
    }
}

fn unseen(place: &str, what: String, remedy: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        place: place.into(),
        what,
        remedy: remedy.into(),
    }
}

/// What a picture of each camera looks like.
fn looks(setup: &Setup) -> Result<Vec<Look>, String> {
    for camera in &setup.cell.cameras {
        let CameraSource::Stream { url, .. } = &camera.source else {
            continue;
        };
        let rest = url.trim_start_matches("http://");
        let host = rest.split('/').next().unwrap_or(rest);
        // Port 80 is what an address without one means.
        let host = if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let mut all = host.to_socket_addrs().map_err(|error| error.to_string())?;
        let reached = all.next().map(|at| TcpStream::connect_timeout(&at, CALL));
        if !matches!(reached, Some(Ok(_))) {
            return Err(format!("camera {} at {host} does not answer", camera.name));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let cameras = runtime
        .block_on(setup.start_cameras())
        .map_err(|error| error.to_string())?;
    let frames = (0..cameras.len()).filter_map(|index| cameras.latest(index));
    Ok(frames
        .map(|frame| Look::of(frame.image.width() as usize, frame.image.data()))
        .collect())
}

/// Where an arm's joints are, by a guard that comes up and ends again.
fn joints(arm: &ArmSetup) -> Result<JointVec<Rad>, String> {
    let socket = socket_path(None, &format!("check-{}", std::process::id()));
    let spec = GuardSpec {
        cell: arm.cell.file.clone(),
        port: None,
        socket: socket.map_err(|failure| failure.line)?,
        frozen: None,
        tool_speed: None,
    };
    let mut guard = GuardProcess::start(&spec, Boot::Fresh).map_err(|error| error.to_string())?;
    let read = read(&mut guard, arm.arm.model.len());
    guard.end_idle();
    // The socket of a guard that was ended stays behind.
    let _ = std::fs::remove_file(&spec.socket);
    read
}

fn read(guard: &mut GuardProcess, joints: usize) -> Result<JointVec<Rad>, String> {
    let link = guard
        .connect(&RunnerReport::default(), None, BRING_UP)
        .map_err(|error| error.to_string())?;
    let began = Instant::now();
    while began.elapsed() < READ {
        link.wait_news(Duration::from_millis(20));
        let measured = link.latest().map(|tick| tick.measured);
        if let Some(measured) = measured.filter(|all| all.len() == joints) {
            return Ok(measured);
        }
    }
    Err("the guard told of no reading".into())
}
