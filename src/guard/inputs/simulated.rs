//! A contact that is a file saying `closed` or `open`, for simulated cells and tests.
//!
//! Anything else, and a file that is gone, is a broken wire. A file renamed onto the path takes
//! the place of the old one whole: there is no moment at which it says neither.
//!
//! Real time: a read of the page cache; nothing is allocated.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::{Errno, pread};

use super::{Channel, ChannelError};
use crate::messages::Level;
use crate::units::MonoTime;

/// A file as a contact.
pub(super) struct FileContact {
    path: CString,
    file: Option<OwnedFd>,
}

/// Opens the contact at `path`.
pub(super) fn open(path: &Path) -> Result<FileContact, ChannelError> {
    let no = |what: &dyn std::fmt::Display| {
        let what = format!("it can't be read as a contact ({what}): write `closed` into it");
        ChannelError::new(path, what)
    };
    let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|error| no(&error))?;
    let file = open_file(&c_path).map_err(|errno| no(&errno))?;
    Ok(FileContact {
        path: c_path,
        file: Some(file),
    })
}

fn open_file(path: &CString) -> Result<OwnedFd, Errno> {
    // A fifo or a terminal must not hold up the loop.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path.as_c_str(), flags, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file),
        _ => Err(Errno::INVAL),
    }
}

impl Channel for FileContact {
    fn level(&mut self, _now: MonoTime) -> Level {
        let is_there = |file: &OwnedFd| fstat(file).is_ok_and(|stat| stat.st_nlink > 0);
        if !self.file.as_ref().is_some_and(is_there) {
            self.file = open_file(&self.path).ok();
        }
        let mut text = [0; 16];
        let read = self.file.as_ref().map(|file| pread(file, &mut text, 0));
        match read {
            Some(Ok(length)) => meaning(text.get(..length).unwrap_or_default()),
            Some(Err(_)) | None => Level::Broken,
        }
    }
}

fn meaning(text: &[u8]) -> Level {
    match text.trim_ascii() {
        b"closed" => Level::Closed,
        b"open" => Level::Open,
        _ => Level::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_closed_or_open_and_everything_else_is_a_broken_wire() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stop");
        assert!(open(&path).is_err(), "no file, no contact");
        std::fs::write(&path, "closed\n").unwrap();
        let mut contact = open(&path).unwrap();
        let mut level = || contact.level(MonoTime(0));
        assert_eq!(level(), Level::Closed);
        std::fs::write(&path, "open").unwrap();
        assert_eq!(level(), Level::Open);
        for broken in ["", "clos", "closed or open, who knows"] {
            std::fs::write(&path, broken).unwrap();
            assert_eq!(level(), Level::Broken, "{broken}");
        }
        std::fs::write(folder.path().join("new"), "closed").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(level(), Level::Closed, "a file renamed onto it");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(level(), Level::Broken);
        std::fs::write(&path, "closed").unwrap();
        assert_eq!(level(), Level::Closed, "the wire was mended");
    }

    #[test]
    fn a_folder_is_no_contact() {
        let folder = tempfile::tempdir().unwrap();
        let error = open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("write `closed` into it"), "{error}");
    }
}
