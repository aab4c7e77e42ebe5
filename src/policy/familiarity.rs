//! Whether what a policy is about to see is like what it was trained on, by the statistics of its
//! own package.
//!
//! Owns the comparison of a state with those statistics, and the guess what went wrong where it is
//! nothing like them: other units, or a joint whose calibration is shifted. Never decides what comes
//! of it.

use std::sync::Arc;

use super::embodiment::Embodiment;
use super::finding::Findings;
use super::observation::{Observation, state_of};
use super::package::{Package, Source, StateEntry, Units};
use crate::camera::Look;
use crate::units::{MonoTime, Rad, RadPerSec};

/// Deviations from the mean that are worth a word.
const ODD: f64 = 5.0;
/// Deviations that no training data had.
const STRANGE: f64 = 15.0;

/// Radians that a state in radians stays within.
const FARTHEST_TURN: f64 = 7.0;

/// What one value was in training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Its middle.
    pub mean: f64,
    /// Its standard deviation, not negative.
    pub deviation: f64,
}

/// Compares the state of an arm that stands at `pose`, where a job begins, with what `package` was
/// trained on: a finding for each value that is far from it. Nothing is said of packages without
/// statistics.
pub fn at_start(
    package: &Package,
    arm: &Arc<dyn Embodiment>,
    pose: &[Rad],
    findings: &mut Findings,
) {
    compare(package, arm, pose, "at the job's start", findings);
}

/// The same of an arm that is measured to stand at `pose`.
pub fn now(package: &Package, arm: &Arc<dyn Embodiment>, pose: &[Rad], findings: &mut Findings) {
    compare(package, arm, pose, "as measured", findings);
}

fn compare(
    package: &Package,
    arm: &Arc<dyn Embodiment>,
    pose: &[Rad],
    when: &str,
    findings: &mut Findings,
) {
    let Some(expected) = expected(package) else {
        return;
    };
    let declared = package.robot.state_units;
    let Some(values) = at(package, arm, pose, declared) else {
        return;
    };
    let worst = farthest(&values, expected, declared);
    let place = format!("{}: state", package.dir.display());
    if worst > STRANGE
        && let Some(better) = better_units(package, arm, pose, expected)
    {
        findings.error(
            place,
            format!(
                "{when} it is {worst:.0} deviations from the training data; in {} it would fit",
                name(better)
            ),
            format!("export it with \"units\": {:?}", name(better)),
        );
        return;
    }
    for (index, (value, expected)) in values.iter().zip(expected).enumerate() {
        let off = distance(*value, expected, declared);
        if off <= ODD {
            continue;
        }
        let joint = value_name(package, arm, index);
        let what = format!(
            "{joint} is {value:.3} {when}, {off:.0} deviations from the {:.3} of the training data",
            expected.mean
        );
        if off > STRANGE {
            let remedy = "correct that joint's calibration or the job's start pose";
            findings.error(place.clone(), what, remedy);
        } else {
            let remedy = "begin where the demonstrations began";
            findings.warning(place.clone(), what, remedy);
        }
    }
}

/// How many deviations the state of `observation` is from the training data where it is farthest;
/// `None` of packages without statistics.
pub(super) fn of_state(
    package: &Package,
    arm: &Arc<dyn Embodiment>,
    observation: &Observation<'_>,
) -> Option<f64> {
    let units = package.robot.state_units;
    let values = state_of(package, arm, observation, units).ok()?;
    Some(farthest(&values, expected(package)?, units))
}

/// How far the picture farthest from the training data is from it, by [`Look::distance`]; `looks` are
/// in the order of `cameras`.
pub(super) fn of_pictures(package: &Package, cameras: &[String], looks: &[Look]) -> Option<f64> {
    let each = package.inputs.iter().filter_map(|input| {
        let Source::Image { camera, .. } = &input.source else {
            return None;
        };
        let index = cameras.iter().position(|name| name == camera)?;
        let all = input.expected.as_ref()?.iter();
        let expected: Vec<(f64, f64)> = all.map(|it| (it.mean, it.deviation)).collect();
        Some(looks.get(index)?.distance(&expected))
    });
    each.reduce(f64::max)
}

/// What the package says of its state.
fn expected(package: &Package) -> Option<&[Expected]> {
    let state = package
        .inputs
        .iter()
        .find(|input| input.source == Source::State)?;
    state.expected.as_deref()
}

/// The state of an arm that stands at `pose` with nothing on it.
fn at(
    package: &Package,
    arm: &Arc<dyn Embodiment>,
    pose: &[Rad],
    units: Units,
) -> Option<Vec<f64>> {
    let observation = Observation {
        captured_at: MonoTime::default(),
        pictures: Vec::new(),
        measured: pose.to_vec(),
        command: pose.to_vec(),
        velocity: pose.iter().map(|_| RadPerSec(0.0)).collect(),
    };
    state_of(package, arm, &observation, units).ok()
}

/// The units in which every value would be near its mean, if those are others.
fn better_units(
    package: &Package,
    arm: &Arc<dyn Embodiment>,
    pose: &[Rad],
    expected: &[Expected],
) -> Option<Units> {
    let declared = package.robot.state_units;
    // No joint of an arm goes farther round than this; small angles would fit any wide range.
    let angles = |expected: &Expected| expected.mean.abs() + expected.deviation < FARTHEST_TURN;
    let radians = expected.iter().all(angles);
    let others = [Units::Si, Units::Degrees, Units::Percent];
    let mut plausible = others
        .into_iter()
        .filter(|units| *units != Units::Si || radians);
    plausible.find(|units| {
        let values = at(package, arm, pose, *units);
        let fits = |values: Vec<f64>| farthest(&values, expected, *units) <= ODD;
        *units != declared && values.is_some_and(fits)
    })
}

fn farthest(values: &[f64], expected: &[Expected], units: Units) -> f64 {
    let pairs = values.iter().zip(expected);
    let each = pairs.map(|(value, expected)| distance(*value, expected, units));
    each.fold(0.0, f64::max)
}

/// How many deviations `value` is from its mean. A joint that hardly moved in training may be as far
/// off as an arm is put together anew.
fn distance(value: f64, expected: &Expected, units: Units) -> f64 {
    let least = match units {
        Units::Si => 0.02,
        Units::Degrees | Units::Percent => 1.0,
    };
    (value - expected.mean).abs() / expected.deviation.max(least)
}

fn name(units: Units) -> &'static str {
    match units {
        Units::Si => "si",
        Units::Degrees => "degrees",
        Units::Percent => "percent",
    }
}

fn value_name(package: &Package, arm: &Arc<dyn Embodiment>, index: usize) -> String {
    let entry = package.robot.state.as_ref().and_then(|all| all.get(index));
    match entry {
        Some(StateEntry::Position(joint)) => joint.clone(),
        Some(StateEntry::Lag(joint)) => format!("the load of {joint}"),
        Some(StateEntry::Tool(axis)) => format!("the tool's {axis:?}").to_lowercase(),
        Some(StateEntry::Velocity(joint)) => format!("the speed of {joint}"),
        Some(StateEntry::LastAction(column)) => format!("value {column} of the last action"),
        Some(StateEntry::Nothing) => "nothing".into(),
        None => arm.joints().get(index).cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::embodiment::tests::arm;
    use crate::policy::finding::{Finding, Severity};

    const JOINTS: [&str; 6] = ["a", "b", "c", "d", "e", "gripper"];

    /// The studio package, whose state is in `units` with these means and deviations of 2.
    fn package(units: Units, means: [f64; 6]) -> Package {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages/studio");
        let mut package = Package::load(&dir).unwrap();
        package.robot.state_units = units;
        package.robot.state = None;
        for input in &mut package.inputs {
            let all = means.map(|mean| Expected {
                mean,
                deviation: 2.0,
            });
            input.expected = Some(all.to_vec());
        }
        package
    }

    fn found(package: &Package, pose: [f64; 6]) -> Vec<Finding> {
        let mut findings = Findings::default();
        at_start(package, &arm(&JOINTS), &pose.map(Rad), &mut findings);
        findings.into_vec()
    }

    #[test]
    fn a_start_like_the_demonstrations_is_nothing_to_speak_of() {
        let like = package(Units::Degrees, [0.0, 0.0, 0.0, 0.0, 0.0, 50.0]);
        assert_eq!(found(&like, [0.0; 6]), []);
        let mut silent = like;
        silent.inputs.iter_mut().for_each(|it| it.expected = None);
        assert_eq!(found(&silent, [1.0; 6]), []);
    }

    #[test]
    fn degrees_taken_for_a_share_of_the_range_are_told_apart() {
        // Half a radian is 28.6 degrees, and 32.6 % of this arm's half range.
        let means = [28.65, -28.65, 28.65, 57.3, 0.0, 50.0];
        let pose = [0.5, -0.5, 0.5, 1.0, 0.0, 0.0];
        assert_eq!(found(&package(Units::Degrees, means), pose), []);
        let wrong = package(Units::Si, means);
        let findings = found(&wrong, pose);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].what.contains("degrees"), "{}", findings[0]);
    }

    #[test]
    fn one_shifted_joint_is_named() {
        let package = package(Units::Degrees, [0.0, 0.0, 0.0, 0.0, 0.0, 50.0]);
        // 0.7 rad are 40 degrees.
        let findings = found(&package, [0.0, 0.7, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert!(findings[0].what.starts_with("b is 40.1"), "{}", findings[0]);
        assert_eq!(findings[0].severity, Severity::Error);
        let warned = found(&package, [0.0, 0.25, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(warned[0].severity, Severity::Warning, "{warned:#?}");
    }
}
