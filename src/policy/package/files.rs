//! The files of a package: none outside it, none larger than its bound.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// A file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The path is absolute, climbs out, or is no path.
    #[error("{0:?} is not a path inside the package")]
    Path(String),
    /// A link leads out.
    #[error("{0:?} is a link that leaves the package")]
    Link(String),
    /// It is not there, or can't be read.
    #[error("{name:?} can't be read ({error})")]
    Read {
        /// Its name in the package.
        name: String,
        /// Why.
        error: String,
    },
    /// A directory, a pipe, a device.
    #[error("{0:?} is not a regular file")]
    Kind(String),
    /// More than is sensible.
    #[error("{name:?} has {bytes} bytes, the limit is {limit}")]
    TooLong {
        /// Its name in the package.
        name: String,
        /// Its size.
        bytes: u64,
        /// The largest size.
        limit: u64,
    },
}

/// The real path of `name` inside `package`: a regular file of at most `limit` bytes.
pub(super) fn locate(package: &Path, name: &str, limit: u64) -> Result<PathBuf, FileError> {
    let path = Path::new(name);
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if name.is_empty() || name.contains('\0') || !path.components().all(inside) {
        return Err(FileError::Path(name.into()));
    }
    let unreadable = |error: std::io::Error| FileError::Read {
        name: name.into(),
        error: error.to_string(),
    };
    let root = package.canonicalize().map_err(unreadable)?;
    let real = root.join(path).canonicalize().map_err(unreadable)?;
    if !real.starts_with(&root) {
        return Err(FileError::Link(name.into()));
    }
    let meta = real.metadata().map_err(unreadable)?;
    if !meta.is_file() {
        return Err(FileError::Kind(name.into()));
    }
    if meta.len() > limit {
        return Err(FileError::TooLong {
            name: name.into(),
            bytes: meta.len(),
            limit,
        });
    }
    Ok(real)
}

/// The bytes of `name` inside `package`, at most `limit`.
pub(super) fn read(package: &Path, name: &str, limit: u64) -> Result<Vec<u8>, FileError> {
    let unreadable = |error: std::io::Error| FileError::Read {
        name: name.into(),
        error: error.to_string(),
    };
    let file = File::open(locate(package, name, limit)?).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // The file may grow between the look and the read.
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Every file in the directory `package`, or the one that it is, by its name there with `/` between the parts, sorted.
///
/// # Errors
/// When something can't be read, is no regular file, or leads out of the package.
pub fn files(package: &Path) -> Result<Vec<(String, PathBuf)>, FileError> {
    let mut found = Vec::new();
    if let (true, Some(name)) = (package.is_file(), package.file_name()) {
        // A graph alone.
        return Ok(vec![(name.to_string_lossy().into(), package.to_owned())]);
    }
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let unreadable = |error: std::io::Error| FileError::Read {
            name: if folder.is_empty() { "." } else { &folder }.to_owned(),
            error: error.to_string(),
        };
        for entry in std::fs::read_dir(package.join(&folder)).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            // Links to folders are not followed: they may lead round in circles.
            if entry.file_type().map_err(unreadable)?.is_dir() {
                folders.push(name + "/");
            } else {
                let path = locate(package, &name, u64::MAX)?;
                found.push((name, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_path_leaves_the_package() {
        let outer = tempfile::tempdir().unwrap();
        let package = outer.path().join("package");
        std::fs::create_dir(&package).unwrap();
        std::fs::write(outer.path().join("secret"), "x").unwrap();
        std::fs::write(package.join("inside"), "x").unwrap();
        symlink("../secret", package.join("out")).unwrap();
        symlink("inside", package.join("in")).unwrap();
        std::fs::create_dir(package.join("sub")).unwrap();

        let at = |name: &str| locate(&package, name, 10);
        assert!(at("inside").is_ok() && at("./inside").is_ok() && at("in").is_ok());
        assert_eq!(at("out"), Err(FileError::Link("out".into())));
        for name in ["../secret", "/etc/passwd", "sub/../../secret", "", "a\0b"] {
            assert_eq!(at(name), Err(FileError::Path(name.into())));
        }
        let all = |package: &Path| files(package).map(|all| all.into_iter().map(|(name, _)| name));
        assert_eq!(all(&package).err(), Some(FileError::Link("out".into())));
        std::fs::remove_file(package.join("out")).unwrap();
        std::fs::write(package.join("sub/deep"), "x").unwrap();
        let names: Vec<String> = all(&package).unwrap().collect();
        assert_eq!(names, ["in", "inside", "sub/deep"]);
        assert_eq!(at("sub"), Err(FileError::Kind("sub".into())));
        assert!(matches!(at("absent"), Err(FileError::Read { .. })));
        assert!(matches!(
            locate(&package, "inside", 0),
            Err(FileError::TooLong { bytes: 1, .. })
        ));
    }
}
