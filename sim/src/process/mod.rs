//! The simulated cell as a process: a pty that behaves like the arm's USB adapter, cameras and
//! ground truth over HTTP, all paced by the real clock.
//!
//! Owns threads, devices and the clock; everything that decides what happens is in
//! [`crate::workcell`], which knows none of these. Threads, by priority: the line
//! (`bus`), the physics (`physics`), and at ordinary priority the pictures and HTTP.

mod bus;
mod cameras;
mod http;
mod link;
mod physics;
mod pty;
mod schedule;
mod streams;
mod threads;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::scene::{Scene, SceneError};
use crate::servo::Model;
use crate::workcell::Workcell;
use threads::Stop;

/// How often the main thread looks whether it is still wanted.
const WANTED_EVERY: Duration = Duration::from_millis(250);
/// Without a parent, the process ends when nobody has had the port open for this long.
const UNUSED: Duration = Duration::from_secs(60);

/// What to simulate and where to offer it.
#[derive(Debug, Clone)]
pub struct SimOptions {
    /// Scene file; the one that ships with the simulator when `None`.
    pub scene: Option<PathBuf>,
    /// Servos in place of the scene's.
    pub servos: Option<Model>,
    /// Bits a second the servos are set to; the scene's when `None`.
    pub baud: Option<u32>,
    /// Servos as they leave the factory, none of them connected.
    pub fresh: bool,
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
            servos: None,
            baud: None,
            fresh: false,
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

/// Locks, whatever became of the thread that held it before: the data are plain registers.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running cell. Dropping it ends its threads and removes the link to the pty.
pub struct Running {
    // In this order: nothing is offered any more before what it needs is gone.
    server: http::Server,
    _studio: cameras::Studio,
    _physics: physics::Physics,
    bus: bus::Bus,
    cameras: Vec<String>,
    stop: Stop,
}

impl Running {
    /// Starts the cell and comes back when it can be used.
    ///
    /// # Errors
    /// When something it needs cannot be had; nothing is left behind then.
    pub fn start(options: &SimOptions) -> Result<Running, SimError> {
        let scene = match &options.scene {
            Some(path) => Scene::load(path)?,
            None => Scene::pick_cube()?,
        };
        let scene = match options.servos {
            Some(model) => scene.with_servos(model),
            None => scene,
        };
        let scene = match options.baud {
            Some(baud) => scene.at_baud(baud)?,
            None => scene,
        };
        let scene = if options.fresh {
            scene.fresh(options.seed)
        } else {
            scene
        };
        let cameras = scene.cameras.iter().map(|it| it.name.clone()).collect();
        let seen = scene.clone();
        let stop = Stop::default();
        let (bank, plant) = Workcell::new(scene, options.seed).into_parts();
        let bank = Arc::new(Mutex::new(bank));
        let bus = bus::start(Arc::clone(&bank), options.pty.clone(), stop.clone())?;
        let physics = physics::start(plant, bank, stop.clone())?;
        let studio = cameras::start(&seen, options.seed, &physics.cell(), &stop)?;
        let server = http::start(
            options.http,
            physics.cell(),
            bus.control(),
            studio.cameras(),
            stop.clone(),
        )?;
        Ok(Running {
            server,
            _studio: studio,
            _physics: physics,
            bus,
            cameras,
            stop,
        })
    }

    /// What a client opens: the link where one was asked for, else the device.
    #[must_use]
    pub fn pty(&self) -> &Path {
        self.bus.path()
    }

    /// Where the HTTP server listens.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.server.address()
    }

    /// The line of JSON that says that the cell is ready, and where.
    #[must_use]
    pub fn ready(&self) -> String {
        serde_json::json!({
            "event": "ready",
            "pty": self.pty().to_string_lossy(),
            "http": self.http().to_string(),
            "cameras": self.cameras,
        })
        .to_string()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.set();
    }
}

/// Runs the cell until SIGINT, SIGTERM or SIGHUP. Prints one line of JSON when it is ready.
///
/// # Errors
/// When something it needs cannot be had; nothing is left behind then.
pub fn run(options: SimOptions) -> Result<(), SimError> {
    let wanted = Stop::default();
    let on_signal = wanted.clone();
    ctrlc::set_handler(move || on_signal.set()).map_err(|e| SimError::Start {
        what: "the signal handler",
        source: std::io::Error::other(e),
    })?;
    let parent = rustix::process::getppid();
    let running = Running::start(&options)?;

    // Whoever started us may not read; that is no reason to end.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", running.ready()).and_then(|()| out.flush());
    drop(out);

    let mut unused = Duration::ZERO;
    while !wanted.is_set() {
        schedule::pause(WANTED_EVERY);
        let orphan = rustix::process::getppid() != parent;
        if running.bus.in_use() || !orphan {
            unused = Duration::ZERO;
        } else {
            unused += WANTED_EVERY;
        }
        if options.end_with_parent && unused >= UNUSED {
            tracing::info!("the parent process is gone and nobody uses the port: ending");
            break;
        }
    }
    Ok(())
}
