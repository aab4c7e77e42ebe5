//! Whether a policy server is there: `GET /healthz`, as openpi's answers it.
//!
//! Bounded in time and bytes. Never speaks the websocket protocol.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::policy::server::Address;

/// For the connection, and for each part of the answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// For all of it, the look-up of the name included.
const WHOLE: Duration = Duration::from_secs(5);
/// The most of an answer that is read, bytes.
const MAX_ANSWER: u64 = 16 * 1024;

/// How a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// As a policy server that is well.
    Well,
    /// It answers, but with this first line.
    Other(String),
    /// Nobody answers, for this reason.
    Unreachable(String),
}

/// Asks the server at `address` how it is; takes five seconds at most.
#[must_use]
pub fn health(address: &Address) -> Health {
    let (say, said) = sync_channel(1);
    let to = address.clone();
    // Not joined: looking up a name can take as long as it likes.
    let asking = std::thread::Builder::new()
        .name("healthz".into())
        .spawn(move || say.send(ask(&to)));
    let answer = match asking {
        Ok(_) => said.recv_timeout(WHOLE),
        Err(error) => return Health::Unreachable(error.to_string()),
    };
    match answer {
        Ok(Ok(line)) if line.split(' ').nth(1) == Some("200") => Health::Well,
        Ok(Ok(line)) => Health::Other(line),
        Ok(Err(error)) => Health::Unreachable(error.to_string()),
        Err(_) => Health::Unreachable(format!("no answer within {WHOLE:?}")),
    }
}

/// The first line of its answer.
fn ask(address: &Address) -> std::io::Result<String> {
    let mut stream = Err(std::io::Error::other("its name has no address"));
    for to in (address.host(), address.port()).to_socket_addrs()? {
        stream = TcpStream::connect_timeout(&to, TIMEOUT);
        if stream.is_ok() {
            break;
        }
    }
    let mut stream = stream?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let host = address.authority();
    write!(
        stream,
        "GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    while answer.len() as u64 <= MAX_ANSWER && !answer.contains(&b'\n') {
        match stream.read(&mut part)? {
            0 => break,
            read => answer.extend_from_slice(part.get(..read).unwrap_or_default()),
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().next().unwrap_or_default();
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    Ok(line.chars().map(clean).take(100).collect())
}
