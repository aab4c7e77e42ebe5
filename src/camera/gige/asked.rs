//! Opens a GigE Vision camera and has it give exactly what the cell asks for, or says what it has
//! instead. Owns the settling of features, format, size and rate; reads no picture.

use std::time::Duration;

use aravis::glib::prelude::*;
use aravis::prelude::*;
use aravis::{
    AcquisitionMode, Buffer, Camera, GcFloat, GcInteger, GvDevice, GvPacketSizeAdjustment,
    GvStream, GvStreamSocketBuffer, PixelFormat, Stream,
};

use super::GigeError;
use super::found::{self, failed};
use crate::camera::{FeatureValue, GigePixels, GigeSource};

/// Pictures that may be under way or waiting.
const BUFFERS: usize = 6;
/// How long a picture may take to come whole: a busy machine holds packets up.
const RETENTION: Duration = Duration::from_millis(200);
/// How long a packet may be overdue before it is asked for again.
const PACKET_TIMEOUT: Duration = Duration::from_millis(40);
/// Cameras keep the nearest value they can have.
const NEAR: f64 = 0.02;

/// A camera that streams, and how its pictures come.
pub(super) struct Open {
    // In this order: the stream ends before its camera is let go of.
    pub(super) stream: Stream,
    camera: Camera,
    pub(super) serial: String,
    pub(super) pixels: GigePixels,
    /// Width and height, pixels.
    pub(super) size: (u32, u32),
}

impl Open {
    /// Ends the stream of a camera that still answers and lets go of it; else it keeps itself for
    /// who had it last until it finds out.
    pub(super) fn stop(&self) {
        let device = self.camera.device();
        let device = device.and_then(|device| device.downcast::<GvDevice>().ok());
        let left = (self.camera.stop_acquisition())
            .and_then(|()| device.map_or(Ok(()), |device| device.leave_control()));
        if let Err(error) = left {
            tracing::debug!(%error, "the camera was not told to stop");
        }
    }

    /// Bytes of a packet on the network.
    pub(super) fn packet_bytes(&self) -> u32 {
        self.camera.gv_get_packet_size().unwrap_or_default()
    }
}

/// Opens `source` for pictures of `size`, and has it stream.
///
/// # Errors
/// One line with what it has in place of what was asked for.
pub(super) fn open(source: &GigeSource, size: (u32, u32)) -> Result<Open, GigeError> {
    let (camera, serial) = found::open(source)?;
    camera
        .set_acquisition_mode(AcquisitionMode::Continuous)
        .map_err(failed("setting it to run on"))?;
    // Another program may have left it waiting for triggers; some have none.
    let _ = camera.clear_triggers();
    // Where the picture lies on the sensor can be said only once its size is.
    let (offsets, others): (Vec<_>, Vec<_>) = (source.features.iter())
        .partition(|(name, _)| matches!(name.as_str(), "OffsetX" | "OffsetY"));
    set_all(&camera, &others)?;
    let pixels = form(&camera, source.pixels)?;
    let code = PixelFormat::from_raw(pixels.code());
    camera
        .set_pixel_format(code)
        .map_err(failed("setting its pixel format"))?;
    region(&camera, size)?;
    set_all(&camera, &offsets)?;
    if let Some(wanted) = source.rate_hz {
        rate(&camera, wanted)?;
    }
    match source.packet_bytes.and_then(|it| i32::try_from(it).ok()) {
        Some(bytes) => {
            camera.gv_set_packet_size_adjustment(GvPacketSizeAdjustment::Never);
            camera
                .gv_set_packet_size(bytes)
                .map_err(failed("setting the size of its packets"))?;
        }
        // Cameras that can't try keep what they have.
        None => drop(camera.gv_auto_packet_size()),
    }
    let stream = start(&camera)?;
    Ok(Open {
        stream,
        camera,
        serial,
        pixels,
        size,
    })
}

fn start(camera: &Camera) -> Result<Stream, GigeError> {
    let payload = camera
        .payload()
        .map_err(failed("asking for the size of a picture"))?;
    let stream = camera
        .create_stream()
        .map_err(failed("opening its stream"))?;
    if let Some(stream) = stream.downcast_ref::<GvStream>() {
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        // As much as a picture, where the system allows that.
        stream.set_socket_buffer(GvStreamSocketBuffer::Auto);
        stream.set_frame_retention(micros(RETENTION));
        stream.set_packet_timeout(micros(PACKET_TIMEOUT));
    }
    for _ in 0..BUFFERS {
        stream.push_buffer(Buffer::new_allocate(payload as usize));
    }
    camera.start_acquisition().map_err(failed("starting it"))?;
    Ok(stream)
}

/// How its pixels are to come: as asked for, or the best it has.
fn form(camera: &Camera, wanted: Option<GigePixels>) -> Result<GigePixels, GigeError> {
    let codes = camera
        .dup_available_pixel_formats()
        .map_err(failed("asking for its pixel formats"))?;
    let has = |it: &GigePixels| codes.contains(&i64::from(it.code()));
    let names = || {
        let names = camera.dup_available_pixel_formats_as_strings();
        listed(names.into_iter().flatten().map(String::from))
    };
    let usable = |it: Vec<GigePixels>| listed(it.into_iter().map(|it| it.name().to_owned()));
    match wanted {
        Some(wanted) if has(&wanted) => Ok(wanted),
        Some(wanted) => Err(GigeError::Pixels {
            wanted: wanted.name(),
            has: names(),
            usable: usable(GigePixels::ALL.into_iter().filter(has).collect()),
        }),
        None => {
            let best = GigePixels::ALL.into_iter().find(has);
            best.ok_or_else(|| GigeError::NoPixels {
                has: names(),
                usable: usable(GigePixels::ALL.to_vec()),
            })
        }
    }
}

/// Has it give the middle of its sensor in this size.
fn region(camera: &Camera, (width, height): (u32, u32)) -> Result<(), GigeError> {
    let sensor = camera
        .sensor_size()
        .map_err(failed("asking for the size of its sensor"))?;
    let increment = |it: Result<i32, aravis::glib::Error>| it.unwrap_or(1).max(1);
    let refused = || GigeError::Size {
        width,
        height,
        sensor,
        steps: (
            increment(camera.width_increment()),
            increment(camera.height_increment()),
        ),
    };
    let side = |it: u32| i32::try_from(it).map_err(|_| refused());
    let wanted = (side(width)?, side(height)?);
    if wanted.0 > sensor.0 || wanted.1 > sensor.1 {
        return Err(refused());
    }
    let set = camera.set_region(0, 0, wanted.0, wanted.1);
    let middle = |sensor: i32, side: i32, step: i32| (sensor - side) / 2 / step * step;
    let x = middle(sensor.0, wanted.0, increment(camera.x_offset_increment()));
    let y = middle(sensor.1, wanted.1, increment(camera.y_offset_increment()));
    if set.is_ok() && (x, y) != (0, 0) {
        // One that can't be moved gives the corner.
        if let Err(error) = camera.set_region(x, y, wanted.0, wanted.1) {
            tracing::debug!(%error, "the picture stays in the sensor's corner");
        }
    }
    let given = camera.region().map_err(failed("asking for its region"))?;
    if set.is_err() || (given.2, given.3) != wanted {
        return Err(refused());
    }
    Ok(())
}

fn rate(camera: &Camera, wanted: u32) -> Result<(), GigeError> {
    camera
        .set_frame_rate(f64::from(wanted))
        .map_err(failed("setting its rate"))?;
    let is = camera.frame_rate().map_err(failed("asking for its rate"))?;
    if (is - f64::from(wanted)).abs() > NEAR * f64::from(wanted) {
        return Err(GigeError::Rate { is, wanted });
    }
    Ok(())
}

/// Sets features. One that is refused is tried again after the others: an exposure can be set only
/// once the automatic is off.
fn set_all(camera: &Camera, wanted: &[&(String, FeatureValue)]) -> Result<(), GigeError> {
    let mut refused = Vec::new();
    for feature in wanted {
        if !camera.is_feature_available(&feature.0).unwrap_or(false) {
            return Err(GigeError::NoFeature {
                name: feature.0.clone(),
            });
        }
        inside(camera, feature)?;
        if set(camera, feature).is_err() {
            refused.push(*feature);
        }
    }
    for feature in refused {
        set(camera, feature).map_err(|error| not_taken(feature, error.message()))?;
    }
    wanted.iter().try_for_each(|feature| kept(camera, feature))
}

/// Whether a feature is a number with a fraction, though the cell may give it a whole one.
fn is_float(camera: &Camera, name: &str) -> bool {
    let node = camera.device().and_then(|device| device.feature(name));
    node.is_some_and(|node| node.is::<GcFloat>() && !node.is::<GcInteger>())
}

/// The value as a number that the camera's own is to be compared with.
fn number(value: &FeatureValue) -> Option<f64> {
    match value {
        // Whole numbers of a camera's features are far below what a fraction can hold.
        FeatureValue::Integer(value) => Some(*value as f64),
        FeatureValue::Float(value) => Some(*value),
        FeatureValue::Switch(_) | FeatureValue::Text(_) => None,
    }
}

fn inside(camera: &Camera, (name, value): &(String, FeatureValue)) -> Result<(), GigeError> {
    let Some(wanted) = number(value) else {
        return Ok(());
    };
    let bounds = if is_float(camera, name) {
        camera.float_bounds(name)
    } else {
        let bounds = camera.integer_bounds(name);
        bounds.map(|(low, high)| (low as f64, high as f64))
    };
    match bounds {
        Ok((low, high)) if !(low..=high).contains(&wanted) => Err(GigeError::Range {
            name: name.clone(),
            value: value.clone(),
            range: (low, high),
        }),
        // Some have no bounds.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn set(camera: &Camera, (name, value): &(String, FeatureValue)) -> Result<(), aravis::glib::Error> {
    match value {
        FeatureValue::Integer(value) if is_float(camera, name) => {
            camera.set_float(name, *value as f64)
        }
        FeatureValue::Integer(value) => camera.set_integer(name, *value),
        FeatureValue::Float(value) => camera.set_float(name, *value),
        FeatureValue::Switch(value) => camera.set_boolean(name, *value),
        FeatureValue::Text(value) => camera.set_string(name, value),
    }
}

/// Whether it kept what it was set to; some can be written and not read.
fn kept(camera: &Camera, feature: &(String, FeatureValue)) -> Result<(), GigeError> {
    let (name, value) = feature;
    let other = match value {
        FeatureValue::Integer(_) | FeatureValue::Float(_) => {
            let is = if is_float(camera, name) {
                camera.float(name)
            } else {
                camera.integer(name).map(|it| it as f64)
            };
            let wanted = number(value).unwrap_or_default();
            let off = |is: &f64| (is - wanted).abs() > NEAR * wanted.abs().max(1e-6);
            is.ok().filter(off).map(|is| is.to_string())
        }
        FeatureValue::Switch(wanted) => {
            let is = camera.boolean(name).ok();
            is.filter(|is| is != wanted).map(|is| is.to_string())
        }
        FeatureValue::Text(wanted) => {
            let is = camera.string(name).ok().map(String::from);
            is.filter(|is| is != wanted)
        }
    };
    match other {
        Some(is) => Err(not_taken(feature, &format!("it kept {is}"))),
        None => Ok(()),
    }
}

fn not_taken((name, value): &(String, FeatureValue), what: &str) -> GigeError {
    GigeError::Feature {
        name: name.clone(),
        value: value.clone(),
        what: what.into(),
    }
}

pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        "nothing".into()
    } else {
        names.join(", ")
    }
}
