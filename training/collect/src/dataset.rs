//! The demonstrations on disk: flat files that NumPy maps as they are.
//!
//! Owns the layout that `training/dataset.py` reads: one record a sample in `overhead.u8`,
//! `wrist.u8` (height × width × RGB), `state.f32`, `action.f32`, `cube.f32` and `episode.i32`,
//! and `meta.json` beside them. Whole episodes are appended, so that the files always agree.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::expert::CHUNK;

/// Numbers in one state.
pub(crate) const STATE: usize = 10;

/// What the policy sees and what it should answer.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) overhead: Vec<u8>,
    pub(crate) wrist: Vec<u8>,
    pub(crate) state: [f32; STATE],
    pub(crate) action: [[f32; 5]; CHUNK],
    /// Where the cube is (base frame, metres), cosine and sine of four times its yaw in the jaws:
    /// something to learn to see, never an input.
    pub(crate) cube: [f32; 5],
}

/// What `meta.json` says: enough to collect the same again.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Meta {
    pub(crate) seed: u64,
    pub(crate) episodes: u32,
    pub(crate) failed: u32,
    pub(crate) samples: u64,
}

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; choose another --out", path.display())]
pub(crate) struct WriteError {
    path: PathBuf,
    source: std::io::Error,
}

/// Appends episodes to a folder.
pub(crate) struct Writer {
    folder: PathBuf,
    files: [(PathBuf, BufWriter<File>); 6],
    episodes: u32,
    samples: u64,
}

impl Writer {
    /// Makes `folder` and its files anew.
    pub(crate) fn create(folder: &Path) -> Result<Writer, WriteError> {
        std::fs::create_dir_all(folder).map_err(|source| WriteError {
            path: folder.to_owned(),
            source,
        })?;
        let open = |name: &str| {
            let path = folder.join(name);
            match File::create(&path) {
                Ok(file) => Ok((path, BufWriter::new(file))),
                Err(source) => Err(WriteError { path, source }),
            }
        };
        Ok(Writer {
            files: [
                open("overhead.u8")?,
                open("wrist.u8")?,
                open("state.f32")?,
                open("action.f32")?,
                open("cube.f32")?,
                open("episode.i32")?,
            ],
            folder: folder.to_owned(),
            episodes: 0,
            samples: 0,
        })
    }

    /// Appends one episode.
    pub(crate) fn append(&mut self, samples: &[Sample]) -> Result<(), WriteError> {
        let episode = self.episodes.to_le_bytes();
        for sample in samples {
            let state: Vec<u8> = sample.state.iter().flat_map(|v| v.to_le_bytes()).collect();
            let action = sample.action.as_flattened();
            let action: Vec<u8> = action.iter().flat_map(|v| v.to_le_bytes()).collect();
            let cube: Vec<u8> = sample.cube.iter().flat_map(|v| v.to_le_bytes()).collect();
            let columns: [&[u8]; 6] = [
                &sample.overhead,
                &sample.wrist,
                &state,
                &action,
                &cube,
                &episode,
            ];
            for ((path, file), bytes) in self.files.iter_mut().zip(columns) {
                file.write_all(bytes).map_err(|source| WriteError {
                    path: path.clone(),
                    source,
                })?;
            }
        }
        self.episodes += 1;
        self.samples += samples.len() as u64;
        Ok(())
    }

    /// Flushes everything and writes `meta.json`.
    pub(crate) fn finish(mut self, seed: u64, failed: u32) -> Result<Meta, WriteError> {
        for (path, file) in &mut self.files {
            file.flush().map_err(|source| WriteError {
                path: path.clone(),
                source,
            })?;
        }
        let meta = Meta {
            seed,
            episodes: self.episodes,
            failed,
            samples: self.samples,
        };
        let path = self.folder.join("meta.json");
        let text = serde_json::to_string_pretty(&meta).unwrap_or_default();
        std::fs::write(&path, text + "\n").map_err(|source| WriteError { path, source })?;
        Ok(meta)
    }
}
