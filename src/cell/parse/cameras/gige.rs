//! `gige` of `[cameras.NAME]`: which GigE Vision camera, and how it must be.

use std::net::Ipv4Addr;

use toml::Spanned;

use super::{RawCamera, RawValue, Source};
use crate::cell::{CameraSource, CellError, FeatureValue, GigePixels, GigeSource, WITHOUT_GIGE};

/// Bytes of a packet: what every network carries, and jumbo frames.
const PACKET_BYTES: std::ops::RangeInclusive<u32> = 576..=16_000;

pub(super) fn camera(
    source: &Source<'_>,
    name: &str,
    raw: &RawCamera,
    camera: &Spanned<String>,
) -> Result<CameraSource, CellError> {
    let key = |key: &str| format!("`cameras.{name}.{key}`");
    let meant = camera.get_ref();
    if meant.is_empty() {
        let what = format!(
            "{} must be the camera's serial number, its whole name as `arv-tool-0.8` lists it, its MAC or its IP address",
            key("gige")
        );
        return Err(source.at(camera.span(), what));
    }
    if meant.parse::<Ipv4Addr>().is_ok() && raw.serial.is_none() {
        let what = format!(
            "{}: {meant} is whichever camera has that address; name it by its serial number, or say its `serial` as well",
            key("gige")
        );
        return Err(source.at(camera.span(), what));
    }
    if let Some(bytes) = &raw.packet_bytes
        && !PACKET_BYTES.contains(bytes.get_ref())
    {
        let what = format!("{} must be 576 to 16000", key("packet_bytes"));
        return Err(source.at(bytes.span(), what));
    }
    let features = raw.controls.as_ref().map(|it| it.get_ref().clone());
    let read = GigeSource {
        name: meant.clone(),
        serial: raw.serial.as_ref().map(|it| it.get_ref().clone()),
        pixels: raw.form(source, name, &GigePixels::ALL, GigePixels::name)?,
        rate_hz: raw.rate(source, name)?,
        packet_bytes: raw.packet_bytes.as_ref().map(|it| *it.get_ref()),
        features: (features.unwrap_or_default().into_iter())
            .map(|(feature, value)| (feature, value.into()))
            .collect(),
    };
    if cfg!(feature = "aravis") {
        Ok(CameraSource::Gige(read))
    } else {
        let what = format!("{}: {WITHOUT_GIGE}", key("gige"));
        Err(source.at(camera.span(), what))
    }
}

impl From<RawValue> for FeatureValue {
    fn from(value: RawValue) -> FeatureValue {
        match value {
            RawValue::Integer(value) => FeatureValue::Integer(value),
            RawValue::Float(value) => FeatureValue::Float(value),
            RawValue::Switch(value) => FeatureValue::Switch(value),
            RawValue::Text(value) => FeatureValue::Text(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::said;
    #[cfg(feature = "aravis")]
    use super::*;

    const WHOLE: &str = "gige = \"Aravis-Fake-GV01\"\npixels = \"BayerRG8\"\nrate_hz = 30\n\
         packet_bytes = 9000\ncontrols = { GainAuto = \"Off\", ExposureTimeAbs = 8000.0, GainRaw = 2 }";

    #[test]
    #[cfg(feature = "aravis")]
    fn a_gige_vision_camera_is_read_with_all_it_is_set_to() {
        let features = [
            ("ExposureTimeAbs", FeatureValue::Float(8000.0)),
            ("GainAuto", FeatureValue::Text("Off".into())),
            ("GainRaw", FeatureValue::Integer(2)),
        ];
        let expected = GigeSource {
            name: "Aravis-Fake-GV01".into(),
            serial: None,
            pixels: Some(GigePixels::BayerRg8),
            rate_hz: Some(30),
            packet_bytes: Some(9000),
            features: features.map(|(name, value)| (name.into(), value)).into(),
        };
        assert_eq!(said(WHOLE), Ok(CameraSource::Gige(expected)));
    }

    #[test]
    #[cfg(not(feature = "aravis"))]
    fn a_build_without_aravis_says_which_one_has_it() {
        let error = said(WHOLE).unwrap_err();
        assert!(error.contains("cameras.wrist.gige"), "{error}");
        assert!(error.contains("--features aravis"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }

    #[test]
    fn what_can_not_be_meant_is_told_by_its_key() {
        for (text, telling) in [
            ("gige = \"\"", "must be the camera's serial number"),
            ("gige = \"10.0.0.2\"", "whichever camera has that address"),
            ("gige = \"GV01\"\nrate_hz = 0", "1 to 240"),
            ("gige = \"GV01\"\npacket_bytes = 100", "576 to 16000"),
            (
                "gige = \"GV01\"\npixels = \"Mono16\"",
                "Mono16 can't be decoded here; take one of RGB8, BayerRG8",
            ),
            ("gige = \"GV01\"\ndevice = \"/dev/v4l/x\"", "or a `gige`"),
        ] {
            let error = said(text).unwrap_err();
            assert!(error.contains(telling), "{text}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        if cfg!(feature = "aravis") {
            let error = said("gige = \"GV01\"\nbus = \"x\"").unwrap_err();
            assert!(error.contains("is for a `device`"), "{error}");
        }
    }
}
