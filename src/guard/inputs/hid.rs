//! A contact that is a key or button of an input device (evdev).
//!
//! The stream of events tells changes only, and a broken button tells nothing: a contact is open
//! until its button was seen to go where it permits. So every start of the guard wants an
//! emergency stop pressed and released once, which shows that it works.
//!
//! Real time: reads that never block; nothing is allocated.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, read};

use super::{Channel, ChannelError};
use crate::messages::{InputRole, Level};
use crate::units::MonoTime;

/// A `struct input_event`: two words of time, type, code, value.
const TIME: usize = 2 * size_of::<usize>();
const EVENT: usize = TIME + 8;
/// Events taken in one read.
const EVENTS: usize = 32;
/// Reads in one tick: a device that floods is left for the next.
const READS: usize = 4;

const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const SYN_DROPPED: u16 = 3;

/// A key as a contact.
pub(super) struct KeyContact {
    device: OwnedFd,
    key: Key,
    gone: bool,
}

/// What is known of the key.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    code: u16,
    role: InputRole,
    /// `None` until it was seen to change.
    pressed: Option<bool>,
}

/// Opens `device`, which must have `key`.
pub(super) fn open(device: &Path, key: u16, role: InputRole) -> Result<KeyContact, ChannelError> {
    let no = |what: &dyn std::fmt::Display, remedy: &str| {
        ChannelError::new(device, format!("{what}: {remedy}"))
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(device, flags, Mode::empty()).map_err(|errno| {
        no(
            &errno,
            "connect it, take its path under /dev/input/by-id, and join the group `input`",
        )
    })?;
    let real = std::fs::canonicalize(device).unwrap_or_else(|_| device.to_path_buf());
    let node = real.file_name().unwrap_or_default();
    let keys = Path::new("/sys/class/input")
        .join(node)
        .join("device/capabilities/key");
    let keys = std::fs::read_to_string(keys).map_err(|_| {
        no(
            &"it is no input device",
            "take its path under /dev/input/by-id",
        )
    })?;
    if !has_key(&keys, key) {
        return Err(no(
            &format!("it has no key {key}"),
            "`evtest` shows the code of a key that is pressed",
        ));
    }
    Ok(KeyContact {
        device: fd,
        key: Key {
            code: key,
            role,
            pressed: None,
        },
        gone: false,
    })
}

/// Whether the kernel's list of a device's keys holds `key`: words of a long's bits in
/// hexadecimal, the highest first.
fn has_key(words: &str, key: u16) -> bool {
    let key = usize::from(key);
    let bits = usize::BITS as usize;
    let word = words.split_whitespace().rev().nth(key / bits);
    word.and_then(|word| usize::from_str_radix(word, 16).ok())
        .is_some_and(|word| word >> (key % bits) & 1 == 1)
}

impl Key {
    /// Takes in one event.
    fn take(&mut self, event: &[u8]) {
        let half = |at: usize| {
            let bytes = event.get(at..at + 2).and_then(|b| b.try_into().ok());
            u16::from_ne_bytes(bytes.unwrap_or_default())
        };
        let released = event.get(TIME + 4..EVENT) == Some(&[0; 4]);
        match (half(TIME), half(TIME + 2)) {
            (EV_KEY, code) if code == self.code => self.pressed = Some(!released),
            // Events were lost: nobody knows how it stands now.
            (EV_SYN, SYN_DROPPED) => self.pressed = None,
            _ => {}
        }
    }

    fn level(&self) -> Level {
        match (self.role, self.pressed) {
            (InputRole::EmergencyStop, Some(false)) | (InputRole::Enabling, Some(true)) => {
                Level::Closed
            }
            (InputRole::EmergencyStop | InputRole::Enabling, _) => Level::Open,
        }
    }
}

impl Channel for KeyContact {
    fn level(&mut self, _now: MonoTime) -> Level {
        let mut bytes = [0; EVENT * EVENTS];
        for _ in 0..READS {
            if self.gone {
                break;
            }
            match read(&self.device, &mut bytes) {
                Ok(length) if length >= EVENT => {
                    let events = bytes.get(..length).unwrap_or_default();
                    events.chunks_exact(EVENT).for_each(|e| self.key.take(e));
                }
                Err(Errno::AGAIN | Errno::INTR) => break,
                Ok(_) | Err(_) => self.gone = true,
            }
        }
        if self.gone {
            Level::Broken
        } else {
            self.key.level()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = vec![7; TIME];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        bytes
    }

    /// A contact on one end of a connection, whose other end plays the device.
    fn contact(role: InputRole) -> (KeyContact, UnixStream) {
        let (device, writer) = UnixStream::pair().unwrap();
        device.set_nonblocking(true).unwrap();
        let key = Key {
            code: 304,
            role,
            pressed: None,
        };
        let contact = KeyContact {
            device: device.into(),
            key,
            gone: false,
        };
        (contact, writer)
    }

    #[test]
    fn an_emergency_stop_is_open_until_it_was_seen_released() {
        let (mut contact, device) = contact(InputRole::EmergencyStop);
        let mut after = |events: &[Vec<u8>]| {
            rustix::io::write(&device, &events.concat()).unwrap();
            contact.level(MonoTime(0))
        };
        assert_eq!(after(&[]), Level::Open);
        assert_eq!(after(&[event(EV_KEY, 30, 0)]), Level::Open, "another key");
        assert_eq!(
            after(&[event(EV_KEY, 304, 1), event(EV_SYN, 0, 0)]),
            Level::Open
        );
        assert_eq!(after(&[event(EV_KEY, 304, 0)]), Level::Closed);
        assert_eq!(after(&[]), Level::Closed);
        assert_eq!(after(&[event(EV_KEY, 304, 2)]), Level::Open);
        assert_eq!(after(&[event(EV_KEY, 304, 0)]), Level::Closed);
        assert_eq!(after(&[event(EV_SYN, SYN_DROPPED, 0)]), Level::Open);
    }

    #[test]
    fn an_enabling_switch_permits_while_it_is_pressed_and_a_lost_device_is_broken() {
        let (mut contact, device) = contact(InputRole::Enabling);
        assert_eq!(contact.level(MonoTime(0)), Level::Open);
        rustix::io::write(&device, &event(EV_KEY, 304, 1)).unwrap();
        assert_eq!(contact.level(MonoTime(0)), Level::Closed);
        drop(device);
        assert_eq!(contact.level(MonoTime(0)), Level::Broken);
        assert_eq!(contact.level(MonoTime(0)), Level::Broken);
    }

    #[test]
    fn the_kernels_list_of_keys_is_read_from_its_end() {
        let words = "1 0 0 3";
        assert!(has_key(words, 0) && has_key(words, 1) && !has_key(words, 2));
        assert!(has_key(words, 3 * usize::BITS as u16));
        assert!(!has_key(words, 5 * usize::BITS as u16));
        assert!(!has_key("", 0));
    }

    #[test]
    fn a_device_that_is_none_is_told_in_one_line() {
        let error = |path: &str| {
            let open = open(Path::new(path), 304, InputRole::EmergencyStop);
            open.err().unwrap().to_string()
        };
        assert!(error("/dev/input/by-id/no-such").contains("connect it"));
        assert!(error("/dev/null").contains("no input device"));
    }
}
