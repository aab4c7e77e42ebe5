//! A symbolic link at a path the user chose: made atomically, removed when dropped.
//! Owns that one name; never touches what it points at.

use std::io;
use std::path::{Path, PathBuf};

/// A link that exists as long as this does.
#[derive(Debug)]
pub(super) struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    /// Makes `path` a link to `target`. An older link is replaced, anything else refused.
    pub(super) fn make(path: &Path, target: &Path) -> io::Result<Link> {
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.is_symlink() => return Err(io::ErrorKind::AlreadyExists.into()),
            _ => {}
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let _ = std::fs::remove_file(&beside);
        std::os::unix::fs::symlink(target, &beside)?;
        std::fs::rename(&beside, path).inspect_err(|_| {
            let _ = std::fs::remove_file(&beside);
        })?;
        Ok(Link {
            path: path.to_owned(),
            target: target.to_owned(),
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Another simulator may have taken the path over.
        if std::fs::read_link(&self.path).is_ok_and(|target| target == self.target) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_replaces_an_older_one_and_goes_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arm");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        let link = Link::make(&path, Path::new("/dev/zero")).unwrap();
        assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("/dev/zero"));
        drop(link);
        assert!(std::fs::symlink_metadata(&path).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_that_another_took_over_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arm");
        let old = Link::make(&path, Path::new("/dev/zero")).unwrap();
        let new = Link::make(&path, Path::new("/dev/null")).unwrap();
        drop(old);
        assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("/dev/null"));
        drop(new);
    }

    #[test]
    fn a_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes");
        std::fs::write(&path, "mine").unwrap();
        assert!(Link::make(&path, Path::new("/dev/zero")).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}
