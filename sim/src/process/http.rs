//! The HTTP server: pictures, ground truth, the wire log, faults and episodes.
//! Owns addresses and documents; every answer about the cell comes from the physics thread.
//! Never takes a lock that the bus or physics thread waits for.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, body::Bytes};
use serde::{Deserialize, Serialize};

use super::bus::Control;
use super::cameras::{Cameras, VIEW};
use super::physics::{Cell, Core};
use super::threads::{Stop, Thread};
use super::{SimError, lock, streams};
use crate::faults::Fault;
use crate::hands::Hands;
use crate::workcell::{Pose, Truth};

/// How often the server looks whether it should end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The page for people; `CAMERAS` in it is the list of camera names.
const PAGE: &str = include_str!("page.html");

/// The running server; dropping it ends it.
pub(super) struct Server {
    address: SocketAddr,
    _thread: Thread,
}

impl Server {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

#[derive(Clone)]
struct Shared {
    cell: Cell,
    bus: Control,
    cameras: Cameras,
}

/// Binds the address and starts serving.
pub(super) fn start(
    address: SocketAddr,
    cell: Cell,
    bus: Control,
    cameras: Cameras,
    stop: Stop,
) -> Result<Server, SimError> {
    let cannot_listen = |source| SimError::Http { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(cannot_listen)?;
    listener.set_nonblocking(true).map_err(cannot_listen)?;
    let bound = listener.local_addr().map_err(cannot_listen)?;
    let no_runtime = |source| SimError::Start {
        what: "the HTTP server",
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(no_runtime)?;
    let router = Router::new()
        .route("/", get(page))
        .route("/cameras/{file}", get(camera))
        .route("/{view}", get(view))
        .route("/state", get(state))
        .route("/wire", get(wire))
        .route("/faults", post(inject).delete(clear))
        .route("/hands", post(handle))
        .route("/eeprom", get(eeprom))
        .route("/episode", post(episode))
        .with_state(Shared { cell, bus, cameras });
    let ending = stop.clone();
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            ended = axum::serve(listener, router) => ended,
            // Streams never end by themselves, so nothing is waited for.
            () = stopped(&ending) => Ok(()),
        }
    };
    let thread = Thread::start("sim-http", stop, move || {
        if let Err(error) = runtime.block_on(serve) {
            tracing::error!("the HTTP server ended: {error}");
        }
        runtime.shutdown_background();
    })?;
    Ok(Server {
        address: bound,
        _thread: thread,
    })
}

async fn stopped(stop: &Stop) {
    while !stop.is_set() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A refusal: one line of JSON.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, error.to_string())
}

impl Shared {
    /// Asks the cell without holding up other requests.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let cell = self.cell.clone();
        let answer = tokio::task::spawn_blocking(move || cell.ask(ask)).await;
        answer.ok().flatten().ok_or_else(|| {
            let why = "the simulation is not running".to_owned();
            Refusal(StatusCode::SERVICE_UNAVAILABLE, why)
        })
    }
}

async fn page(State(shared): State<Shared>) -> Result<Html<String>, Refusal> {
    let names = shared.ask(|core| core.plant.cameras()).await?;
    let names = serde_json::to_string(&names).map_err(bad)?;
    Ok(Html(PAGE.replace("CAMERAS", &names)))
}

async fn camera(State(shared): State<Shared>, Path(file): Path<String>) -> Response {
    picture(&shared, &file).await
}

async fn view(State(shared): State<Shared>, Path(file): Path<String>) -> Response {
    match file.split_once('.') {
        Some((VIEW, _)) => picture(&shared, &file).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `<name>.jpg` is one picture, `<name>.mjpg` a stream of them.
async fn picture(shared: &Shared, file: &str) -> Response {
    let (name, kind) = file.split_once('.').unwrap_or((file, ""));
    match (shared.cameras.watch(name), kind) {
        (Some(feed), "jpg") => streams::still(feed).await,
        (Some(feed), "mjpg") => streams::moving(feed),
        _ => (StatusCode::NOT_FOUND, "no such picture\n").into_response(),
    }
}

async fn state(State(shared): State<Shared>) -> Result<Json<Truth>, Refusal> {
    let truth = shared
        .ask(|core| core.plant.truth(&lock(&core.bank)))
        .await?;
    Ok(Json(truth))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    #[serde(default)]
    since_ns: u64,
}

async fn wire(
    State(shared): State<Shared>,
    Query(since): Query<Since>,
) -> Result<Response, Refusal> {
    // Frames reach the log at the end of a step: what was sent before this request is in it.
    shared.ask(|_| ()).await?;
    let frames: Vec<_> = lock(shared.cell.log())
        .since(since.since_ns)
        .cloned()
        .collect();
    let json = serde_json::to_vec(&frames).map_err(bad)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

async fn inject(
    State(shared): State<Shared>,
    body: Bytes,
) -> Result<Json<serde_json::Value>, Refusal> {
    let fault = Fault::parse(&body).map_err(bad)?;
    let plug = match fault {
        Fault::Unplug {} => Some(false),
        Fault::Replug {} => Some(true),
        _ => None,
    };
    let cameras = shared.cameras.clone();
    let t_ns = shared
        .ask(move |core| {
            let mut bank = lock(&core.bank);
            fault.check(&bank.ids(), &core.plant.cameras())?;
            // The moment it takes effect, not the moment it had to wait for the line.
            let now_ns = super::schedule::now_ns();
            bank.suffer(&fault, now_ns);
            drop(bank);
            cameras.suffer(&fault, now_ns);
            Ok::<u64, crate::faults::FaultError>(now_ns)
        })
        .await?
        .map_err(bad)?;
    match plug {
        Some(plugged) => shared.bus.plug(plugged),
        None => shared.bus.wake(),
    }
    Ok(Json(serde_json::json!({ "t_ns": t_ns })))
}

/// What a person's hands do.
async fn handle(
    State(shared): State<Shared>,
    body: Bytes,
) -> Result<Json<serde_json::Value>, Refusal> {
    let hands = Hands::parse(&body).map_err(bad)?;
    let t_ns = shared
        .ask(move |core| {
            let hands = core.plant.within_stops(hands);
            let mut bank = lock(&core.bank);
            let now_ns = super::schedule::now_ns();
            bank.handle(&hands, now_ns).map(|()| now_ns)
        })
        .await?
        .map_err(bad)?;
    shared.bus.wake();
    Ok(Json(serde_json::json!({ "t_ns": t_ns })))
}

/// Each servo's EEPROM as its next power-up will find it.
async fn eeprom(State(shared): State<Shared>) -> Result<Json<serde_json::Value>, Refusal> {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|it| format!("{it:02x}"))
            .collect::<String>()
    };
    let servos = shared
        .ask(move |core| {
            let bank = lock(&core.bank);
            let servos = bank.servos().iter().zip(bank.connected());
            servos
                .map(|(servo, connected)| {
                    serde_json::json!({
                        "joint": servo.name(),
                        "connected": connected,
                        "hex": hex(servo.saved()),
                    })
                })
                .collect::<Vec<_>>()
        })
        .await?;
    Ok(Json(serde_json::Value::Array(servos)))
}

async fn clear(State(shared): State<Shared>) -> Result<Json<serde_json::Value>, Refusal> {
    shared.ask(|core| lock(&core.bank).recover()).await?;
    shared.cameras.recover();
    shared.bus.plug(true);
    Ok(Json(serde_json::json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Episode {
    seed: u64,
}

#[derive(Serialize)]
struct Placement {
    t_ns: u64,
    seed: u64,
    objects: Vec<Placed>,
}

#[derive(Serialize)]
struct Placed {
    name: String,
    #[serde(flatten)]
    pose: Pose,
}

async fn episode(State(shared): State<Shared>, body: Bytes) -> Result<Json<Placement>, Refusal> {
    let Episode { seed } = serde_json::from_slice(&body)
        .map_err(|e| bad(format!("not an episode: {e}; give {{\"seed\": 7}}")))?;
    let placement = shared
        .ask(move |core| {
            let poses = core.plant.begin_episode(seed);
            let cubes = core.plant.scene().cubes.iter();
            Placement {
                t_ns: core.plant.now_ns(),
                seed,
                objects: cubes
                    .zip(&poses)
                    .map(|(cube, pose)| Placed {
                        name: cube.name.clone(),
                        pose: Pose::of(pose),
                    })
                    .collect(),
            }
        })
        .await?;
    Ok(Json(placement))
}
