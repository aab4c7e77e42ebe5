//! Opens a camera and has it give exactly what the cell asks for, or says what it has instead.
//! Owns the settling of form, size, rate and controls; reads no picture.

use std::io::ErrorKind;

use linuxvideo::controls::Cid;
use linuxvideo::format::{FrameSizes, PixFormat, PixelFormat};
use linuxvideo::{BufType, CapabilityFlags, Device, Fract};
use rustix::io::Errno;

use super::{DeviceError, DeviceSource, Open, Pixels, failed};

/// Sizes named in a message.
const MOST_SIZES: usize = 12;

fn code(pixels: Pixels) -> PixelFormat {
    PixelFormat::from_fourcc(match pixels {
        Pixels::Mjpeg => *b"MJPG",
        Pixels::Yuyv => *b"YUYV",
    })
}

/// Opens `source` for pictures of `size`, and has it stream.
///
/// # Errors
/// One line with what it has in place of what was asked for.
pub(super) fn open(source: &DeviceSource, size: (u32, u32)) -> Result<Open, DeviceError> {
    let mut device = Device::open(&source.path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => DeviceError::Absent,
        ErrorKind::PermissionDenied => DeviceError::Denied,
        _ if not_a_camera(&error) => DeviceError::NoCamera,
        _ => failed("opening it")(error),
    })?;
    let about = device.capabilities().map_err(failed("asking it"))?;
    let flags = about.device_capabilities();
    if !flags.contains(CapabilityFlags::VIDEO_CAPTURE | CapabilityFlags::STREAMING) {
        return Err(DeviceError::NoCamera);
    }
    if let Some(wanted) = &source.bus
        && wanted != about.bus_info()
    {
        return Err(DeviceError::Elsewhere {
            is: about.bus_info().into(),
            wanted: wanted.clone(),
        });
    }
    let pixels = form(&device, source.pixels)?;
    let sizes = sizes(&device, pixels);
    control(&mut device, &source.controls)?;
    let asked = PixFormat::new(size.0, size.1, code(pixels));
    let capture = device.video_capture(asked).map_err(busy("setting it up"))?;
    let given = capture.format();
    if (given.width(), given.height()) != size || given.pixel_format() != code(pixels) {
        return Err(DeviceError::Size {
            width: size.0,
            height: size.1,
            has: sizes,
        });
    }
    let stride = given.bytes_per_line();
    if let Some(wanted) = source.rate_hz {
        let interval = Fract::new(1, wanted.max(1));
        let interval = capture
            .set_frame_interval(interval)
            .map_err(busy("setting its rate"))?;
        let is = 1.0 / interval.as_f32();
        // Drivers give 30000/1001 for 30.
        if (is - wanted as f32).abs() > 0.02 * wanted as f32 {
            return Err(DeviceError::Rate { is, wanted });
        }
    }
    let stream = capture.into_stream().map_err(busy("starting it"))?;
    Ok(Open {
        stream,
        pixels,
        stride,
    })
}

/// What a node says that is no camera's.
fn not_a_camera(error: &std::io::Error) -> bool {
    [Errno::NOTTY, Errno::INVAL]
        .iter()
        .any(|it| error.raw_os_error() == Some(it.raw_os_error()))
}

fn busy(doing: &'static str) -> impl Fn(std::io::Error) -> DeviceError {
    move |error| match error.raw_os_error() {
        Some(code) if code == Errno::BUSY.raw_os_error() => DeviceError::Busy,
        _ => failed(doing)(error),
    }
}

/// The form its pictures are to have: the one asked for, or the first it has.
fn form(device: &Device, wanted: Option<Pixels>) -> Result<Pixels, DeviceError> {
    let formats = device.formats(BufType::VIDEO_CAPTURE);
    let formats = formats.filter_map(Result::ok);
    let has: Vec<PixelFormat> = formats.map(|it| it.pixel_format()).collect();
    let usable = |pixels: &Pixels| has.contains(&code(*pixels));
    let first = Pixels::ALL.into_iter().find(usable);
    wanted
        .filter(usable)
        .or(first.filter(|_| wanted.is_none()))
        .ok_or_else(|| {
            let names = has
                .iter()
                .map(|it| String::from_utf8_lossy(&it.as_fourcc()).into_owned());
            DeviceError::Pixels { has: listed(names) }
        })
}

/// The sizes it has, for a message.
fn sizes(device: &Device, pixels: Pixels) -> String {
    match device.frame_sizes(code(pixels)) {
        Ok(FrameSizes::Discrete(sizes)) => {
            let names = sizes
                .iter()
                .map(|it| format!("{} × {}", it.width(), it.height()));
            listed(names.take(MOST_SIZES))
        }
        Ok(FrameSizes::Stepwise(it) | FrameSizes::Continuous(it)) => format!(
            "{} × {} to {} × {}",
            it.min_width(),
            it.min_height(),
            it.max_width(),
            it.max_height()
        ),
        Err(_) => "those its maker names".into(),
    }
}

/// A control that the camera has.
struct Known {
    name: String,
    id: Cid,
    /// Lowest and highest value.
    range: (i32, i32),
}

/// The controls it has.
fn controls(device: &Device) -> Vec<Known> {
    let described = device.controls().filter_map(Result::ok);
    let mut known: Vec<Known> = described
        .map(|it| Known {
            name: plain(it.name()),
            id: it.id(),
            range: (it.minimum(), it.maximum()),
        })
        .collect();
    // The library's list begins behind the first of all.
    if device.read_control_raw(Cid::BRIGHTNESS).is_ok() {
        known.insert(
            0,
            Known {
                name: "brightness".into(),
                id: Cid::BRIGHTNESS,
                range: (i32::MIN, i32::MAX),
            },
        );
    }
    known
}

/// Sets the controls. One that is refused is tried again after the others: an exposure can be set
/// only once the automatic is off.
fn control(device: &mut Device, wanted: &[(String, i32)]) -> Result<(), DeviceError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let known = controls(device);
    let mut asked = Vec::new();
    for (name, value) in wanted {
        let control = known.iter().find(|it| it.name == *name);
        let control = control.ok_or_else(|| DeviceError::NoControl {
            name: name.clone(),
            has: listed(known.iter().map(|it| it.name.clone())),
        })?;
        if !(control.range.0..=control.range.1).contains(value) {
            return Err(DeviceError::Range {
                name: name.clone(),
                value: *value,
                range: control.range,
            });
        }
        asked.push((control, *value));
    }
    let mut refused = Vec::new();
    for (control, value) in &asked {
        if device.write_control_raw(control.id, *value).is_err() {
            refused.push((control, *value));
        }
    }
    for (control, value) in refused {
        let written = device.write_control_raw(control.id, value);
        written.map_err(|error| not_taken(&control.name, value, error.to_string()))?;
    }
    for (control, value) in asked {
        // Some can be written and not read.
        match device.read_control_raw(control.id) {
            Ok(kept) if kept != value => {
                return Err(not_taken(&control.name, value, format!("it kept {kept}")));
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn not_taken(name: &str, value: i32, what: String) -> DeviceError {
    DeviceError::Control {
        name: name.into(),
        value,
        what,
    }
}

/// A control's name as tools write it: small letters, digits and single underscores.
fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("_")
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        "nothing".into()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn source(path: &str) -> DeviceSource {
        DeviceSource {
            path: PathBuf::from(path),
            bus: None,
            pixels: None,
            rate_hz: None,
            controls: Vec::new(),
        }
    }

    #[test]
    fn controls_go_by_the_names_that_tools_give_them() {
        assert_eq!(plain("Exposure Time, Absolute"), "exposure_time_absolute");
        assert_eq!(plain("White Balance, Automatic"), "white_balance_automatic");
        assert_eq!(plain("Gain"), "gain");
    }

    #[test]
    fn a_camera_that_is_not_there_and_a_node_that_is_none_are_told_apart() {
        let absent = open(&source("/dev/v4l/by-id/none"), (640, 480))
            .err()
            .unwrap();
        assert!(matches!(absent, DeviceError::Absent), "{absent}");
        let none = open(&source("/dev/null"), (640, 480)).err().unwrap();
        assert!(matches!(none, DeviceError::NoCamera), "{none}");
    }
}
