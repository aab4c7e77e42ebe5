//! The cameras of a machine and of its network, as a cell describes them: which one, and how its
//! pictures must come. Opens nothing.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

/// What is said where a build without aravis is asked for such a camera.
pub const WITHOUT_GIGE: &str = "this build has no GigE Vision cameras; the one made with \
     `cargo build --release --features aravis` has them (it needs Debian's libaravis-dev and libusb-1.0-0-dev)";

/// A camera of this machine, through Video4Linux.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSource {
    /// Its node, best by a name that stays: `/dev/v4l/by-id/…` or `/dev/v4l/by-path/…`.
    pub path: PathBuf,
    /// Where it must be attached, as the driver says it; anywhere when `None`.
    pub bus: Option<String>,
    /// How its pictures come; MJPEG where it has that, else YUYV, when `None`.
    pub pixels: Option<Pixels>,
    /// Pictures a second; the driver's own choice when `None`.
    pub rate_hz: Option<u32>,
    /// Controls by name and what they are set to, in this order.
    pub controls: Vec<(String, i32)>,
}

/// A GigE Vision camera, found on the network.
#[derive(Debug, Clone, PartialEq)]
pub struct GigeSource {
    /// Its serial number, its whole name (`Vendor-Model-Serial`), its MAC or its IP address.
    pub name: String,
    /// Its serial number, where its name does not say it.
    pub serial: Option<String>,
    /// How its pixels come; the first of [`GigePixels::ALL`] that it has when `None`.
    pub pixels: Option<GigePixels>,
    /// Pictures a second; the camera's own choice when `None`.
    pub rate_hz: Option<u32>,
    /// Bytes of a packet on the network; as large as gets through when `None`.
    pub packet_bytes: Option<u32>,
    /// Features by their `GenICam` names and what they are set to.
    pub features: Vec<(String, FeatureValue)>,
}

/// What a feature of a GigE Vision camera is set to.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureValue {
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// On or off.
    Switch(bool),
    /// An entry of a list, or a text.
    Text(String),
}

/// How a GigE Vision camera gives its pixels: eight bits each, by the names of the GenICam Pixel
/// Format Naming Convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GigePixels {
    /// Red, green and blue of each.
    Rgb8,
    /// One colour of each; rows begin with red and green, and green and blue.
    BayerRg8,
    /// Green and blue, red and green.
    BayerGb8,
    /// Green and red, blue and green.
    BayerGr8,
    /// Blue and green, green and red.
    BayerBg8,
    /// Grey.
    Mono8,
}

impl GigePixels {
    /// All that can be used, the best first.
    pub const ALL: [GigePixels; 6] = [
        GigePixels::Rgb8,
        GigePixels::BayerRg8,
        GigePixels::BayerGb8,
        GigePixels::BayerGr8,
        GigePixels::BayerBg8,
        GigePixels::Mono8,
    ];

    /// What cameras and cell files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GigePixels::Rgb8 => "RGB8",
            GigePixels::BayerRg8 => "BayerRG8",
            GigePixels::BayerGb8 => "BayerGB8",
            GigePixels::BayerGr8 => "BayerGR8",
            GigePixels::BayerBg8 => "BayerBG8",
            GigePixels::Mono8 => "Mono8",
        }
    }

    /// Its number in the convention.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            GigePixels::Rgb8 => 0x0218_0014,
            GigePixels::BayerRg8 => 0x0108_0009,
            GigePixels::BayerGb8 => 0x0108_000A,
            GigePixels::BayerGr8 => 0x0108_0008,
            GigePixels::BayerBg8 => 0x0108_000B,
            GigePixels::Mono8 => 0x0108_0001,
        }
    }
}

impl Display for FeatureValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            FeatureValue::Integer(value) => write!(f, "{value}"),
            FeatureValue::Float(value) => write!(f, "{value}"),
            FeatureValue::Switch(value) => write!(f, "{value}"),
            FeatureValue::Text(value) => write!(f, "\"{value}\""),
        }
    }
}

/// How a camera of this machine gives its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Each a JPEG.
    Mjpeg,
    /// Luma of every pixel and chroma of every pair (4:2:2, BT.601 in the narrow range).
    Yuyv,
}

impl Pixels {
    /// Both, the smaller on the cable first.
    pub const ALL: [Pixels; 2] = [Pixels::Mjpeg, Pixels::Yuyv];

    /// What a cell file calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Pixels::Mjpeg => "mjpeg",
            Pixels::Yuyv => "yuyv",
        }
    }
}
