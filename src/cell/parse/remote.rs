//! `[jobs.NAME.remote]`: a policy server.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::super::remote::{
    ActionSpace, JointUnits, KeyPath, PixelLayout, PolicySection, RemoteAction, RemoteImage,
    RemoteSection, RemoteState,
};
use super::jobs::RawJob;
use super::{CellError, Source};

/// The most keys from the top of a message to a value.
const MAX_KEYS: usize = 4;
/// The most values in one part of the state, and in one action.
const MAX_VALUES: usize = 64;
/// The most parts a state may have.
const MAX_PARTS: usize = 16;
/// The longest prompt, bytes.
const MAX_PROMPT: usize = 2000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRemote {
    server: Spanned<String>,
    api_key_file: Option<PathBuf>,
    prompt: Option<Spanned<String>>,
    prompt_key: Option<Spanned<RawKey>>,
    #[serde(default)]
    images: Vec<RawImage>,
    #[serde(default)]
    state: Vec<RawState>,
    action: RawAction,
}

/// `"a"`, or `["a", "b"]` for the key `b` of the map at `a`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawKey {
    One(String),
    Path(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawImage {
    camera: String,
    key: Spanned<RawKey>,
    width: Option<Spanned<u32>>,
    height: Option<Spanned<u32>>,
    #[serde(default)]
    layout: PixelLayout,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawState {
    key: Spanned<RawKey>,
    values: Spanned<Vec<String>>,
    units: JointUnits,
    scale: Option<Spanned<f64>>,
    offset: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAction {
    key: Option<Spanned<RawKey>>,
    #[serde(default)]
    space: ActionSpace,
    order: Spanned<Vec<String>>,
    units: JointUnits,
    scale: Option<Spanned<f64>>,
    offset: Option<Spanned<f64>>,
    gripper: Option<RawGripper>,
    rate_hz: Spanned<f64>,
    horizon: Spanned<usize>,
    first_step: Option<Spanned<f64>>,
    tilt_rad: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGripper {
    units: JointUnits,
    scale: Option<Spanned<f64>>,
    offset: Option<Spanned<f64>>,
}

/// Where the policy of job `name` is.
pub(super) fn policy(
    source: &Source<'_>,
    folder: &Path,
    name: &str,
    raw: &mut RawJob,
) -> Result<PolicySection, CellError> {
    match (raw.package.take(), raw.remote.take()) {
        (Some(package), None) => Ok(PolicySection::Package(folder.join(package))),
        (None, Some(raw)) => {
            let job = Job { source, name };
            Ok(PolicySection::Remote(Box::new(job.remote(folder, *raw)?)))
        }
        (package, _) => Err(CellError::new(
            source.file,
            match package {
                Some(_) => format!("`jobs.{name}` has both `package` and `remote`; keep one"),
                None => format!("`jobs.{name}` has neither `package` nor `remote`; name a policy"),
            },
        )),
    }
}

struct Job<'a> {
    source: &'a Source<'a>,
    name: &'a str,
}

impl Job<'_> {
    fn at(&self, key: &str) -> String {
        format!("jobs.{}.remote.{key}", self.name)
    }

    fn remote(&self, folder: &Path, raw: RawRemote) -> Result<RemoteSection, CellError> {
        let server = raw.server.get_ref();
        if !server.starts_with("ws://") {
            let what = format!(
                "`{}` must begin with ws:// (TLS is for a tunnel or a proxy to do)",
                self.at("server")
            );
            return Err(self.source.at(raw.server.span(), what));
        }
        if raw.state.len() > MAX_PARTS {
            let what = format!("`{}` has more than {MAX_PARTS} parts", self.at("state"));
            return Err(CellError::new(self.source.file, what));
        }
        let prompt_key = match &raw.prompt_key {
            Some(key) => self.key("prompt_key", key)?,
            None => vec!["prompt".to_owned()],
        };
        if let Some(prompt) = &raw.prompt
            && prompt.get_ref().len() > MAX_PROMPT
        {
            let what = format!("`{}` has over {MAX_PROMPT} bytes", self.at("prompt"));
            return Err(self.source.at(prompt.span(), what));
        }
        let section = RemoteSection {
            server: server.clone(),
            api_key_file: raw.api_key_file.map(|file| folder.join(file)),
            prompt: raw.prompt.map(|prompt| (prompt_key, prompt.into_inner())),
            images: raw
                .images
                .into_iter()
                .map(|raw| self.image(raw))
                .collect::<Result<_, _>>()?,
            state: raw
                .state
                .into_iter()
                .map(|raw| self.state(raw))
                .collect::<Result<_, _>>()?,
            action: self.action(raw.action)?,
        };
        self.distinct(&section)?;
        Ok(section)
    }

    fn key(&self, name: &str, raw: &Spanned<RawKey>) -> Result<KeyPath, CellError> {
        let key = match raw.get_ref() {
            RawKey::One(key) => vec![key.clone()],
            RawKey::Path(keys) => keys.clone(),
        };
        let usable = (1..=MAX_KEYS).contains(&key.len())
            && key.iter().all(|it| (1..=200).contains(&it.len()));
        if usable {
            return Ok(key);
        }
        let what = format!(
            "`{}` must be a key, or a list of 1 to {MAX_KEYS} keys of maps inside each other",
            self.at(name)
        );
        Err(self.source.at(raw.span(), what))
    }

    fn image(&self, raw: RawImage) -> Result<RemoteImage, CellError> {
        for (key, size) in [("width", &raw.width), ("height", &raw.height)] {
            if let Some(size) = size
                && !(8..=2048).contains(size.get_ref())
            {
                let key = self.at(&format!("images.{key}"));
                let what = format!("`{key}` must be 8 to 2048 pixels");
                return Err(self.source.at(size.span(), what));
            }
        }
        let size = match (raw.width, raw.height) {
            (Some(width), Some(height)) => Some((width.into_inner(), height.into_inner())),
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => {
                let key = self.at("images");
                let what = format!("`{key}`: give both `width` and `height`, or neither");
                return Err(self.source.at(one.span(), what));
            }
        };
        Ok(RemoteImage {
            key: self.key("images.key", &raw.key)?,
            camera: raw.camera,
            size,
            layout: raw.layout,
        })
    }

    fn names(&self, key: &str, raw: &Spanned<Vec<String>>) -> Result<Vec<String>, CellError> {
        let names = raw.get_ref();
        if (1..=MAX_VALUES).contains(&names.len()) {
            return Ok(names.clone());
        }
        let what = format!("`{}` must name 1 to {MAX_VALUES} values", self.at(key));
        Err(self.source.at(raw.span(), what))
    }

    fn affine(
        &self,
        key: &str,
        scale: Option<&Spanned<f64>>,
        offset: Option<&Spanned<f64>>,
    ) -> Result<(f64, f64), CellError> {
        let number = |part: &str, value, default| {
            let key = self.at(&format!("{key}.{part}"));
            self.source.optional(&key, value, default, -1e6..=1e6)
        };
        Ok((number("scale", scale, 1.0)?, number("offset", offset, 0.0)?))
    }

    fn state(&self, raw: RawState) -> Result<RemoteState, CellError> {
        let (scale, offset) = self.affine("state", raw.scale.as_ref(), raw.offset.as_ref())?;
        Ok(RemoteState {
            key: self.key("state.key", &raw.key)?,
            values: self.names("state.values", &raw.values)?,
            units: raw.units,
            scale,
            offset,
        })
    }

    fn action(&self, raw: RawAction) -> Result<RemoteAction, CellError> {
        let most = crate::messages::MAX_WAYPOINTS;
        let horizon = *raw.horizon.get_ref();
        if !(1..=most).contains(&horizon) {
            let what = format!(
                "`{}` is {horizon}, it must be 1 to {most}: how many actions an answer holds",
                self.at("action.horizon")
            );
            return Err(self.source.at(raw.horizon.span(), what));
        }
        let (scale, offset) = self.affine("action", raw.scale.as_ref(), raw.offset.as_ref())?;
        let gripper = match &raw.gripper {
            None => (raw.units, scale, offset),
            Some(own) => {
                let at = "action.gripper";
                let (scale, offset) = self.affine(at, own.scale.as_ref(), own.offset.as_ref())?;
                (own.units, scale, offset)
            }
        };
        let number = |key: &str, value: &Spanned<f64>, range| {
            self.source
                .number(&self.at(&format!("action.{key}")), value, range)
        };
        let tilt_rad = match &raw.tilt_rad {
            Some(tilt) => Some(number("tilt_rad", tilt, -1.6..=1.6)?),
            None => None,
        };
        if (raw.space == ActionSpace::Tool) != tilt_rad.is_some() {
            let key = self.at("action.tilt_rad");
            let what = format!("`{key}` belongs to `space = \"tool\"`, and that needs it");
            return Err(self.source.at(raw.order.span(), what));
        }
        Ok(RemoteAction {
            key: match &raw.key {
                Some(key) => self.key("action.key", key)?,
                None => vec!["actions".to_owned()],
            },
            space: raw.space,
            order: self.names("action.order", &raw.order)?,
            units: raw.units,
            scale,
            offset,
            gripper,
            rate_hz: number("rate_hz", &raw.rate_hz, 1.0..=1000.0)?,
            horizon,
            first_step: match &raw.first_step {
                Some(step) => number("first_step", step, 0.0..=100.0)?,
                None => 0.0,
            },
            tilt_rad,
        })
    }

    /// No two values may go to the same place, nor one into another.
    fn distinct(&self, section: &RemoteSection) -> Result<(), CellError> {
        let images = section.images.iter().map(|it| &it.key);
        let state = section.state.iter().map(|it| &it.key);
        let prompt = section.prompt.iter().map(|(key, _)| key);
        let keys: Vec<&KeyPath> = images.chain(state).chain(prompt).collect();
        for (index, key) in keys.iter().enumerate() {
            let clash = keys
                .iter()
                .take(index)
                .any(|other| other.starts_with(key) || key.starts_with(other));
            if clash {
                let what = format!(
                    "`{}`: two values go to the key {:?}; give each its own",
                    self.at("state").trim_end_matches(".state"),
                    key.join(".")
                );
                return Err(CellError::new(self.source.file, what));
            }
        }
        if keys.is_empty() {
            let key = self.at("state");
            let what = format!("`{key}`: the server is told nothing; give it state or images");
            return Err(CellError::new(self.source.file, what));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const GOOD: &str = include_str!("../../../cells/sim.toml");
    const DROID: &str = r#"
[jobs.droid]
start = { shoulder_pan = 0.0 }
episode_secs = 30

[jobs.droid.remote]
server = "ws://gpu.lab:8000"
api_key_file = "openpi.key"
prompt = "pick up the cube"
images = [
  { camera = "overhead", key = "observation/exterior_image_1_left", width = 224, height = 224 },
  { camera = "wrist", key = "observation/wrist_image_left", width = 224, height = 224 },
]

[[jobs.droid.remote.state]]
key = "observation/joint_position"
values = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "-", "-"]
units = "si"

[[jobs.droid.remote.state]]
key = "observation/gripper_position"
values = ["gripper"]
units = "percent"
scale = -0.01
offset = 1.0

[jobs.droid.remote.action]
space = "joint_velocity"
order = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "-", "-", "gripper"]
units = "si"
gripper = { units = "percent", scale = -100.0, offset = 100.0 }
rate_hz = 15
horizon = 10
"#;

    fn section(more: &str) -> Result<RemoteSection, String> {
        let cell = parse(Path::new("cells/x.toml"), &format!("{GOOD}{more}"));
        let mut cell = cell.map_err(|error| error.to_string())?;
        match cell.jobs.remove(0).policy {
            PolicySection::Remote(section) => Ok(*section),
            PolicySection::Package(_) => Err("a package".into()),
        }
    }

    #[test]
    fn observations_like_droid_s_are_flat() {
        let remote = section(DROID).unwrap();
        assert_eq!(remote.server, "ws://gpu.lab:8000");
        assert_eq!(remote.api_key_file, Some("cells/openpi.key".into()));
        let (key, text) = remote.prompt.unwrap();
        assert_eq!(
            (key, text.as_str()),
            (vec!["prompt".into()], "pick up the cube")
        );
        assert_eq!(remote.images[1].key, ["observation/wrist_image_left"]);
        assert_eq!(remote.images[1].layout, PixelLayout::Hwc);
        assert_eq!(remote.state[1].offset, 1.0);
        assert_eq!(remote.action.gripper, (JointUnits::Percent, -100.0, 100.0));
        assert_eq!(remote.action.space, ActionSpace::JointVelocity);
    }

    #[test]
    fn observations_like_aloha_s_are_maps_in_maps() {
        let aloha = DROID
            .replace(
                "key = \"observation/wrist_image_left\", width = 224, height = 224",
                "key = [\"images\", \"cam_left_wrist\"], layout = \"chw\"",
            )
            .replace(
                "\"observation/exterior_image_1_left\"",
                "[\"images\", \"cam_high\"]",
            );
        let remote = section(&aloha).unwrap();
        assert_eq!(remote.images[1].key, ["images", "cam_left_wrist"]);
        assert_eq!(remote.images[1].layout, PixelLayout::Chw);
        assert_eq!(remote.images[1].size, None);
    }

    #[test]
    fn a_wrong_value_is_told_in_one_line_with_what_would_be_right() {
        for (from, to, what) in [
            ("ws://gpu", "wss://gpu", "must begin with ws://"),
            ("horizon = 10", "horizon = 0", "must be 1 to 128"),
            ("horizon = 10", "horizon = 1000", "must be 1 to 128"),
            (
                "rate_hz = 15",
                "rate_hz = 0",
                "`jobs.droid.remote.action.rate_hz` is 0",
            ),
            ("rate_hz = 15", "", "rate_hz"),
            ("units = \"si\"", "units = \"grad\"", "grad"),
            ("width = 224, ", "", "give both `width` and `height`"),
            (
                "\"observation/wrist_image_left\"",
                "[]",
                "a list of 1 to 4 keys",
            ),
            (
                "\"observation/wrist_image_left\"",
                "\"prompt\"",
                "two values go to the key \"prompt\"",
            ),
            (
                "values = [\"gripper\"]",
                "values = []",
                "must name 1 to 64 values",
            ),
            ("scale = -0.01", "scale = inf", "scale` is inf"),
            ("\"joint_velocity\"", "\"tool\"", "tilt_rad"),
            ("\"joint_velocity\"", "\"phase\"", "phase"),
            (
                "[jobs.droid.remote.action]",
                "[jobs.droid.remote.actions]",
                "actions",
            ),
            (
                "episode_secs = 30",
                "episode_secs = 30\npackage = \"p\"",
                "both `package` and `remote`",
            ),
        ] {
            assert!(DROID.contains(from), "{from}");
            let error = section(&DROID.replace(from, to)).unwrap_err();
            assert!(error.contains(what), "{to}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
        let neither = "[jobs.droid]\nstart = { shoulder_pan = 0.0 }\nepisode_secs = 30\n";
        let error = section(neither).unwrap_err();
        assert!(error.contains("neither `package` nor `remote`"), "{error}");
    }
}
