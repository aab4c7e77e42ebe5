//! One camera's stream: connect, take the newest picture, judge it, publish it, for ever.
//!
//! Owns the HTTP connection. After an error, or when nothing came for a while, it connects
//! again, waiting a little longer each time. Several pictures at once are old ones: only the
//! last is decoded. Never blocks whoever reads the pictures.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::device::DeviceError;
use super::feed::Feed;
use super::gige::GigeError;
use super::login::Login;
use super::url::StreamUrl;
use super::{Multipart, MultipartError, decode};

/// For the connection and for the response's head.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Nothing at all for so long: the connection is dead, though nobody closed it.
const READ_TIMEOUT: Duration = Duration::from_secs(1);
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
    /// It wants a name and a password.
    #[error(
        "it wants a login: write `user:password` into a file and name that as the camera's `login`"
    )]
    LoginWanted,
    /// It does not take the name and the password.
    #[error("it refuses the login of {}; correct that file", .0.display())]
    LoginRefused(PathBuf),
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
    /// A camera of this machine does not give what is asked of it.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Nor does a GigE Vision camera.
    #[error(transparent)]
    Gige(#[from] GigeError),
}

impl StreamError {
    /// Whether its line says what to do.
    pub(super) fn has_remedy(&self) -> bool {
        use StreamError::{Device, Gige, LoginRefused, LoginWanted};
        matches!(self, Device(_) | Gige(_) | LoginRefused(_) | LoginWanted)
    }
}

/// One camera's task.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) feed: Feed,
    pub(super) url: StreamUrl,
    pub(super) login: Option<Login>,
}

impl Stream {
    /// Runs until its task is aborted.
    pub(super) async fn run(mut self) {
        loop {
            let error = match self.connect_and_read().await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            tokio::time::sleep(self.feed.lost(error)).await;
        }
    }

    async fn connect_and_read(&mut self) -> Result<std::convert::Infallible, StreamError> {
        // Ends the connection's own task with this call, however it ends.
        let mut connection = JoinSet::new();
        let open = open(&self.url, self.login.as_ref(), &mut connection);
        let (mut parser, mut body) = timeout(CONNECT_TIMEOUT, open)
            .await
            .map_err(|_| StreamError::Silent(CONNECT_TIMEOUT))??;
        tracing::info!(camera = %self.feed.name, url = %self.url, "camera stream open");
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
                let arrived_at = (self.feed.clock)();
                self.feed.publish(decode(&jpeg), arrived_at);
            }
        }
    }
}

/// Asks for the stream, once more where a login is wanted.
async fn open(
    url: &StreamUrl,
    login: Option<&Login>,
    connection: &mut JoinSet<()>,
) -> Result<(Multipart, Incoming), StreamError> {
    let mut response = ask(url, None, connection).await?;
    if response.status() == hyper::StatusCode::UNAUTHORIZED {
        let login = login.ok_or(StreamError::LoginWanted)?;
        let refused = || StreamError::LoginRefused(login.file().to_owned());
        let challenges = response.headers().get_all(header::WWW_AUTHENTICATE);
        let challenges = challenges.iter().filter_map(|value| value.to_str().ok());
        let answer = login.answer(challenges, url.path()).ok_or_else(refused)?;
        // On a connection of its own: many servers close the first.
        response = ask(url, Some(&answer), connection).await?;
        if response.status() == hyper::StatusCode::UNAUTHORIZED {
            return Err(refused());
        }
    }
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

async fn ask(
    url: &StreamUrl,
    authorization: Option<&str>,
    connection: &mut JoinSet<()>,
) -> Result<hyper::Response<Incoming>, StreamError> {
    let socket = TcpStream::connect((url.host(), url.port()))
        .await
        .map_err(StreamError::Connect)?;
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    connection.spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "camera connection ended");
        }
    });
    let mut request = hyper::Request::get(url.path())
        .header(header::HOST, url.authority())
        .header(header::ACCEPT, "multipart/x-mixed-replace");
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?)
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
