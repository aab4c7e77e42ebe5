//! The simulated cell as a process: a pty that behaves like the arm's USB adapter, cameras and
//! ground truth over HTTP, all paced by the real clock.
//!
//! Owns threads, devices and the clock; everything that decides what happens is in
//! [`crate::workcell`], which knows none of these. Threads, by priority: the line
//! ([`bus`]), the physics ([`physics`]), and at ordinary priority the pictures and HTTP.

mod bus;
mod http;
mod link;
mod physics;
mod pty;
mod schedule;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::scene::{Scene, SceneError};
use crate::workcell::Workcell;

/// How often the main thread looks whether it is still wanted.
const WANTED_EVERY: Duration = Duration::from_millis(250);
/// Without a parent, the process ends when nobody has had the port open for this long.
const UNUSED: Duration = Duration::from_secs(60);

/// What to simulate and where to offer it.
#[derive(Debug, Clone)]
pub struct SimOptions {
    /// Scene file; the one that ships with the simulator when `None`.
    pub scene: Option<PathBuf>,
    /// Path made a link to the pty, replaced if it is one already, removed at the end.
    pub pty: Option<PathBuf>,
    /// Address of the HTTP server; port 0 takes a free one.
    pub http: SocketAddr,
    /// Decides where the cubes lie and what random faults hit.
    pub seed: u64,
    /// End by itself once the parent process is gone and the port has been unused for a minute.
    pub end_with_parent: bool,
}

impl Default for SimOptions {
    fn default() -> Self {
        SimOptions {
            scene: None,
            pty: None,
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 0,
            end_with_parent: false,
        }
    }
}

/// Why the simulator cannot run. One line each.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The scene cannot be used.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// No pseudo-terminal.
    #[error("cannot open a pseudo-terminal: {0}; is /dev/pts mounted?")]
    Pty(std::io::Error),
    /// The link to the pty cannot be made.
    #[error("{}: cannot make it a link to the pty: {source}; give --pty another path", path.display())]
    Link {
        /// The path asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; give --http another address, or port 0")]
    Http {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread, a runtime or a signal handler could not be had.
    #[error("cannot start {what}: {source}")]
    Start {
        /// What it was.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Tells every thread to end.
#[derive(Debug, Clone, Default)]
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Locks, whatever became of the thread that held it before: the data are plain registers.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the cell until SIGINT, SIGTERM or SIGHUP. Prints one line of JSON when it is ready.
///
/// # Errors
/// When something it needs cannot be had; nothing is left behind then.
pub fn run(options: SimOptions) -> Result<(), SimError> {
    let scene = match &options.scene {
        Some(path) => Scene::load(path)?,
        None => Scene::pick_cube()?,
    };
    let cameras: Vec<String> = scene.cameras.iter().map(|it| it.name.clone()).collect();
    let stop = Stop::default();
    let on_signal = stop.clone();
    ctrlc::set_handler(move || on_signal.set()).map_err(|e| SimError::Start {
        what: "the signal handler",
        source: std::io::Error::other(e),
    })?;

    let (bank, plant) = Workcell::new(scene, options.seed).into_parts();
    let bank = Arc::new(Mutex::new(bank));
    let bus = bus::start(Arc::clone(&bank), options.pty.clone(), stop.clone())?;
    let physics = physics::start(plant, bank, stop.clone())?;
    let server = http::start(options.http, physics.cell(), bus.control(), stop.clone())?;

    let ready = serde_json::json!({
        "event": "ready",
        "pty": bus.path(),
        "http": server.address().to_string(),
        "cameras": cameras,
    });
    // Whoever started us may not read; that is no reason to end.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{ready}").and_then(|()| out.flush());
    drop(out);

    wait(&stop, &options, &bus);
    server.join();
    physics.join();
    bus.join();
    Ok(())
}

/// Returns when the process is no longer wanted.
fn wait(stop: &Stop, options: &SimOptions, bus: &bus::Bus) {
    let parent = rustix::process::getppid();
    let mut unused = Duration::ZERO;
    while !stop.is_set() {
        schedule::pause(WANTED_EVERY);
        let orphan = rustix::process::getppid() != parent;
        if bus.in_use() || !orphan {
            unused = Duration::ZERO;
        } else {
            unused += WANTED_EVERY;
        }
        if options.end_with_parent && unused >= UNUSED {
            tracing::info!("the parent process is gone and nobody uses the port: ending");
            stop.set();
        }
    }
}
