//! The HTTP server: ground truth, the wire log, faults and episodes.
//! Owns addresses and documents; every answer about the cell comes from the physics thread.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, body::Bytes};
use serde::{Deserialize, Serialize};

use super::bus::Control;
use super::physics::{Cell, Core};
use super::{SimError, Stop, lock};
use crate::faults::Fault;
use crate::workcell::{Pose, Truth};

/// How often the server looks whether it should end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The running server.
pub(super) struct Server {
    address: SocketAddr,
    thread: JoinHandle<()>,
}

impl Server {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the server's end, which [`Stop`] asks for.
    pub(super) fn join(self) {
        let _ = self.thread.join();
    }
}

#[derive(Clone)]
struct Shared {
    cell: Cell,
    bus: Control,
}

/// Binds the address and starts serving.
pub(super) fn start(
    address: SocketAddr,
    cell: Cell,
    bus: Control,
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
        .route("/state", get(state))
        .route("/wire", get(wire))
        .route("/faults", post(inject).delete(clear))
        .route("/episode", post(episode))
        .with_state(Shared { cell, bus });
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            ended = axum::serve(listener, router) => ended,
            // Streams never end by themselves, so nothing is waited for.
            () = stopped(&stop) => Ok(()),
        }
    };
    let thread = std::thread::Builder::new()
        .name("sim-http".into())
        .spawn(move || {
            if let Err(error) = runtime.block_on(serve) {
                tracing::error!("the HTTP server ended: {error}");
            }
            runtime.shutdown_background();
        })
        .map_err(no_runtime)?;
    Ok(Server {
        address: bound,
        thread,
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
    let t_ns = shared
        .ask(move |core| {
            fault.check(&core.plant.ids(), &core.plant.cameras())?;
            let now_ns = super::schedule::now_ns();
            lock(&core.bank).suffer(&fault, now_ns);
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

async fn clear(State(shared): State<Shared>) -> Result<Json<serde_json::Value>, Refusal> {
    shared.ask(|core| lock(&core.bank).recover()).await?;
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
