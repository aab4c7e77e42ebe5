//! One camera's stream: connect, take the newest picture, judge it, publish it, for ever.
//!
//! Owns the HTTP connection. After an error, or when nothing came for a while, it connects
//! again, waiting a little longer each time. Several pictures at once are old ones: only the
//! last is decoded. Never blocks whoever reads the pictures.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::check::Verdict;
use super::set::{Clock, View};
use super::url::StreamUrl;
use super::{Check, Frame, Multipart, MultipartError, decode};
use crate::units::MonoTime;

/// For the connection and for the response's head.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Nothing at all for so long: the connection is dead, though nobody closed it.
const READ_TIMEOUT: Duration = Duration::from_secs(1);
/// The wait before connecting again, after the first failure and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Pieces taken in a row before a picture is decoded, so that a flood can't starve it.
const MAX_PIECES: usize = 256;

/// Why a stream broke off.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// No connection.
    #[error("no connection ({0})")]
    Connect(std::io::Error),
    /// The peer does not speak HTTP, or stopped doing so.
    #[error("HTTP failed ({0})")]
    Http(#[from] hyper::Error),
    /// The peer refuses.
    #[error("the server answers {0}")]
    Status(hyper::StatusCode),
    /// The response can't be asked for or is no stream.
    #[error(transparent)]
    Multipart(#[from] MultipartError),
    /// The request can't be made of this address.
    #[error("the address can't be requested ({0})")]
    Request(#[from] hyper::http::Error),
    /// No head, or no byte, for too long.
    #[error("nothing came for {0:?}")]
    Silent(Duration),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
}

/// One camera's task.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) camera: u8,
    pub(super) name: String,
    pub(super) url: StreamUrl,
    pub(super) latency_ns: u64,
    pub(super) clock: Clock,
    pub(super) check: Check,
    pub(super) sender: watch::Sender<View>,
}

impl Stream {
    /// Runs until its task is aborted.
    pub(super) async fn run(mut self) {
        let mut wait = BACKOFF.0;
        loop {
            let before = self.sequence();
            let error = match self.connect_and_read().await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            if self.sequence() > before {
                wait = BACKOFF.0;
            }
            let (camera, url) = (&self.name, &self.url);
            // Once a loss, not once an attempt.
            if wait == BACKOFF.0 {
                tracing::warn!(%camera, %url, %error, "camera stream lost; connecting again");
            } else {
                tracing::debug!(%camera, %url, %error, "camera still lost; connecting again");
            }
            self.sender
                .send_modify(|view| view.error = Some(Arc::new(error)));
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    fn sequence(&self) -> u64 {
        self.sender
            .borrow()
            .frame
            .as_ref()
            .map_or(0, |f| f.sequence)
    }

    async fn connect_and_read(&mut self) -> Result<std::convert::Infallible, StreamError> {
        // Ends the connection's own task with this call, however it ends.
        let mut connection = JoinSet::new();
        let open = open(&self.url, &mut connection);
        let (mut parser, mut body) = timeout(CONNECT_TIMEOUT, open)
            .await
            .map_err(|_| StreamError::Silent(CONNECT_TIMEOUT))??;
        tracing::info!(camera = %self.name, url = %self.url, "camera stream open");
        loop {
            let mut piece = Some(
                timeout(READ_TIMEOUT, next_piece(&mut body))
                    .await
                    .map_err(|_| StreamError::Silent(READ_TIMEOUT))??,
            );
            let mut newest = None;
            for _ in 0..MAX_PIECES {
                let Some(bytes) = piece.take() else { break };
                parser.push(&bytes);
                while let Some(part) = parser.next_part()? {
                    newest = Some(part);
                }
                piece = piece_at_hand(&mut body).await?;
            }
            // The last piece of a row that was cut short.
            if let Some(bytes) = piece {
                parser.push(&bytes);
            }
            if let Some(jpeg) = newest {
                self.publish(&jpeg, (self.clock)());
            }
        }
    }

    fn publish(&mut self, jpeg: &[u8], arrived_at: MonoTime) {
        let image = match decode(jpeg) {
            Ok(image) => Some(Arc::new(image)),
            Err(error) => {
                tracing::debug!(camera = %self.name, %error, "picture dropped");
                None
            }
        };
        let verdict = self.check.judge(image.as_ref());
        let good = image.filter(|_| verdict == Verdict::Good);
        let (camera, latency_ns) = (self.camera, self.latency_ns);
        self.sender.send_modify(|view| {
            view.seen = Some((arrived_at, verdict));
            if let Some(image) = good {
                view.frame = Some(Frame {
                    camera,
                    captured_at: MonoTime(arrived_at.0.saturating_sub(latency_ns)),
                    sequence: view.frame.as_ref().map_or(0, |f| f.sequence) + 1,
                    image,
                });
            }
        });
    }
}

async fn open(
    url: &StreamUrl,
    connection: &mut JoinSet<()>,
) -> Result<(Multipart, Incoming), StreamError> {
    let socket = TcpStream::connect((url.host(), url.port()))
        .await
        .map_err(StreamError::Connect)?;
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    connection.spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "camera connection ended");
        }
    });
    let request = hyper::Request::get(url.path())
        .header(header::HOST, url.authority())
        .header(header::ACCEPT, "multipart/x-mixed-replace")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    if response.status() != hyper::StatusCode::OK {
        return Err(StreamError::Status(response.status()));
    }
    let content_type = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    Ok((Multipart::new(content_type)?, response.into_body()))
}

async fn next_piece(body: &mut Incoming) -> Result<Bytes, StreamError> {
    loop {
        let frame = body.frame().await.ok_or(StreamError::Closed)??;
        if let Ok(bytes) = frame.into_data() {
            return Ok(bytes);
        }
    }
}

/// What has already arrived, without waiting. The end of the stream is left for the next read.
async fn piece_at_hand(body: &mut Incoming) -> Result<Option<Bytes>, StreamError> {
    let frame = poll_fn(|context| match Pin::new(&mut *body).poll_frame(context) {
        Poll::Ready(frame) => Poll::Ready(frame),
        Poll::Pending => Poll::Ready(None),
    })
    .await;
    Ok(frame.transpose()?.and_then(|frame| frame.into_data().ok()))
}
