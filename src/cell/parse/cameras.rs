//! `[cameras.NAME]`: where pictures come from and how they must be.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{Source, Table};
use crate::cell::{CameraSection, CameraSource, CellError, DeviceSource, Pixels};

mod gige;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCamera {
    url: Option<Spanned<String>>,
    login: Option<Spanned<PathBuf>>,
    device: Option<Spanned<PathBuf>>,
    bus: Option<Spanned<String>>,
    gige: Option<Spanned<String>>,
    serial: Option<Spanned<String>>,
    packet_bytes: Option<Spanned<u32>>,
    pixels: Option<Spanned<String>>,
    rate_hz: Option<Spanned<u32>>,
    controls: Option<Spanned<Table<RawValue>>>,
    width: Spanned<u32>,
    height: Spanned<u32>,
    latency_ms: Option<Spanned<f64>>,
    max_age_ms: Option<Spanned<f64>>,
}

/// What a control is set to.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum RawValue {
    Integer(i64),
    Float(f64),
    Switch(bool),
    Text(String),
}

pub(super) fn cameras(
    source: &Source<'_>,
    folder: &Path,
    raw: Table<RawCamera>,
) -> Result<Vec<CameraSection>, CellError> {
    if raw.len() > crate::messages::MAX_CAMERAS {
        return Err(CellError::new(
            source.file,
            format!("it has more than {} cameras", crate::messages::MAX_CAMERAS),
        ));
    }
    raw.into_iter()
        .map(|(name, raw)| camera(source, folder, name, &raw))
        .collect()
}

fn camera(
    source: &Source<'_>,
    folder: &Path,
    name: String,
    raw: &RawCamera,
) -> Result<CameraSection, CellError> {
    for (key, size) in [("width", &raw.width), ("height", &raw.height)] {
        if !(8..=4096).contains(size.get_ref()) {
            return Err(source.at(
                size.span(),
                format!("`cameras.{name}.{key}` must be 8 to 4096 pixels"),
            ));
        }
    }
    Ok(CameraSection {
        source: pictures(source, folder, &name, raw)?,
        width: *raw.width.get_ref(),
        height: *raw.height.get_ref(),
        latency: source.millis(
            &format!("cameras.{name}.latency_ms"),
            raw.latency_ms.as_ref(),
            0.0,
            0.0..=1000.0,
        )?,
        max_age: source.millis(
            &format!("cameras.{name}.max_age_ms"),
            raw.max_age_ms.as_ref(),
            100.0,
            10.0..=5000.0,
        )?,
        name,
    })
}

fn pictures(
    source: &Source<'_>,
    folder: &Path,
    name: &str,
    raw: &RawCamera,
) -> Result<CameraSource, CellError> {
    let (kind, pictures) = match (&raw.url, &raw.device, &raw.gige) {
        (Some(url), None, None) => ("url", stream(source, folder, name, raw, url)?),
        (None, Some(path), None) => ("device", device(source, name, raw, path)?),
        (None, None, Some(camera)) => ("gige", gige::camera(source, name, raw, camera)?),
        _ => {
            let what = format!(
                "`cameras.{name}` must have either a `url` (an MJPEG stream), a `device` (a camera of this machine) or a `gige` (a GigE Vision camera)"
            );
            return Err(source.at(raw.width.span(), what));
        }
    };
    raw.only_for(source, name, kind)?;
    Ok(pictures)
}

impl RawCamera {
    /// No key is said that is for another kind of camera.
    fn only_for(&self, source: &Source<'_>, name: &str, kind: &str) -> Result<(), CellError> {
        fn span<T>(of: Option<&Spanned<T>>) -> Option<Range<usize>> {
            of.map(Spanned::span)
        }
        // A key, where it is said, and what it is for.
        type Key = (&'static str, Option<Range<usize>>, &'static [&'static str]);
        let all: [Key; 7] = [
            ("login", span(self.login.as_ref()), &["url"]),
            ("bus", span(self.bus.as_ref()), &["device"]),
            ("serial", span(self.serial.as_ref()), &["gige"]),
            ("packet_bytes", span(self.packet_bytes.as_ref()), &["gige"]),
            ("pixels", span(self.pixels.as_ref()), &["device", "gige"]),
            ("rate_hz", span(self.rate_hz.as_ref()), &["device", "gige"]),
            (
                "controls",
                span(self.controls.as_ref()),
                &["device", "gige"],
            ),
        ];
        for (key, span, kinds) in all {
            if let Some(span) = span
                && !kinds.contains(&kind)
            {
                let whose = kinds.join("` or a `");
                let what =
                    format!("`cameras.{name}.{key}` is for a `{whose}`; a `{kind}` has none");
                return Err(source.at(span, what));
            }
        }
        Ok(())
    }

    /// Pictures a second.
    fn rate(&self, source: &Source<'_>, name: &str) -> Result<Option<u32>, CellError> {
        match &self.rate_hz {
            Some(rate) if !(1..=240).contains(rate.get_ref()) => {
                let what = format!("`cameras.{name}.rate_hz` must be 1 to 240");
                Err(source.at(rate.span(), what))
            }
            rate => Ok(rate.as_ref().map(|rate| *rate.get_ref())),
        }
    }

    /// The pixel format that is asked for, out of `all` with their names.
    fn form<T: Copy>(
        &self,
        source: &Source<'_>,
        name: &str,
        all: &[T],
        called: fn(T) -> &'static str,
    ) -> Result<Option<T>, CellError> {
        let Some(pixels) = &self.pixels else {
            return Ok(None);
        };
        let asked = pixels.get_ref();
        let found = all.iter().find(|it| called(**it) == asked);
        let names: Vec<&str> = all.iter().map(|it| called(*it)).collect();
        let unknown = || {
            let names = names.join(", ");
            let what = format!(
                "`cameras.{name}.pixels`: {asked} can't be decoded here; take one of {names}"
            );
            source.at(pixels.span(), what)
        };
        found.copied().map(Some).ok_or_else(unknown)
    }
}

fn stream(
    source: &Source<'_>,
    folder: &Path,
    name: &str,
    raw: &RawCamera,
    url: &Spanned<String>,
) -> Result<CameraSource, CellError> {
    if !url.get_ref().starts_with("http://") {
        return Err(source.at(
            url.span(),
            format!("`cameras.{name}.url` must begin with http:// (an MJPEG stream)"),
        ));
    }
    let login = raw.login.as_ref().map(|login| folder.join(login.get_ref()));
    Ok(CameraSource::Stream {
        url: url.get_ref().clone(),
        login,
    })
}

fn device(
    source: &Source<'_>,
    name: &str,
    raw: &RawCamera,
    path: &Spanned<PathBuf>,
) -> Result<CameraSource, CellError> {
    let node = path.get_ref();
    if !node.is_absolute() {
        let what = format!("`cameras.{name}.device` must be a path such as /dev/v4l/by-id/…");
        return Err(source.at(path.span(), what));
    }
    let numbered = node.to_string_lossy().starts_with("/dev/video");
    if numbered && raw.bus.is_none() {
        let what = format!(
            "`cameras.{name}.device`: {} is whichever camera was found first; name it by /dev/v4l/by-id or /dev/v4l/by-path, or say its `bus` as well",
            node.display()
        );
        return Err(source.at(path.span(), what));
    }
    Ok(CameraSource::Device(DeviceSource {
        path: node.clone(),
        bus: raw.bus.as_ref().map(|bus| bus.get_ref().clone()),
        pixels: raw.form(source, name, &Pixels::ALL, Pixels::name)?,
        rate_hz: raw.rate(source, name)?,
        controls: controls(source, name, raw)?,
    }))
}

/// Controls of a camera of this machine: whole numbers, all of them.
fn controls(
    source: &Source<'_>,
    name: &str,
    raw: &RawCamera,
) -> Result<Vec<(String, i32)>, CellError> {
    let Some(controls) = &raw.controls else {
        return Ok(Vec::new());
    };
    let whole = |(key, value): (&String, &RawValue)| match value {
        RawValue::Integer(number) => i32::try_from(*number).ok().map(|it| (key.clone(), it)),
        RawValue::Float(_) | RawValue::Switch(_) | RawValue::Text(_) => None,
    };
    let each = controls.get_ref().iter().map(|one| {
        whole(one).ok_or_else(|| {
            let what = format!(
                "`cameras.{name}.controls.{}` must be a whole number, as `v4l2-ctl -l` shows it",
                one.0
            );
            source.at(controls.span(), what)
        })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::parse::parse;

    /// What is said of the simulated cell with `text` in place of its wrist camera's address.
    pub(super) fn said(text: &str) -> Result<CameraSource, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = root.join("cells/sim.toml");
        let cell = std::fs::read_to_string(&file).unwrap();
        let url = "url = \"http://127.0.0.1:8010/cameras/wrist.mjpg\"";
        assert!(cell.contains(url));
        let cell = parse(&file, &cell.replace(url, text)).map_err(|error| error.to_string())?;
        let camera = cell.cameras.into_iter().find(|it| it.name == "wrist");
        Ok(camera.unwrap().source)
    }

    #[test]
    fn a_camera_of_this_machine_is_read_with_all_it_is_set_to() {
        let source = said(
            "device = \"/dev/v4l/by-id/usb-Cam_1234-video-index0\"\npixels = \"yuyv\"\nrate_hz = 30\n\
             controls = { auto_exposure = 1, exposure_time_absolute = 157 }",
        );
        let expected = DeviceSource {
            path: "/dev/v4l/by-id/usb-Cam_1234-video-index0".into(),
            bus: None,
            pixels: Some(Pixels::Yuyv),
            rate_hz: Some(30),
            controls: vec![
                ("auto_exposure".into(), 1),
                ("exposure_time_absolute".into(), 157),
            ],
        };
        assert_eq!(source, Ok(CameraSource::Device(expected)));
    }

    #[test]
    fn what_can_not_be_meant_is_told_by_its_key() {
        for (text, telling) in [
            ("", "either a `url`"),
            (
                "url = \"http://h/x\"\ndevice = \"/dev/v4l/x\"",
                "either a `url`",
            ),
            ("url = \"rtsp://h/x\"", "must begin with http://"),
            ("url = \"http://h/x\"\nrate_hz = 30", "is for a `device`"),
            ("device = \"/dev/v4l/x\"\nlogin = \"x\"", "is for a `url`"),
            ("device = \"video0\"", "must be a path"),
            (
                "device = \"/dev/video0\"",
                "whichever camera was found first",
            ),
            ("device = \"/dev/v4l/x\"\nrate_hz = 0", "1 to 240"),
            ("device = \"/dev/v4l/x\"\npixels = \"rgb\"", "mjpeg"),
            ("device = \"/dev/v4l/x\"\nserial = \"1\"", "is for a `gige`"),
            (
                "device = \"/dev/v4l/x\"\ncontrols = { gain = 1.5 }",
                "controls.gain` must be a whole number",
            ),
        ] {
            let error = said(text).unwrap_err();
            assert!(error.contains(telling), "{text}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn a_numbered_node_will_do_where_it_must_be_attached_is_said() {
        let source = said("device = \"/dev/video0\"\nbus = \"usb-0000:00:14.0-3\"").unwrap();
        let CameraSource::Device(device) = source else {
            panic!("{source:?}");
        };
        assert_eq!(device.bus.as_deref(), Some("usb-0000:00:14.0-3"));
    }
}
