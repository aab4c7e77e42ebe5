//! Which camera a cell means: found by serial number, whole name, MAC or IP address, and known by
//! its serial number. Owns the library's list of cameras.

use std::ffi::CString;
use std::net::Ipv4Addr;
use std::sync::{LazyLock, Mutex, PoisonError};

use aravis::glib::prelude::*;
use aravis::prelude::*;
use aravis::{Aravis, Camera, DeviceError, DeviceInfo, GvDevice};

use super::GigeError;
use crate::camera::GigeSource;

/// The library's list is one for the whole process, and looked up by one thread at a time.
static LIST: LazyLock<Mutex<Option<Aravis>>> =
    LazyLock::new(|| Mutex::new(Aravis::initialize().ok()));

/// Opens the camera that `source` means; gives its serial number with it.
///
/// # Errors
/// When there is none, another one, or somebody else controls it.
pub(super) fn open(source: &GigeSource) -> Result<(Camera, String), GigeError> {
    let by_address = source.name.parse::<Ipv4Addr>().is_ok();
    let (camera, known) = if by_address {
        (connect(&source.name)?, false)
    } else {
        let camera = by_name(&source.name)?;
        (connect(&camera.id)?, camera.named_by_mac)
    };
    let device = camera.device();
    let device = device.and_then(|device| device.downcast::<GvDevice>().ok());
    if !device.is_some_and(|device| device.is_controller()) {
        return Err(GigeError::Busy);
    }
    let serial = camera
        .device_serial_number()
        .map_err(failed("asking for its serial number"))?
        .to_string();
    let another = |wanted: &str, key| GigeError::Another {
        is: serial.clone(),
        wanted: wanted.into(),
        key,
    };
    match &source.serial {
        Some(wanted) if *wanted != serial => Err(another(wanted, "serial")),
        Some(_) => Ok((camera, serial)),
        // A camera without a number of its own goes by its MAC.
        None if known || serial.is_empty() || ends_with(&source.name, &serial) => {
            Ok((camera, serial))
        }
        None => Err(another(&source.name, "gige")),
    }
}

fn connect(name: &str) -> Result<Camera, GigeError> {
    Camera::new(Some(name)).map_err(|error| match error.kind::<DeviceError>() {
        Some(DeviceError::ProtocolErrorAccessDenied | DeviceError::NotController) => {
            GigeError::Busy
        }
        Some(DeviceError::NotFound | DeviceError::Timeout) => GigeError::Absent {
            there: format!("{name} does not answer"),
        },
        _ => failed("connecting")(error),
    })
}

/// A camera in the list.
struct Listed {
    id: String,
    named_by_mac: bool,
}

/// The camera in the list that `name` means.
fn by_name(name: &str) -> Result<Listed, GigeError> {
    let all: Vec<DeviceInfo> = {
        let list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        list.as_ref()
            .map(Aravis::get_device_list)
            .unwrap_or_default()
    };
    let text = |it: &CString| it.to_string_lossy().into_owned();
    let cameras: Vec<(String, String)> = all
        .iter()
        .filter(|it| it.protocol.as_bytes() == b"GigEVision")
        .map(|it| (text(&it.id), text(&it.physical_id)))
        .collect();
    let mut meant = cameras.iter().filter_map(|(id, mac)| {
        let named_by_mac = mac.eq_ignore_ascii_case(name);
        let is_it = named_by_mac || ends_with(id, name);
        is_it.then(|| Listed {
            id: id.clone(),
            named_by_mac,
        })
    });
    match (meant.next(), meant.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(GigeError::Absent {
            there: match cameras.len() {
                0 => "there is none".into(),
                _ => super::asked::listed(cameras.iter().map(|(id, _)| id.clone())),
            },
        }),
        (Some(one), Some(other)) => Err(GigeError::Several {
            which: super::asked::listed([one, other].into_iter().chain(meant).map(|it| it.id)),
        }),
    }
}

/// Whether `whole` is `part`, or ends with it behind a dash.
fn ends_with(whole: &str, part: &str) -> bool {
    whole
        .strip_suffix(part)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
}

pub(super) fn failed(doing: &'static str) -> impl Fn(aravis::glib::Error) -> GigeError {
    move |error| GigeError::Failed {
        doing,
        error: error.message().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_goes_by_its_serial_number_or_its_whole_name_and_no_part_of_them() {
        let whole = "Aravis-Fake-GV01";
        assert!(ends_with(whole, "GV01") && ends_with(whole, whole));
        assert!(!ends_with(whole, "V01") && !ends_with(whole, "GV0"));
    }
}
