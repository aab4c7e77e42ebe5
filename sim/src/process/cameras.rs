//! The threads that draw pictures for whoever watches, at each camera's rate.
//! Owns the feeds and camera faults. A picture nobody watches is not drawn; one nobody fetched in
//! time is replaced by the next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use tokio::sync::watch;

use super::physics::Cell;
use super::schedule::{be_patient, be_real_time, now_ns, sleep_until};
use super::threads::{Stop, Thread};
use super::{SimError, lock};
use crate::faults::{Fault, ends_at};
use crate::render::{Image, Renderer};
use crate::scene::{CameraScene, Scene};

/// The feed for people.
pub(super) const VIEW: &str = "view";
/// Below the physics: a picture may be late by a step, a step not by a picture.
const PRIORITY: i32 = 20;
/// Pixels of it: more would cost more than the arm itself.
const VIEW_SIZE: [u32; 2] = [480, 360];
/// Pictures of it a second.
const VIEW_HZ: f64 = 12.0;
/// The longest sleep, ns, so that the threads see that they should end.
const LONGEST_SLEEP_NS: u64 = 100_000_000;

/// One encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// When the scene looked like this, `CLOCK_MONOTONIC`.
    pub(super) t_ns: u64,
    pub(super) jpeg: Bytes,
}

/// The newest picture of a camera, as its watchers see it.
pub(super) type Feed = watch::Receiver<Option<Arc<Picture>>>;

/// What is wrong with one camera.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    frozen_until_ns: u64,
    black_until_ns: u64,
    gone_until_ns: u64,
    size: Option<[u32; 2]>,
}

/// How others reach the cameras.
#[derive(Clone)]
pub(super) struct Cameras {
    feeds: Arc<BTreeMap<String, watch::Sender<Option<Arc<Picture>>>>>,
    troubles: Arc<Mutex<BTreeMap<String, Trouble>>>,
}

impl Cameras {
    /// Watches a camera: from now on its pictures are drawn. `None` for a name there is not.
    pub(super) fn watch(&self, name: &str) -> Option<Feed> {
        let mut feed = self.feeds.get(name)?.subscribe();
        // Whatever was drawn before somebody watched is old.
        feed.mark_unchanged();
        Some(feed)
    }

    /// Lets a camera fault happen; faults of other parts are ignored.
    pub(super) fn suffer(&self, fault: &Fault, now_ns: u64) {
        let mut troubles = lock(&self.troubles);
        let mut at = |camera: &str, change: &dyn Fn(&mut Trouble)| {
            change(troubles.entry(camera.to_owned()).or_default());
        };
        match fault {
            Fault::CameraFreeze { camera, for_ms } => {
                at(camera, &|it| it.frozen_until_ns = ends_at(now_ns, *for_ms));
            }
            Fault::CameraBlack { camera, for_ms } => {
                at(camera, &|it| it.black_until_ns = ends_at(now_ns, *for_ms));
            }
            Fault::CameraDrop { camera, for_ms } => {
                at(camera, &|it| it.gone_until_ns = ends_at(now_ns, *for_ms));
            }
            Fault::CameraResize {
                camera,
                width,
                height,
            } => at(camera, &|it| it.size = Some([*width, *height])),
            _ => {}
        }
    }

    /// Ends every camera fault.
    pub(super) fn recover(&self) {
        lock(&self.troubles).clear();
    }

    fn trouble(&self, camera: &str) -> Trouble {
        let troubles = lock(&self.troubles);
        troubles.get(camera).copied().unwrap_or_default()
    }
}

/// The running threads; dropping it ends them.
pub(super) struct Studio {
    cameras: Cameras,
    _threads: Vec<Thread>,
}

impl Studio {
    pub(super) fn cameras(&self) -> Cameras {
        self.cameras.clone()
    }
}

/// Starts one thread for the scene's cameras and one for the view, which is slower to draw.
pub(super) fn start(
    scene: &Scene,
    seed: u64,
    cell: &Cell,
    stop: &Stop,
) -> Result<Studio, SimError> {
    let names = scene.cameras.iter().map(|camera| camera.name.clone());
    let names = names.chain([VIEW.to_owned()]);
    let cameras = Cameras {
        feeds: Arc::new(names.map(|name| (name, watch::channel(None).0)).collect()),
        troubles: Arc::default(),
    };
    let view = scene_of_view(scene);
    let threads = [
        ("sim-cameras", scene.clone(), false),
        ("sim-view", view, true),
    ]
    .into_iter()
    .map(|(name, scene, patient)| {
        let (cameras, cell, ending) = (cameras.clone(), cell.clone(), stop.clone());
        Thread::start(name, stop.clone(), move || {
            if patient {
                be_patient();
            } else {
                // A real sensor takes its pictures in time, however busy the controller is.
                be_real_time("the cameras' thread", PRIORITY);
            }
            Photographer::new(scene, seed, cameras, cell).run(&ending);
        })
    })
    .collect::<Result<_, _>>()?;
    Ok(Studio {
        cameras,
        _threads: threads,
    })
}

/// The scene with the view as its only camera, and without a sensor's noise.
fn scene_of_view(scene: &Scene) -> Scene {
    let mut scene = scene.clone();
    let view = &scene.view;
    scene.cameras = vec![CameraScene {
        name: VIEW.to_owned(),
        mount: "world".to_owned(),
        eye: view.eye,
        target: view.target,
        up: view.up,
        fov: view.fov,
        width: VIEW_SIZE[0],
        height: VIEW_SIZE[1],
        rate_hz: VIEW_HZ,
    }];
    scene.noise.pixel = 0.0;
    scene.noise.gain = 0.0;
    scene
}

/// Takes the pictures of all cameras of one scene.
struct Photographer {
    scene: Scene,
    seed: u64,
    renderer: Renderer,
    cameras: Cameras,
    cell: Cell,
    /// One a camera: when its next picture is due, ns, and how many it took.
    due: Vec<(u64, u64)>,
}

impl Photographer {
    fn new(scene: Scene, seed: u64, cameras: Cameras, cell: Cell) -> Photographer {
        Photographer {
            renderer: Renderer::new(&scene, seed),
            due: vec![(now_ns(), 0); scene.cameras.len()],
            scene,
            seed,
            cameras,
            cell,
        }
    }

    fn run(mut self, stop: &Stop) {
        while !stop.is_set() {
            let next = self.due.iter().map(|(due, _)| *due).min();
            let latest = now_ns() + LONGEST_SLEEP_NS;
            sleep_until(next.unwrap_or(latest).min(latest));
            for camera in 0..self.due.len() {
                self.attend(camera);
            }
        }
    }

    /// Takes a picture with one camera if it is time to, and anybody watches.
    fn attend(&mut self, camera: usize) {
        let (Some(due), Some(it)) = (self.due.get_mut(camera), self.scene.cameras.get(camera))
        else {
            return;
        };
        let now = now_ns();
        if now < due.0 {
            return;
        }
        let period = (1e9 / it.rate_hz) as u64;
        // A camera that could not keep up skips pictures, as a real one does.
        due.0 += period * (1 + (now - due.0) / period);
        due.1 += 1;
        let number = due.1;
        let name = it.name.clone();
        let feeds = Arc::clone(&self.cameras.feeds);
        let Some(feed) = feeds.get(&name) else {
            return;
        };
        let trouble = self.cameras.trouble(&name);
        if feed.receiver_count() == 0 || now < trouble.gone_until_ns {
            return;
        }
        self.resize(camera, trouble.size);
        if let Some(picture) = self.shoot(camera, number, &trouble, now, feed) {
            feed.send_replace(Some(Arc::new(picture)));
        }
    }

    fn shoot(
        &self,
        camera: usize,
        number: u64,
        trouble: &Trouble,
        now: u64,
        feed: &watch::Sender<Option<Arc<Picture>>>,
    ) -> Option<Picture> {
        let (t_ns, snapshot) = self
            .cell
            .ask(|core| (core.plant.now_ns(), core.plant.snapshot()))?;
        let last = feed.borrow().clone();
        if now < trouble.frozen_until_ns
            && let Some(last) = last
        {
            let jpeg = last.jpeg.clone();
            return Some(Picture { t_ns, jpeg });
        }
        let image = if now < trouble.black_until_ns {
            let size = self.renderer.cameras().get(camera)?;
            Image::plain(size.width, size.height, [0, 0, 0])
        } else {
            self.renderer.render(&snapshot, camera, number)
        };
        let jpeg = image
            .jpeg()
            .inspect_err(|error| tracing::error!("{error}"))
            .ok()?;
        let jpeg = Bytes::from(jpeg);
        Some(Picture { t_ns, jpeg })
    }

    /// Gives a camera another size, or its own back.
    fn resize(&mut self, camera: usize, size: Option<[u32; 2]>) {
        let Some(own) = self.scene.cameras.get(camera) else {
            return;
        };
        let wanted = size.unwrap_or([own.width, own.height]);
        let now = self.renderer.cameras().get(camera);
        if now.is_some_and(|it| [it.width, it.height] != wanted) {
            let mut scene = self.scene.clone();
            scene.cameras = self.renderer.cameras().to_vec();
            if let Some(it) = scene.cameras.get_mut(camera) {
                [it.width, it.height] = wanted;
            }
            self.renderer = Renderer::new(&scene, self.seed);
        }
    }
}
