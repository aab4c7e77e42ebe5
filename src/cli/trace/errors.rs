//! How far the tool was from its path, and how late.
//!
//! Owns the figures and their words. Distances are to the path, not to where the tool was due on
//! it; what is late is a figure of its own.

use nalgebra::Vector3;
use serde_json::{Value, json};

use super::Look;
use super::course::Course;
use crate::units::MonoTime;

/// The tool counts as on its way while the place that is due moves faster than this, m/s.
const MOVING: f64 = 0.02;

/// Distances from a path, metres.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Apart {
    most: f64,
    /// Root of the mean square.
    rms: f64,
}

/// The figures of one trace.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Errors {
    looks: usize,
    secs: f64,
    command: Apart,
    wire: Apart,
    arm: Apart,
    /// Behind the plan by slowing down, seconds, at the most.
    slowed: f64,
    /// How late the tool passed where it was due, seconds, on the average.
    late: f64,
}

impl Errors {
    /// Of `looks` at an arm that set out at `begin`.
    pub(super) fn of(course: &Course, looks: &[Look], begin: MonoTime) -> Errors {
        let under_way: Vec<&Look> = (looks.iter()).filter(|look| look.at >= begin).collect();
        let apart = |of: fn(&Look) -> [f64; 3]| {
            let all = under_way.iter();
            let all = all.map(|look| course.distance(&Vector3::from(of(look))));
            let (mut most, mut squares) = (0.0_f64, 0.0);
            for distance in all {
                most = most.max(distance);
                squares += distance * distance;
            }
            Apart {
                most,
                rms: (squares / under_way.len().max(1) as f64).sqrt(),
            }
        };
        let slowed = under_way.iter().map(|look| look.lag).fold(0.0, f64::max);
        Errors {
            looks: under_way.len(),
            secs: course.secs,
            command: apart(|look| look.command),
            wire: apart(|look| look.wire),
            arm: apart(|look| look.arm),
            slowed,
            late: late(course, &under_way, begin),
        }
    }

    /// For a person.
    pub(super) fn line(&self, name: &str) -> String {
        let of = |apart: &Apart| {
            format!(
                "{:.3} mm at most, {:.3} mm rms",
                apart.most * 1e3,
                apart.rms * 1e3
            )
        };
        format!(
            "{name}: {:.1} s; from the path: commanded {}; on the wire {}; the arm {}; \
             slowed down by {:.0} ms, the arm {:.0} ms late",
            self.secs,
            of(&self.command),
            of(&self.wire),
            of(&self.arm),
            self.slowed * 1e3,
            self.late * 1e3
        )
    }

    /// For a program.
    pub(super) fn document(&self, name: &str) -> Value {
        let of = |apart: &Apart| json!({"max_mm": apart.most * 1e3, "rms_mm": apart.rms * 1e3});
        json!({
            "path": name,
            "seconds": self.secs,
            "looks": self.looks,
            "commanded": of(&self.command),
            "wire": of(&self.wire),
            "arm": of(&self.arm),
            "slowed_ms": self.slowed * 1e3,
            "late_ms": self.late * 1e3,
        })
    }
}

/// How late the arm was where the tool was due to move: what is missing along the way over its
/// speed, on the average.
fn late(course: &Course, looks: &[&Look], begin: MonoTime) -> f64 {
    const BESIDE: f64 = 1e-3;
    let (mut sum, mut count) = (0.0, 0.0);
    for look in looks {
        let secs = look.at.secs_from(begin);
        let (before, after) = (course.due(secs - BESIDE), course.due(secs + BESIDE));
        let velocity = (after - before) / (2.0 * BESIDE);
        if velocity.norm() > MOVING {
            let missing = course.due(secs) - Vector3::from(look.arm);
            sum += missing.dot(&velocity) / velocity.norm_squared();
            count += 1.0;
        }
    }
    if count > 0.0 { sum / count } else { 0.0 }
}
