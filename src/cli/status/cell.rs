//! The status of a cell of two arms: what holds for both, and each arm under its name.

use serde_json::{Map, Value, json};

use super::super::voice::said_of;
use super::{cause_text, job, of_arm};
use crate::cell::joint_of;
use crate::messages::{Cause, Mode, Status, together};

/// An arm's name and its guard's status.
type Arm = (String, Status);

/// The mode of both, and which arm says why.
fn both(arms: &[Arm]) -> (Mode, Option<(usize, Cause)>) {
    together(arms.iter().map(|(_, status)| (status.mode, status.cause)))
}

/// That cause with the arm's name.
fn cause(arms: &[Arm]) -> Option<String> {
    let (arm, _) = both(arms).1?;
    let (arm, status) = arms.get(arm)?;
    Some(format!("{}{}", said_of(arm), cause_text(status)?))
}

pub(super) fn document(arms: &[Arm]) -> Value {
    let runner = arms.iter().find_map(|(_, status)| status.runner.as_ref());
    let (mode, why) = both(arms);
    let (mut each, mut joints) = (Map::new(), Vec::new());
    for (arm, status) in arms {
        let mut document = super::document(status);
        for joint in document["joints"].as_array_mut().into_iter().flatten() {
            let name = joint["name"].as_str().map(|name| joint_of(arm, name));
            joint["name"] = name.into();
            joints.push(joint.clone());
        }
        each.insert(arm.clone(), document);
    }
    json!({
        "mode": mode.word(),
        "latched": arms.iter().any(|(_, status)| status.mode.latched()),
        "cause": cause(arms),
        "remedy": why.map(|(_, cause)| cause.remedy()),
        "job": runner.map(|r| r.job.as_str()).filter(|job| !job.is_empty()),
        "episode": runner.map(|r| r.episode),
        "runner_pid": runner.map(|r| r.pid),
        "realtime": arms.iter().all(|(_, status)| status.granted.realtime()),
        "joints": joints,
        "arms": each,
    })
}

pub(super) fn lines(arms: &[Arm]) -> Vec<String> {
    let cause = cause(arms).map_or(String::new(), |cause| format!(": {cause}"));
    let (mode, why) = both(arms);
    let mut lines = vec![format!("{}{cause}", mode.word().to_uppercase())];
    if let Some((_, cause)) = why {
        lines.push(format!("  what to do: {}", cause.remedy()));
    }
    lines.extend(arms.first().map(|(_, status)| job(status)));
    for (arm, status) in arms {
        let mut own = of_arm(status, arm, None).into_iter();
        lines.extend(own.next().map(|first| format!("{}{first}", said_of(arm))));
        lines.extend(own);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{JointStatus, name};

    fn arm(called: &str, mode: Mode, cause: Option<Cause>) -> Arm {
        let mut status = Status {
            mode,
            cause,
            ..Status::default()
        };
        let joint = JointStatus {
            name: name("wrist_flex"),
            ..JointStatus::default()
        };
        assert!(status.joints.push(joint).is_ok());
        (called.to_owned(), status)
    }

    #[test]
    fn the_cell_stands_for_the_arm_that_stopped_by_itself() {
        let silent = Cause::ServoSilent {
            joint: 0,
            misses: 3,
        };
        let arms = [
            arm("left", Mode::Stopped, Some(Cause::OtherArm)),
            arm("right", Mode::Stopping, Some(silent)),
        ];
        let document = document(&arms);
        assert_eq!(document["mode"], "stopping");
        let cause = document["cause"].as_str().unwrap();
        assert!(
            cause.starts_with("right: servo wrist_flex did not"),
            "{cause}"
        );
        assert_eq!(document["joints"][1]["name"], "right_wrist_flex");
        assert_eq!(document["arms"]["left"]["mode"], "stopped");
        let lines = lines(&arms);
        assert!(lines[0].starts_with("STOPPING: right: servo"), "{lines:#?}");
        assert!(
            lines.iter().any(|it| it.starts_with("left: STOPPED")),
            "{lines:#?}"
        );
    }
}
