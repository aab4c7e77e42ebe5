//! The pseudo-terminal that stands for the arm's USB adapter.
//!
//! Owns both ends of it. The near end is the adapter's; the far end is kept open too, so that a
//! client may come and go, and so that what a client leaves behind (unread bytes, an exclusive
//! claim) can be cleared as it would be when the last one closes a real port. Never looks at bytes.

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    OptionalActions, QueueSelector, ioctl_tiocnxcl, tcflush, tcgetattr, tcsetattr,
};
use rustix::time::Timespec;

use super::link::Link;

/// Bits a second of a port nobody has set: what the servos speak out of the box.
const BAUD: u32 = 1_000_000;
/// The kernel tells of a close before it has let go: how often it is looked at, ns.
const LOOK_EVERY_NS: u64 = 1_000_000;
/// Looks after a close; by then whoever still has the port open is another client.
const LOOKS: u32 = 100;

/// A pty with the link to it.
#[derive(Debug)]
pub(super) struct Pty {
    near: OwnedFd,
    far: Option<OwnedFd>,
    watch: OwnedFd,
    path: PathBuf,
    used: bool,
    /// Looks still to be taken at whether the client that closed has gone.
    looks: u32,
    _link: Option<Link>,
}

impl Pty {
    /// Opens a raw pty; `link` becomes a link to it.
    pub(super) fn open(link: Option<&Path>) -> Result<Pty, OpenError> {
        let (near, far, path) = open_pair().map_err(OpenError::Pty)?;
        let watch = watch(&path).map_err(OpenError::Pty)?;
        let link = link
            .map(|at| Link::make(at, &path))
            .transpose()
            .map_err(OpenError::Link)?;
        Ok(Pty {
            near,
            far: Some(far),
            watch,
            path,
            used: false,
            looks: 0,
            _link: link,
        })
    }

    /// The device file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Readable when the host has sent something.
    pub(super) fn bytes(&self) -> BorrowedFd<'_> {
        self.near.as_fd()
    }

    /// Readable when a client has come or gone.
    pub(super) fn clients(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }

    /// Whether a client has the port open.
    pub(super) fn in_use(&self) -> bool {
        self.used
    }

    /// What the host has sent, empty when nothing waits.
    pub(super) fn read<'b>(&self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        match rustix::io::read(&self.near, &mut *buffer) {
            Ok(count) => Ok(buffer.get(..count).unwrap_or(&[])),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(&[]),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives bytes to the host. As with a real port, what nobody reads in time is lost.
    pub(super) fn write(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match rustix::io::write(&self.near, bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or(&[]),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    /// Bits a second the client has set.
    pub(super) fn baud(&self) -> Option<u32> {
        let far = self.far.as_ref()?;
        Some(tcgetattr(far).ok()?.output_speed())
    }

    /// Takes note of clients that came or went. True when the last one has gone.
    pub(super) fn update_clients(&mut self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut events = inotify::Reader::new(&self.watch, &mut buffer);
        let (mut opened, mut closed) = (false, false);
        while let Ok(event) = events.next() {
            opened |= event.events().contains(inotify::ReadFlags::OPEN);
            closed |= event
                .events()
                .intersects(inotify::ReadFlags::CLOSE_WRITE | inotify::ReadFlags::CLOSE_NOWRITE);
        }
        self.used |= opened;
        if closed {
            self.looks = LOOKS;
        }
        if self.looks == 0 || !self.used {
            return false;
        }
        self.looks -= 1;
        self.used = !self.deserted();
        if !self.used {
            self.looks = 0;
        }
        !self.used
    }

    /// When [`Pty::update_clients`] must be called even though nothing has been heard, ns.
    pub(super) fn look_within(&self) -> Option<u64> {
        (self.looks > 0).then_some(LOOK_EVERY_NS)
    }

    /// Whether nobody but us has the far end open: then letting it go hangs the near end up.
    fn deserted(&mut self) -> bool {
        if let Some(far) = self.far.take() {
            let _ = ioctl_tiocnxcl(&far);
        }
        let mut fds = [PollFd::new(&self.near, PollFlags::empty())];
        let now = Timespec::default();
        let alone = poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::HUP);
        self.far = open_far(&self.near).ok();
        if alone && let Some(far) = &self.far {
            // First what the kernel has not yet carried across, then what has arrived: the other
            // way round the former would arrive afterwards and meet the next client.
            let _ = tcflush(&self.near, QueueSelector::IOFlush);
            let _ = tcflush(far, QueueSelector::IOFlush);
        }
        // Our own coming and going is no news.
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut events = inotify::Reader::new(&self.watch, &mut buffer);
        while events.next().is_ok() {}
        alone
    }
}

/// Why there is no pty.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The system gives none.
    Pty(io::Error),
    /// The link cannot be made.
    Link(io::Error),
}

fn open_pair() -> io::Result<(OwnedFd, OwnedFd, PathBuf)> {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&near)?;
    unlockpt(&near)?;
    let name = ptsname(&near, Vec::new())?;
    let path = PathBuf::from(OsString::from_vec(name.into_bytes()));
    let far = open_far(&near)?;
    let mut settings = tcgetattr(&far)?;
    settings.make_raw();
    settings.set_speed(BAUD)?;
    tcsetattr(&far, OptionalActions::Now, &settings)?;
    let flags = rustix::fs::fcntl_getfl(&near)?;
    rustix::fs::fcntl_setfl(&near, flags | rustix::fs::OFlags::NONBLOCK)?;
    Ok((near, far, path))
}

fn open_far(near: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    Ok(rustix::pty::ioctl_tiocgptpeer(near, flags)?)
}

fn watch(path: &Path) -> io::Result<OwnedFd> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let events = inotify::WatchFlags::OPEN
        | inotify::WatchFlags::CLOSE_WRITE
        | inotify::WatchFlags::CLOSE_NOWRITE;
    inotify::add_watch(&watch, path, events)?;
    Ok(watch)
}
