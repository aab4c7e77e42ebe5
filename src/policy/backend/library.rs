//! Where ONNX Runtime's library may be. Looks at file names only; loads nothing.

use std::path::{Path, PathBuf};

/// One place to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The library's file, or its bare name for the system's library path.
    pub path: PathBuf,
    /// Why it is tried.
    pub reason: &'static str,
}

/// The places to try, the best first: the configured file alone; else the Python package
/// `onnxruntime` of the active environment, of the `python3` programs on `path`, of the user and
/// of the system; last, the system's library path.
#[must_use]
pub fn candidates(configured: Option<&Path>, environment: &Environment) -> Vec<Candidate> {
    if let Some(file) = configured {
        return vec![Candidate {
            path: file.to_owned(),
            reason: "named by configuration",
        }];
    }
    let mut found = Vec::new();
    for prefix in &environment.active {
        in_prefix(prefix, "in the active Python environment", &mut found);
    }
    for dir in &environment.path {
        let python = dir.join("python3");
        if !python.exists() {
            continue;
        }
        let why = "in the Python package onnxruntime of the python3 on PATH";
        // An environment's python3 is a link: its own prefix first, then the one behind it.
        if let Some(prefix) = dir.parent() {
            in_prefix(prefix, why, &mut found);
            for version in children(&prefix.join("versions")) {
                in_prefix(&version, why, &mut found);
            }
        }
        let real = python.canonicalize().ok();
        if let Some(prefix) = real
            .as_deref()
            .and_then(Path::parent)
            .and_then(Path::parent)
        {
            in_prefix(prefix, why, &mut found);
        }
    }
    if let Some(home) = &environment.home {
        let why = "in the user's Python package onnxruntime";
        in_prefix(&home.join(".local"), why, &mut found);
    }
    for prefix in &environment.system {
        in_prefix(
            prefix,
            "in the system's Python package onnxruntime",
            &mut found,
        );
    }
    for name in ["libonnxruntime.so", "libonnxruntime.so.1"] {
        found.push(Candidate {
            path: name.into(),
            reason: "in the system's library path",
        });
    }
    found
}

/// What of this machine decides where Python packages are.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Prefixes of active environments.
    pub active: Vec<PathBuf>,
    /// Directories of programs.
    pub path: Vec<PathBuf>,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// Prefixes of the system.
    pub system: Vec<PathBuf>,
}

impl Environment {
    /// This process's own.
    #[must_use]
    pub fn of_process() -> Environment {
        let directory = |key| std::env::var_os(key).filter(|value| !value.is_empty());
        let active = ["VIRTUAL_ENV", "CONDA_PREFIX"];
        Environment {
            active: active
                .into_iter()
                .filter_map(directory)
                .map(PathBuf::from)
                .collect(),
            path: directory("PATH").map_or_else(Vec::new, |path| {
                std::env::split_paths(&path)
                    .filter(|dir| dir.is_absolute())
                    .collect()
            }),
            home: directory("HOME").map(PathBuf::from),
            system: vec!["/usr/local".into(), "/usr".into()],
        }
    }
}

/// Adds every library of the package `onnxruntime` under a Python prefix, newest Python first.
fn in_prefix(prefix: &Path, reason: &'static str, found: &mut Vec<Candidate>) {
    let mut pythons: Vec<PathBuf> = children(&prefix.join("lib"))
        .into_iter()
        .filter(|dir| file_name(dir).starts_with("python3"))
        .collect();
    pythons.sort();
    for python in pythons.iter().rev() {
        for packages in ["site-packages", "dist-packages"] {
            let capi = python.join(packages).join("onnxruntime").join("capi");
            let mut libraries: Vec<PathBuf> = children(&capi)
                .into_iter()
                .filter(|file| is_library(file))
                .collect();
            libraries.sort();
            for path in libraries.into_iter().rev() {
                if !found.iter().any(|candidate| candidate.path == path) {
                    found.push(Candidate { path, reason });
                }
            }
        }
    }
}

fn is_library(file: &Path) -> bool {
    let name = file_name(file);
    name == "libonnxruntime.so" || name.starts_with("libonnxruntime.so.")
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(prefix: &Path, python: &str, library: &str) -> PathBuf {
        let capi = prefix
            .join("lib")
            .join(python)
            .join("site-packages/onnxruntime/capi");
        std::fs::create_dir_all(&capi).unwrap();
        std::fs::write(capi.join("libonnxruntime_providers_shared.so"), "").unwrap();
        std::fs::write(capi.join(library), "").unwrap();
        capi.join(library)
    }

    #[test]
    fn a_configured_file_is_the_only_candidate() {
        let found = candidates(Some(Path::new("/x/lib.so")), &Environment::default());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, Path::new("/x/lib.so"));
    }

    #[test]
    fn the_active_environment_comes_before_path_and_system() {
        let root = tempfile::tempdir().unwrap();
        let (venv, usr) = (root.path().join("venv"), root.path().join("usr"));
        let active = package(&venv, "python3.11", "libonnxruntime.so.1.31.1");
        let old = package(&usr, "python3.9", "libonnxruntime.so.1.31.0");
        let new = package(&usr, "python3.12", "libonnxruntime.so");
        std::fs::create_dir_all(usr.join("bin")).unwrap();
        std::fs::write(usr.join("bin/python3"), "").unwrap();
        let environment = Environment {
            active: vec![venv],
            path: vec![usr.join("bin")],
            home: None,
            system: vec![usr],
        };
        let found = candidates(None, &environment);
        let paths: Vec<&Path> = found.iter().map(|c| c.path.as_path()).collect();
        assert_eq!(paths[0], active);
        assert!(paths.contains(&new.as_path()) && paths.contains(&old.as_path()));
        assert_eq!(paths.last(), Some(&Path::new("libonnxruntime.so.1")));
        let unique: std::collections::HashSet<_> = paths.iter().collect();
        assert_eq!(unique.len(), paths.len());
    }
}
