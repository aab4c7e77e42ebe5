//! A cell of two arms: each has a cell file of its own, and what they share is in one more.
//!
//! Owns which arms there are, how their joints are called, and where a job begins. Never changes
//! anything about an arm: its guard reads the arm's own file.

use std::path::{Path, PathBuf};

use super::{
    Arm, CameraSection, Cell, CellError, InferenceSection, JobSection, Overrides, WatchSection,
    parse,
};
use crate::units::{JointVec, Rad};

/// One arm of a cell of two.
#[derive(Debug, Clone, PartialEq)]
pub struct CellArm {
    /// What it is called: its joints are `NAME_joint` to policies and jobs.
    pub name: String,
    /// Its own cell.
    pub cell: Cell,
}

/// A cell of two arms that one policy leads.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoArms {
    /// The cell's name: names its sockets.
    pub name: String,
    /// The file it was read from.
    pub file: PathBuf,
    /// The arms, in the order of their names.
    pub arms: Vec<CellArm>,
    /// The cameras, in the order of their names.
    pub cameras: Vec<CameraSection>,
    /// The jobs, in the order of their names.
    pub jobs: Vec<JobSection>,
    /// How inference is run.
    pub inference: InferenceSection,
    /// What the runner watches of its policies.
    pub watch: WatchSection,
}

/// What policies and jobs call joint `joint` of the arm called `arm`; an arm that is alone has no
/// name.
#[must_use]
pub fn joint_of(arm: &str, joint: &str) -> String {
    if arm.is_empty() {
        joint.to_owned()
    } else {
        format!("{arm}_{joint}")
    }
}

impl TwoArms {
    /// Reads and checks the file of a cell of two arms, and those of its arms; `None` where the file
    /// is that of one arm.
    ///
    /// # Errors
    /// One line naming file, line, key and remedy.
    pub fn load(path: &Path) -> Result<Option<TwoArms>, CellError> {
        let Some(raw) = parse::two_arms(path)? else {
            return Ok(None);
        };
        let mut arms = Vec::new();
        for (name, file) in raw.arms {
            let cell = Cell::load(&file, &Overrides::default())?;
            arms.push(CellArm { name, cell });
        }
        let cell = TwoArms {
            name: raw.name,
            file: path.to_owned(),
            arms,
            cameras: raw.cameras,
            jobs: raw.jobs,
            inference: raw.inference,
            watch: raw.watch,
        };
        cell.apart()?;
        Ok(Some(cell))
    }

    /// Two arms share no port.
    fn apart(&self) -> Result<(), CellError> {
        let wrong = |what: String| Err(CellError::new(&self.file, what));
        for (index, arm) in self.arms.iter().enumerate() {
            let port = &arm.cell.bus.port;
            let mut before = self.arms.iter().take(index);
            if let Some(other) = before.find(|other| other.cell.bus.port == *port) {
                return wrong(format!(
                    "arms {} and {} are both on {}: correct `bus.port` in {} or {}",
                    other.name,
                    arm.name,
                    port.display(),
                    other.cell.file.display(),
                    arm.cell.file.display()
                ));
            }
        }
        Ok(())
    }

    /// A cell with the cameras, jobs and all else that the arms share; what is an arm's own is that of
    /// the first, but for times that hold for both, which are the shortest.
    #[must_use]
    pub fn shared(&self) -> Option<Cell> {
        let first = self.arms.first()?;
        let mut cell = first.cell.clone();
        cell.name.clone_from(&self.name);
        cell.file.clone_from(&self.file);
        cell.cameras.clone_from(&self.cameras);
        cell.jobs.clone_from(&self.jobs);
        cell.inference.clone_from(&self.inference);
        cell.watch.clone_from(&self.watch);
        for arm in &self.arms {
            let (all, one) = (&mut cell.control, &arm.cell.control);
            all.max_plan_age = all.max_plan_age.min(one.max_plan_age);
            all.first_plan = all.first_plan.min(one.first_plan);
        }
        Some(cell)
    }
}

/// Where each of `arms`, with its name, begins an episode of `job`, which is of the cell in `file`.
///
/// # Errors
/// When a joint is missing, unknown, or outside its limits.
pub fn start_poses(
    file: &Path,
    job: &JobSection,
    arms: &[(&str, &Arm)],
) -> Result<Vec<JointVec<Rad>>, CellError> {
    let key = format!("jobs.{}.start", job.name);
    let named = |arm: &str, model: &Arm| -> Vec<String> {
        let joints = model.model.names().iter();
        joints.map(|joint| joint_of(arm, joint)).collect()
    };
    let all: Vec<String> = arms
        .iter()
        .flat_map(|(name, arm)| named(name, arm))
        .collect();
    if let Some((unknown, _)) = job.start.iter().find(|(name, _)| !all.contains(name)) {
        let joints = all.join(", ");
        let what = format!("`{key}.{unknown}`: no arm has such a joint; the joints are {joints}");
        return Err(CellError::new(file, what));
    }
    let of_arm = |(name, arm): &(&str, &Arm)| -> Result<JointVec<Rad>, CellError> {
        let joints = named(name, arm);
        let joints = joints.iter().zip(arm.model.limits());
        joints
            .map(|(joint, limits)| {
                let angle = job.start.iter().find(|(it, _)| it == joint);
                match angle {
                    None => Err(CellError::new(
                        file,
                        format!("`{key}.{joint}` is missing: give every joint a start"),
                    )),
                    Some((_, angle)) if !(limits.lower..=limits.upper).contains(angle) => {
                        Err(CellError::new(
                            file,
                            format!(
                                "`{key}.{joint}` is {}, outside the joint's limits {:.3} to {:.3}",
                                angle.0, limits.lower.0, limits.upper.0
                            ),
                        ))
                    }
                    Some((_, angle)) => Ok(*angle),
                }
            })
            .collect()
    };
    arms.iter().map(of_arm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cell of two arms that is `text`, beside cells for a left and a right arm.
    fn loaded(text: &str, right: &str) -> Result<Option<TwoArms>, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().unwrap();
        let arm = std::fs::read_to_string(root.join("cells/sim.toml")).unwrap();
        let arm = arm.replace("../", &format!("{}/", root.display()));
        let port = |to: &str| arm.replace("/tmp/surehand-arm", to);
        std::fs::write(folder.path().join("l.toml"), port("/dev/left")).unwrap();
        std::fs::write(folder.path().join("r.toml"), port(right)).unwrap();
        let file = folder.path().join("both.toml");
        std::fs::write(&file, text).unwrap();
        TwoArms::load(&file).map_err(|error| {
            let place = error.place.rsplit('/').next().unwrap_or_default();
            format!("{place}: {}", error.what)
        })
    }

    const BOTH: &str =
        "name = \"both\"\n\n[arms.left]\ncell = \"l.toml\"\n\n[arms.right]\ncell = \"r.toml\"\n";
    const JOB: &str = "\n[jobs.fold]\npackage = \"fold\"\nepisode_secs = 20\nstart = { left_gripper = 0.1, right_gripper = 0.2 }\n";

    #[test]
    fn two_cells_and_what_they_share_make_a_cell_of_two_arms() {
        let cell = loaded(&format!("{BOTH}{JOB}"), "/dev/right")
            .unwrap()
            .unwrap();
        let names: Vec<&str> = cell.arms.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(names, ["left", "right"]);
        assert_eq!(cell.arms[1].cell.bus.port, Path::new("/dev/right"));
        let shared = cell.shared().unwrap();
        assert_eq!((shared.name.as_str(), shared.cameras.len()), ("both", 0));
        assert_eq!(shared.job(None).unwrap().name, "fold");
        let arm = cell.arms[0].cell.load_arm().unwrap();
        let said = start_poses(
            &cell.file,
            &cell.jobs[0],
            &[("left", &arm), ("right", &arm)],
        );
        let said = said.unwrap_err().to_string();
        assert!(
            said.contains("`jobs.fold.start.left_shoulder_pan` is missing"),
            "{said}"
        );
    }

    #[test]
    fn the_cell_of_one_arm_is_none_of_two_and_the_other_way_round() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let one = root.join("cells/sim.toml");
        assert_eq!(TwoArms::load(&one).unwrap(), None);
        let two = root.join("cells/two-arms.toml");
        let said = Cell::load(&two, &Overrides::default()).unwrap_err();
        let said = said.to_string();
        assert!(
            said.contains("two-arms.toml:") && said.contains("so101-left.toml"),
            "{said}"
        );
    }

    #[test]
    fn what_is_wrong_with_it_is_told_with_its_line() {
        let cases = [
            (
                BOTH.replace("[arms.right]\ncell = \"r.toml\"\n", ""),
                "both.toml:3: ",
            ),
            (
                BOTH.replace("cell = \"r", "sell = \"r"),
                "both.toml:7: unknown field `sell`",
            ),
            (BOTH.replace("arms.right", "arms.a_b"), "letters and digits"),
            (
                format!("baud = 3\n{BOTH}"),
                "both.toml:1: unknown field `baud`",
            ),
            (
                BOTH.replace("r.toml", "gone.toml"),
                "gone.toml: the cell file can't be read",
            ),
        ];
        for (text, expected) in cases {
            let said = loaded(&text, "/dev/right").unwrap_err();
            assert!(said.contains(expected), "{expected}: {said}");
        }
        let said = loaded(BOTH, "/dev/left").unwrap_err();
        assert!(said.contains("both on /dev/left"), "{said}");
    }
}
