//! Pictures over HTTP: one JPEG, or a stream of them as `multipart/x-mixed-replace`.
//! Owns the bytes around a picture. A slow client misses pictures and slows nobody.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::cameras::{Feed, Picture};

/// How long a request for one picture waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The next picture.
pub(super) async fn still(mut feed: Feed) -> Response {
    let next = tokio::time::timeout(PATIENCE, next(&mut feed)).await;
    let Ok(Some(picture)) = next else {
        let why = "the camera delivers nothing\n";
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (
            header::HeaderName::from_static("x-timestamp"),
            timestamp(&picture),
        ),
    ];
    (headers, picture.jpeg.clone()).into_response()
}

/// All pictures from now on.
pub(super) fn moving(feed: Feed) -> Response {
    let parts = stream::unfold(feed, async |mut feed| {
        let picture = next(&mut feed).await?;
        Some((Ok::<Bytes, std::convert::Infallible>(part(&picture)), feed))
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            "multipart/x-mixed-replace; boundary=frame",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(parts)).into_response()
}

async fn next(feed: &mut Feed) -> Option<Arc<Picture>> {
    feed.changed().await.ok()?;
    feed.borrow_and_update().clone()
}

fn part(picture: &Picture) -> Bytes {
    let mut part = format!(
        "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\n\r\n",
        picture.jpeg.len(),
        timestamp(picture),
    )
    .into_bytes();
    part.extend_from_slice(&picture.jpeg);
    part.extend_from_slice(b"\r\n");
    part.into()
}

/// Seconds of `CLOCK_MONOTONIC` at which the picture was taken.
fn timestamp(picture: &Picture) -> String {
    format!(
        "{}.{:09}",
        picture.t_ns / 1_000_000_000,
        picture.t_ns % 1_000_000_000
    )
}
