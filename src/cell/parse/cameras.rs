//! `[cameras.NAME]`: where pictures come from and how they must be.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{Source, Table};
use crate::cell::{CameraSection, CameraSource, CellError, DeviceSection, PixelForm};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCamera {
    url: Option<Spanned<String>>,
    login: Option<Spanned<PathBuf>>,
    device: Option<Spanned<PathBuf>>,
    bus: Option<Spanned<String>>,
    pixels: Option<Spanned<PixelForm>>,
    rate_hz: Option<Spanned<u32>>,
    controls: Option<Spanned<Table<i32>>>,
    width: Spanned<u32>,
    height: Spanned<u32>,
    latency_ms: Option<Spanned<f64>>,
    max_age_ms: Option<Spanned<f64>>,
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
    match (&raw.url, &raw.device) {
        (Some(url), None) => stream(source, folder, name, raw, url),
        (None, Some(path)) => device(source, name, raw, path),
        _ => Err(source.at(
            raw.width.span(),
            format!(
                "`cameras.{name}` must have either a `url` (an MJPEG stream) or a `device` (a camera of this machine)"
            ),
        )),
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
    let of_devices = [
        ("bus", raw.bus.as_ref().map(Spanned::span)),
        ("pixels", raw.pixels.as_ref().map(Spanned::span)),
        ("rate_hz", raw.rate_hz.as_ref().map(Spanned::span)),
        ("controls", raw.controls.as_ref().map(Spanned::span)),
    ];
    for (key, span) in of_devices {
        if let Some(span) = span {
            let what = format!("`cameras.{name}.{key}` is for a `device`; a stream has none");
            return Err(source.at(span, what));
        }
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
    if let Some(login) = &raw.login {
        let what = format!("`cameras.{name}.login` is for a `url`; a device asks for none");
        return Err(source.at(login.span(), what));
    }
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
    if let Some(rate) = &raw.rate_hz
        && !(1..=240).contains(rate.get_ref())
    {
        let what = format!("`cameras.{name}.rate_hz` must be 1 to 240");
        return Err(source.at(rate.span(), what));
    }
    let controls = raw.controls.as_ref().map(|it| it.get_ref().clone());
    Ok(CameraSource::Device(DeviceSection {
        path: node.clone(),
        bus: raw.bus.as_ref().map(|bus| bus.get_ref().clone()),
        pixels: raw.pixels.as_ref().map(|pixels| *pixels.get_ref()),
        rate_hz: raw.rate_hz.as_ref().map(|rate| *rate.get_ref()),
        controls: controls.unwrap_or_default().into_iter().collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::parse::parse;

    /// What is said of the simulated cell with `text` in place of its wrist camera's address.
    fn said(text: &str) -> Result<CameraSource, String> {
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
        let expected = DeviceSection {
            path: "/dev/v4l/by-id/usb-Cam_1234-video-index0".into(),
            bus: None,
            pixels: Some(PixelForm::Yuyv),
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
