//! What an inference through this program costs beside ONNX Runtime on its own.
//!
//! Owns the comparison: the same graph and threads, turn by turn in one run, so that whatever else
//! the machine does is in both.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::Failure;
use crate::cell::BackendKind;
use crate::policy::backend::Raw;
use crate::policy::{Observation, Picture};
use crate::runner::Setup;
use crate::units::{MonoTime, RadPerSec};

/// Turns of each.
const TURNS: usize = 300;
/// Not counted.
const WARM: usize = 20;
/// No graph here is waited for: only a server's answer has a limit.
const PATIENCE: Duration = Duration::MAX;

/// The medians of both and of their ratio; `None` where there is no ONNX Runtime.
pub(super) fn measure(setup: &Setup) -> Result<Option<Value>, Failure> {
    let Ok((mut policy, _)) = setup.load_policy_with(BackendKind::OnnxRuntime) else {
        return Ok(None);
    };
    let config = setup.backend_config(BackendKind::OnnxRuntime);
    let raw = Raw::load(policy.package(), &config).map_err(Failure::configuration)?;
    let Some(mut raw) = raw else {
        return Ok(None);
    };
    let cameras = setup.cell.cameras.iter();
    let pictures: Vec<(u32, u32, Vec<u8>)> = cameras
        .map(|camera| {
            let bytes = camera.width as usize * camera.height as usize * 3;
            let noise = (0..bytes).map(|index| (index.wrapping_mul(2_654_435_761) >> 16) as u8);
            (camera.width, camera.height, noise.collect())
        })
        .collect();
    let pose = setup.start_pose()?;
    let observation = Observation {
        captured_at: MonoTime(1_000_000_000),
        pictures: pictures
            .iter()
            .map(|(width, height, rgb)| Picture {
                width: *width,
                height: *height,
                rgb,
            })
            .collect(),
        measured: pose.as_slice().to_vec(),
        command: pose.as_slice().to_vec(),
        velocity: vec![RadPerSec(0.0); pose.len()],
    };
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..WARM + TURNS {
        let began = Instant::now();
        raw.run().map_err(Failure::configuration)?;
        let alone = began.elapsed().as_secs_f64() * 1e3;
        let began = Instant::now();
        policy
            .plan(&observation, turn as u64, PATIENCE)
            .map_err(Failure::configuration)?;
        let through_us = began.elapsed().as_secs_f64() * 1e3;
        if turn >= WARM {
            theirs.push(alone);
            ours.push(through_us);
            ratios.push(through_us / alone);
        }
    }
    Ok(Some(json!({
        "turns": TURNS,
        "threads": setup.cell.inference.threads,
        "raw_ms": median(&mut theirs),
        "through_us_ms": median(&mut ours),
        "ratio_of_medians": median(&mut ours) / median(&mut theirs),
        "ratio": median(&mut ratios),
    })))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
