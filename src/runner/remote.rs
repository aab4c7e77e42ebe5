//! From what a cell says of a policy server to a package like any other.
//!
//! Owns the mapping alone; the server is not asked here.

use std::path::PathBuf;

use crate::cell::{
    ActionSpace, Cell, JointUnits, PixelLayout, RemoteAction, RemoteImage, RemoteSection,
    RemoteState,
};
use crate::policy::package::{
    ActionLayout, Affine, Element, Input, JointAction, Model, Output, Package, Pixels, Places,
    Robot, Source, StateEntry, TOOL_COLUMNS, Timing, UNUSED, Units,
};
use crate::policy::server::{Address, AddressError, ApiKey, Server};

/// A server that can't be described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Its address.
    #[error("`jobs.{job}.remote.server`: {error}")]
    Address {
        /// The job.
        job: String,
        /// What is wrong with it.
        error: AddressError,
    },
    /// The file with its API key.
    #[error("`jobs.{job}.remote.api_key_file`: {}: {why}", .path.display())]
    Key {
        /// The job.
        job: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A camera that the cell has not.
    #[error("`jobs.{job}.remote.images`: the cell has no camera {camera:?}")]
    Camera {
        /// The job.
        job: String,
        /// Its name.
        camera: String,
    },
    /// A tool action without one of its values.
    #[error(
        "`jobs.{job}.remote.action.order` lacks {missing:?}: a tool action is tool.x, tool.y, tool.z, tool.roll and gripper.pos, in units \"si\""
    )]
    Tool {
        /// The job.
        job: String,
        /// The value.
        missing: String,
    },
}

/// The package that the server of job `job` runs, as the cell describes it.
///
/// # Errors
/// One line naming key and remedy.
pub fn package(cell: &Cell, job: &str, remote: &RemoteSection) -> Result<Package, RemoteError> {
    let address = Address::parse(&remote.server).map_err(|error| RemoteError::Address {
        job: job.to_owned(),
        error,
    })?;
    let (mut inputs, mut keys) = (Vec::new(), Vec::new());
    for part in &remote.state {
        inputs.push(state(job, part));
        keys.push(part.key.clone());
    }
    for part in &remote.images {
        inputs.push(picture(cell, job, part)?);
        keys.push(part.key.clone());
    }
    let action = &remote.action;
    let layout = layout(job, action)?;
    Ok(Package {
        ensemble_m: None,
        executed: None,
        name: job.to_owned(),
        dir: PathBuf::from(address.to_string()),
        output: Output {
            tensor: action.key.join("."),
            chunk: action.horizon,
            width: action.order.len(),
            denormalise: scaled(action, &cell.arm.gripper),
        },
        robot: Robot {
            kind: String::new(),
            state: None,
            state_width: None,
            state_units: units(action.units),
            action: layout,
            action_width: Some(action.order.len()),
            action_units: units(action.units),
            gripper_units: units(action.gripper.0),
            timing: Timing {
                rate_hz: action.rate_hz,
                first_step: action.first_step,
            },
            places: Places {
                state: format!("jobs.{job}.remote.state"),
                action: format!("jobs.{job}.remote.action"),
            },
        },
        model: Model::Server(Box::new(Server {
            address,
            api_key: api_key(job, remote)?,
            inputs: keys,
            prompt: remote.prompt.clone(),
            actions: action.key.clone(),
        })),
        inputs,
        memories: Vec::new(),
        moments: 1,
        extra: serde_json::Map::new(),
    })
}

fn api_key(job: &str, remote: &RemoteSection) -> Result<Option<ApiKey>, RemoteError> {
    let Some(path) = &remote.api_key_file else {
        return Ok(None);
    };
    let wrong = |why: String| RemoteError::Key {
        job: job.to_owned(),
        path: path.clone(),
        why,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    ApiKey::parse(&text).map(Some).map_err(wrong)
}

fn state(job: &str, part: &RemoteState) -> Input {
    let width = part.values.len();
    Input {
        tensor: part.key.join("."),
        shape: vec![1, width],
        element: Element::Float32,
        source: Source::Values {
            entries: part.values.iter().map(|it| StateEntry::named(it)).collect(),
            units: units(part.units),
            place: format!("jobs.{job}.remote.state"),
        },
        normalise: Affine::new(vec![(part.scale, part.offset); width]),
        expected: None,
    }
}

fn picture(cell: &Cell, job: &str, part: &RemoteImage) -> Result<Input, RemoteError> {
    let camera = cell.cameras.iter().find(|it| it.name == part.camera);
    let camera = camera.ok_or_else(|| RemoteError::Camera {
        job: job.to_owned(),
        camera: part.camera.clone(),
    })?;
    let (width, height) = part.size.unwrap_or((camera.width, camera.height));
    let (across, down) = (width as usize, height as usize);
    let (pixels, shape) = match part.layout {
        PixelLayout::Hwc => (Pixels::Interleaved, vec![1, down, across, 3]),
        PixelLayout::Chw => (Pixels::Planes, vec![1, 3, down, across]),
    };
    Ok(Input {
        tensor: part.key.join("."),
        shape,
        element: Element::Float32,
        source: Source::Image {
            camera: part.camera.clone(),
            width,
            height,
            pixels,
        },
        normalise: Affine::identity(3),
        expected: None,
    })
}

fn units(units: JointUnits) -> Units {
    match units {
        JointUnits::Si => Units::Si,
        JointUnits::Degrees => Units::Degrees,
        JointUnits::Percent => Units::Percent,
    }
}

fn joint(name: &str) -> &str {
    name.strip_suffix(".pos").unwrap_or(name)
}

fn layout(job: &str, action: &RemoteAction) -> Result<ActionLayout, RemoteError> {
    let meaning = match action.space {
        ActionSpace::Joint => JointAction::Position,
        ActionSpace::JointOffset => JointAction::Offset,
        ActionSpace::JointVelocity => JointAction::Velocity,
        ActionSpace::Tool => return tool(job, action),
    };
    let names = action.order.iter().map(|name| joint(name).to_owned());
    Ok(ActionLayout::Joint {
        order: Some(names.collect()),
        meaning,
    })
}

fn tool(job: &str, action: &RemoteAction) -> Result<ActionLayout, RemoteError> {
    let lacking = |missing: &str| RemoteError::Tool {
        job: job.to_owned(),
        missing: missing.to_owned(),
    };
    if action.units != JointUnits::Si {
        return Err(lacking("units = \"si\""));
    }
    let mut columns = [0; 5];
    for (slot, name) in columns.iter_mut().zip(TOOL_COLUMNS) {
        let column = action.order.iter().position(|it| it == name);
        *slot = column.ok_or_else(|| lacking(name))?;
    }
    Ok(ActionLayout::Tool {
        columns,
        tilt_rad: action.tilt_rad.ok_or_else(|| lacking("tilt_rad"))?,
    })
}

/// What is done to each value of an action.
fn scaled(action: &RemoteAction, gripper: &str) -> Affine {
    let (_, scale, offset) = action.gripper;
    let pair = |name: &String| match joint(name) {
        UNUSED => (1.0, 0.0),
        name if name == gripper => (scale, offset),
        _ => (action.scale, action.offset),
    };
    Affine::new(action.order.iter().map(pair).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::cell::{Overrides, PolicySection};
    use crate::policy::{Embodiment, fits};
    use crate::runner::PolicyArm;

    const DROID: &str = r#"
[jobs.droid]
start = { shoulder_pan = 0.0, shoulder_lift = 0.0, elbow_flex = 0.0, wrist_flex = 0.0, wrist_roll = 0.0, gripper = 0.0 }
episode_secs = 30
[jobs.droid.remote]
server = "ws://gpu.lab:8000"
images = [{ camera = "overhead", key = "observation/exterior_image_1_left", width = 224, height = 224 }]
[[jobs.droid.remote.state]]
key = "observation/joint_position"
values = ["shoulder_pan", "shoulder_lift.vel", "-"]
units = "si"
[jobs.droid.remote.action]
space = "joint_velocity"
order = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "-", "gripper"]
units = "si"
gripper = { units = "percent", scale = -100.0, offset = 100.0 }
rate_hz = 15
horizon = 10
"#;

    fn made(text: &str) -> Result<(Package, Vec<String>), String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().unwrap();
        let cell = std::fs::read_to_string(root.join("cells/sim.toml")).unwrap();
        let cell = cell.replace("../", &format!("{}/", root.display()));
        let file = folder.path().join("cell.toml");
        std::fs::write(&file, format!("{cell}{text}")).unwrap();
        let cell = Cell::load(&file, &Overrides::default()).map_err(|it| it.to_string())?;
        let job = cell.job(Some("droid")).unwrap();
        let PolicySection::Remote(remote) = &job.policy else {
            panic!("a package");
        };
        let package = package(&cell, "droid", remote).map_err(|it| it.to_string())?;
        let arm: Arc<dyn Embodiment> = Arc::new(PolicyArm(cell.load_arm().unwrap()));
        let findings = fits(&package, &arm, &["overhead", "wrist"]);
        Ok((package, findings.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn a_server_is_a_package_like_any_other() {
        let (package, findings) = made(DROID).unwrap();
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!(package.inputs[1].shape, [1, 224, 224, 3]);
        assert_eq!((package.output.chunk, package.output.width), (10, 7));
        // Open is 0 there and 100 here.
        assert_eq!(package.output.denormalise.apply(6, 0.25), 75.0);
        assert_eq!(package.output.denormalise.apply(0, 0.25), 0.25);
        assert!(matches!(&package.model, Model::Server(it) if it.address.port() == 8000));
    }

    #[test]
    fn what_does_not_fit_the_arm_is_told_by_its_key() {
        let of = |from: &str, to: &str| {
            assert!(DROID.contains(from));
            match made(&DROID.replace(from, to)) {
                Ok((_, findings)) => findings.join("; "),
                Err(error) => error,
            }
        };
        let said = of("shoulder_lift.vel", "knee.vel");
        assert!(
            said.contains("jobs.droid.remote.state") && said.contains("\"knee\""),
            "{said}"
        );
        let said = of("\"-\", \"gripper\"", "\"rail\", \"gripper\"");
        assert!(
            said.contains("jobs.droid.remote.action") && said.contains("7 values"),
            "{said}"
        );
        let said = of("camera = \"overhead\"", "camera = \"side\"");
        assert!(said.contains("no camera \"side\""), "{said}");
        let said = of("ws://gpu.lab:8000", "ws://gpu lab");
        assert!(said.contains("jobs.droid.remote.server"), "{said}");
        let said = of(
            "ws://gpu.lab:8000\"",
            "ws://g\"\napi_key_file = \"absent.key\"",
        );
        assert!(
            said.contains("api_key_file") && said.contains("absent.key"),
            "{said}"
        );
    }
}
