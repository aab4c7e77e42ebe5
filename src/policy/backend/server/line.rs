//! One connection to a policy server, in a thread of its own.
//!
//! Owns the socket. Whoever waits for an answer gives up when they must: the connection is closed
//! then, so that an answer that comes late is never taken for that to another question. Between
//! questions the server's pings are answered. Never connects a second time.

use std::io;
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tungstenite::client::{ClientRequestBuilder, client_with_config};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

use super::wire;
use crate::messages::ServerFault;
use crate::policy::server::{Address, ApiKey};

/// For the connection, and for each part of the server's welcome.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a message may take to be taken by the network.
const WRITE: Duration = Duration::from_secs(5);
/// How often the server's pings are looked for between questions.
const IDLE: Duration = Duration::from_millis(500);
/// The largest message a server may send, bytes.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) fault: ServerFault,
    pub(super) detail: String,
}

impl Lost {
    pub(super) fn new(fault: ServerFault, detail: impl Into<String>) -> Lost {
        Lost {
            fault,
            detail: detail.into(),
        }
    }
}

/// What the connection tells, in order: first what the server says of itself, then its answers.
type Word = Result<Vec<u8>, Lost>;

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Line {
    questions: SyncSender<Vec<u8>>,
    words: Receiver<Word>,
    socket: Arc<Mutex<Option<TcpStream>>>,
}

impl Line {
    /// Begins to connect; the first word is the server's description of itself.
    pub(super) fn open(address: &Address, key: Option<&ApiKey>) -> io::Result<Line> {
        let (questions, asked) = sync_channel::<Vec<u8>>(1);
        // Room for the last words of a connection that nobody listens to any more.
        let (say, words) = sync_channel::<Word>(4);
        let socket = Arc::new(Mutex::new(None));
        let held = Arc::clone(&socket);
        let (address, key) = (address.clone(), key.cloned());
        // Not joined: looking up a name can take as long as it likes.
        std::thread::Builder::new()
            .name("policy server".into())
            .spawn(move || {
                if let Err(lost) = serve(&address, key.as_ref(), &held, &asked, &say) {
                    // Nobody listens when the connection was given up.
                    let _ = say.send(Err(lost));
                }
            })?;
        Ok(Line {
            questions,
            words,
            socket,
        })
    }

    /// The next word, waited for no longer than `patience`.
    pub(super) fn word(&self, patience: Duration) -> Word {
        match self.words.recv_timeout(patience) {
            Ok(word) => word,
            Err(RecvTimeoutError::Timeout) => Err(Lost::new(
                ServerFault::Silent,
                format!("no answer within {} ms", patience.as_millis()),
            )),
            Err(RecvTimeoutError::Disconnected) => Err(closed("the connection has ended")),
        }
    }

    /// Asks; the answer is the next word.
    pub(super) fn ask(&self, question: Vec<u8>) -> Result<(), Lost> {
        let ended = |_| match self.words.try_recv() {
            Ok(Err(lost)) => lost,
            _ => closed("the connection has ended"),
        };
        self.questions.send(question).map_err(ended)
    }

    /// What went wrong, if something has while nothing was asked.
    pub(super) fn broken(&self) -> bool {
        !matches!(
            self.words.try_recv(),
            Err(std::sync::mpsc::TryRecvError::Empty)
        )
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(socket) = socket.as_ref() {
            // One that is closed already needs no closing.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn closed(detail: impl Into<String>) -> Lost {
    Lost::new(ServerFault::Closed, detail)
}

/// Connects, and answers questions until either end is gone.
fn serve(
    address: &Address,
    key: Option<&ApiKey>,
    held: &Mutex<Option<TcpStream>>,
    asked: &Receiver<Vec<u8>>,
    say: &SyncSender<Word>,
) -> Result<(), Lost> {
    let stream = dial(address)
        .map_err(|error| Lost::new(ServerFault::Unreachable, format!("no connection ({error})")))?;
    let handle = stream.try_clone();
    let plain = |error: io::Error| closed(error.to_string());
    *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.map_err(plain)?);
    stream.set_read_timeout(Some(CONNECT)).map_err(plain)?;
    stream.set_write_timeout(Some(WRITE)).map_err(plain)?;
    let mut socket = shake_hands(stream, address, key)?;
    let welcome = answer(&mut socket)?;
    wire::description(&welcome)
        .map_err(|error| Lost::new(ServerFault::Answer, error.to_string()))?;
    if say.send(Ok(welcome)).is_err() {
        return Ok(());
    }
    loop {
        let question = match asked.recv_timeout(IDLE) {
            Ok(question) => question,
            Err(RecvTimeoutError::Timeout) => {
                answer_pings(&mut socket)?;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        // However long a model takes: whoever waits closes the socket when that is too long.
        socket.get_ref().set_read_timeout(None).map_err(plain)?;
        socket
            .send(Message::Binary(question.into()))
            .map_err(lost)?;
        if say.send(Ok(answer(&mut socket)?)).is_err() {
            return Ok(());
        }
    }
}

fn dial(address: &Address) -> io::Result<TcpStream> {
    let mut last = io::Error::other("its name has no address");
    for to in (address.host(), address.port()).to_socket_addrs()? {
        match TcpStream::connect_timeout(&to, CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn shake_hands(
    stream: TcpStream,
    address: &Address,
    key: Option<&ApiKey>,
) -> Result<WebSocket<TcpStream>, Lost> {
    let uri = address.to_string();
    let uri = uri
        .parse()
        .map_err(|_| Lost::new(ServerFault::Unreachable, "its address can't be asked for"))?;
    let mut request = ClientRequestBuilder::new(uri);
    if let Some(key) = key {
        request = request.with_header("Authorization", format!("Api-Key {}", key.secret()));
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    match client_with_config(request, stream, Some(config)) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(error)) => Err(lost(error)),
        Err(HandshakeError::Interrupted(_)) => Err(Lost::new(
            ServerFault::Silent,
            format!("it took the connection and said nothing for {CONNECT:?}"),
        )),
    }
}

/// The next binary message.
fn answer(socket: &mut WebSocket<TcpStream>) -> Result<Vec<u8>, Lost> {
    loop {
        match socket.read().map_err(lost)? {
            Message::Binary(bytes) => return Ok(bytes.to_vec()),
            Message::Text(text) => return Err(traceback(&text)),
            Message::Close(_) => return Err(closed("it closed the connection")),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// Reads what came unasked: pings, which are answered, or an end.
fn answer_pings(socket: &mut WebSocket<TcpStream>) -> Result<(), Lost> {
    let plain = |error: io::Error| closed(error.to_string());
    let brief = Some(Duration::from_millis(1));
    socket.get_ref().set_read_timeout(brief).map_err(plain)?;
    loop {
        match socket.read() {
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Close(_)) => return Err(closed("it closed the connection")),
            Ok(Message::Text(text)) => return Err(traceback(&text)),
            Ok(Message::Binary(_)) => {
                let what = "it answers what was not asked";
                return Err(Lost::new(ServerFault::Answer, what));
            }
            Err(Error::Io(error)) if waiting(&error) => break,
            Err(error) => return Err(lost(error)),
        }
    }
    match socket.flush() {
        Err(Error::Io(error)) if waiting(&error) => Ok(()),
        flushed => flushed.map_err(lost),
    }
}

fn waiting(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// A text frame is the server's own traceback: its last line says what is wrong.
fn traceback(text: &str) -> Lost {
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = last
        .unwrap_or("an empty one")
        .trim()
        .chars()
        .map(clean)
        .take(300)
        .collect();
    Lost::new(ServerFault::Refused, format!("it failed: {line}"))
}

fn lost(error: Error) -> Lost {
    match error {
        Error::Http(response) => Lost::new(
            ServerFault::Refused,
            match response.status().as_u16() {
                status @ (401 | 403) => format!("it refuses the API key ({status})"),
                status => format!("it answers {status}: no policy server is there"),
            },
        ),
        Error::Capacity(error) => Lost::new(ServerFault::Answer, error.to_string()),
        Error::Io(error) if waiting(&error) => {
            Lost::new(ServerFault::Silent, format!("nothing for {CONNECT:?}"))
        }
        Error::ConnectionClosed | Error::AlreadyClosed => closed("it closed the connection"),
        error => closed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_traceback_the_last_line_is_told() {
        let text =
            "Traceback (most recent call last):\n  File \"p.py\", line 1\nKeyError: 'state'\n";
        let lost = traceback(text);
        assert_eq!(lost.detail, "it failed: KeyError: 'state'");
        assert_eq!(lost.fault, ServerFault::Refused);
        assert_eq!(traceback("\n").detail, "it failed: an empty one");
    }
}
