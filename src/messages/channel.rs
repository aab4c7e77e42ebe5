//! A `SOCK_SEQPACKET` unix socket that carries messages, one a datagram, and where it is found.
//!
//! Owns the socket's path, permissions and non-blocking use. Never decides anything about what
//! it carries.
//!
//! Real time: `try_send` and `try_receive` neither block nor allocate.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
    bind, connect, listen, recv, send, socket_with,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{MAX_MESSAGE, Name, decode, encode, name};

/// What a non-blocking receive found.
#[derive(Debug, Clone, PartialEq)]
pub enum Received<M> {
    /// A message.
    Message(M),
    /// A datagram that is none.
    Garbage,
    /// Nothing now.
    Nothing,
    /// The other end is gone.
    Closed,
}

/// One end of a connection, with its buffer.
#[derive(Debug)]
pub struct Channel {
    fd: OwnedFd,
}

/// A buffer every message fits into, to be made once.
#[must_use]
pub fn buffer() -> Box<[u8; MAX_MESSAGE]> {
    Box::new([0; MAX_MESSAGE])
}

impl Channel {
    /// Connects to the guard listening at `path`.
    ///
    /// # Errors
    /// When nobody listens there, or the path is too long for a socket.
    pub fn connect(path: &Path) -> io::Result<Channel> {
        let fd = seqpacket()?;
        connect(&fd, &SocketAddrUnix::new(path)?)?;
        Ok(Channel { fd })
    }

    /// User and process id of who connected, as the system knows them. The process id is 0 where it
    /// can't be seen from here.
    #[must_use]
    pub fn peer(&self) -> Option<(u32, i32)> {
        let peer = getsockopt(&self.fd, PeerCredentials).ok()?;
        Some((peer.uid(), peer.pid()))
    }

    /// Sends without blocking. `false` when the other end is gone or its queue is full.
    pub fn try_send<M: Serialize>(&self, message: &M, buffer: &mut [u8]) -> bool {
        match encode(message, buffer) {
            Ok(bytes) => send(&self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok(),
            Err(_) => false,
        }
    }

    /// Receives without blocking.
    pub fn try_receive<M: DeserializeOwned>(&self, buffer: &mut [u8]) -> Received<M> {
        match recv(&self.fd, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Received::Closed,
            Ok((_, len)) => match buffer.get(..len).map(decode) {
                Some(Ok(message)) => Received::Message(message),
                _ => Received::Garbage,
            },
            Err(Errno::AGAIN | Errno::INTR) => Received::Nothing,
            Err(_) => Received::Closed,
        }
    }

    /// Waits for something to receive, at most `timeout`. Not for the real-time thread.
    pub fn wait(&self, timeout: Duration) -> bool {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&timeout)), Ok(ready) if ready > 0)
    }

    /// Receives, waiting at most `timeout`; `Nothing` when the time is over. Not for the
    /// real-time thread.
    pub fn receive_within<M: DeserializeOwned>(
        &self,
        timeout: Duration,
        buffer: &mut [u8],
    ) -> Received<M> {
        if self.wait(timeout) {
            self.try_receive(buffer)
        } else {
            Received::Nothing
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The guard's listening socket; its file is removed when it is dropped.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path`, for this user only. A socket file nobody listens on is replaced.
    ///
    /// # Errors
    /// When another guard listens there, or the folder can't be written.
    pub fn bind(path: &Path) -> io::Result<Listener> {
        if Channel::connect(path).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another controller listens there",
            ));
        }
        if let Err(error) = std::fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let fd = seqpacket()?;
        bind(&fd, &SocketAddrUnix::new(path)?)?;
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        listen(&fd, 8)?;
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Listener {
            fd,
            path: path.to_owned(),
        })
    }

    /// A connection that waits to be accepted, without blocking.
    pub fn try_accept(&self) -> Option<Channel> {
        accept_with(&self.fd, SocketFlags::CLOEXEC)
            .ok()
            .map(|fd| Channel { fd })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A file that is already gone needs no removing.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn seqpacket() -> io::Result<OwnedFd> {
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Who this process acts for: the user and the session, so that all that is typed in one terminal
/// goes by one name.
#[must_use]
pub fn own_name() -> Name {
    let uid = rustix::process::geteuid().as_raw();
    let user = std::env::var("USER").unwrap_or_else(|_| format!("user {uid}"));
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let session = session_in(&stat).unwrap_or("unknown");
    name(&format!("{user} in session {session}"))
}

/// The session in a `/proc/PID/stat`. It is 0 in a container whose session began outside, for which
/// `getsid` of rustix has no type.
fn session_in(stat: &str) -> Option<&str> {
    // The command's name comes before, in parentheses, and may hold anything.
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(3)
}

/// The folder where controllers of this user are found: `$XDG_RUNTIME_DIR/surehand`, else a
/// folder of the user in the system's temporary directory. Made when absent, for this user only.
///
/// # Errors
/// When it can't be made, or belongs to somebody else.
pub fn socket_folder() -> io::Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let uid = rustix::process::geteuid().as_raw();
    let folder = match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder).join("surehand"),
        _ => std::env::temp_dir().join(format!("surehand-{uid}")),
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    if std::fs::metadata(&folder)?.uid() != uid {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} belongs to another user", folder.display()),
        ));
    }
    Ok(folder)
}

/// What the name of a folder with the sockets of a cell's arms ends in.
const ARMS: &str = "arms";
/// What the name of a socket ends in.
const SOCKET: &str = "sock";

/// Where the guard of arm `arm` listens in the cell whose socket is `cell`: in a folder of the cell,
/// which is made for this user alone; the only arm, which has no name, at `cell` itself.
///
/// # Errors
/// When the folder can't be made.
pub fn arm_socket(cell: &Path, arm: &str) -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    if arm.is_empty() {
        return Ok(cell.to_owned());
    }
    let folder = cell.with_extension(ARMS);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    Ok(folder.join(arm).with_extension(SOCKET))
}

/// The sockets of all guards of the cell that `socket` is of: of a cell of several arms, which one of
/// theirs or the cell's own name stands for, those on which somebody listens.
#[must_use]
pub fn guards_of(socket: &Path) -> Vec<PathBuf> {
    let of_arms = |folder: &&Path| folder.extension().is_some_and(|ext| ext == ARMS);
    let folder = match socket.parent().filter(of_arms) {
        Some(folder) => folder.to_owned(),
        None if socket.extension().is_some_and(|ext| ext == ARMS) => socket.to_owned(),
        None if socket.exists() => return vec![socket.to_owned()],
        None => socket.with_extension(ARMS),
    };
    let arms = listening_in(&folder).unwrap_or_default();
    if arms.is_empty() {
        return vec![socket.to_owned()];
    }
    arms
}

/// What the guard at `socket` is called in a cell of several arms; nothing in a cell of one.
#[must_use]
pub fn arm_at(socket: &Path) -> &str {
    let folder = socket.parent().and_then(Path::extension);
    match (folder, socket.file_stem()) {
        (Some(folder), Some(stem)) if folder == ARMS => stem.to_str().unwrap_or_default(),
        _ => "",
    }
}

/// Sockets in [`socket_folder`] on which somebody listens; one of a cell of several arms, or the
/// folder of those, stands for all of them.
///
/// # Errors
/// When the folder can't be read.
pub fn running_controllers() -> io::Result<Vec<PathBuf>> {
    let folder = socket_folder()?;
    let mut found = listening_in(&folder)?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == ARMS)
            && listening_in(&path).is_ok_and(|arms| !arms.is_empty())
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The sockets in `folder` on which somebody listens, in the order of their names.
fn listening_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == SOCKET) && Channel::connect(&path).is_ok() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{PROTOCOL, Role, ToGuard};

    fn pair() -> (Listener, Channel, Channel, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sock");
        let listener = Listener::bind(&path).unwrap();
        let client = Channel::connect(&path).unwrap();
        let server = listener.try_accept().unwrap();
        (listener, client, server, folder)
    }

    #[test]
    fn a_message_crosses_and_a_closed_end_is_told_at_once() {
        let (_listener, client, server, _folder) = pair();
        let own = (
            rustix::process::geteuid().as_raw(),
            std::process::id().cast_signed(),
        );
        assert_eq!(server.peer(), Some(own));
        let mut bytes = buffer();
        let hello = ToGuard::Hello {
            protocol: PROTOCOL,
            role: Role::Runner,
            name: name("test"),
        };
        assert!(client.try_send(&hello, bytes.as_mut_slice()));
        assert_eq!(
            server.try_receive(bytes.as_mut_slice()),
            Received::Message(hello)
        );
        assert_eq!(
            server.try_receive::<ToGuard>(bytes.as_mut_slice()),
            Received::Nothing
        );
        drop(client);
        assert_eq!(
            server.try_receive::<ToGuard>(bytes.as_mut_slice()),
            Received::Closed
        );
    }

    #[test]
    fn a_session_is_named_whatever_the_command_is_called_and_wherever_it_began() {
        let own = "31 (a) b (c) R 7 31 12 34816 31 4194304 0";
        assert_eq!(session_in(own), Some("12"));
        let outside = "2 (surehand) S 1 0 0 0 -1 4194560";
        assert_eq!(session_in(outside), Some("0"));
        assert_eq!(session_in(""), None);
        assert!(own_name().contains("in session "));
    }

    #[test]
    fn garbage_is_no_message() {
        let (_listener, client, server, _folder) = pair();
        rustix::net::send(&client, &[0xff; 40], SendFlags::empty()).unwrap();
        let mut bytes = buffer();
        assert_eq!(
            server.try_receive::<ToGuard>(bytes.as_mut_slice()),
            Received::Garbage
        );
    }

    #[test]
    fn a_second_listener_is_refused_and_a_dead_one_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.sock");
        let first = Listener::bind(&path).unwrap();
        assert_eq!(
            Listener::bind(&path).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        drop(first);
        std::fs::write(&path, b"left behind").unwrap();
        assert!(Listener::bind(&path).is_ok());
    }
}
