//! What a GigE Vision camera does not give, and what to do about it.

use crate::camera::FeatureValue;

/// A GigE Vision camera that does not give what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum GigeError {
    /// None of that name answers.
    #[error(
        "no camera of this name answers ({there} on the network); check its power, cable and address, or correct `gige`"
    )]
    Absent {
        /// Those that do.
        there: String,
    },
    /// The name is not enough.
    #[error("several cameras are called so: {which}; write the whole name of one")]
    Several {
        /// Their whole names.
        which: String,
    },
    /// Another camera answers.
    #[error(
        "its serial number is {is}, and the cell says {wanted}; were cameras or addresses swapped? if not, correct `{key}`"
    )]
    Another {
        /// Of the one that answers.
        is: String,
        /// As the cell says.
        wanted: String,
        /// Where it says so.
        key: &'static str,
    },
    /// Somebody else has it.
    #[error(
        "another program controls it; end that program (one that crashed lets go after some seconds)"
    )]
    Busy,
    /// Not with these pixels.
    #[error("it gives {has}, not {wanted}; set `pixels` to one of {usable}")]
    Pixels {
        /// What was asked for.
        wanted: &'static str,
        /// The formats it has.
        has: String,
        /// Those that can be used here.
        usable: String,
    },
    /// With no pixels that can be used.
    #[error("it gives {has}, and none of these can be used here ({usable})")]
    NoPixels {
        /// The formats it has.
        has: String,
        /// Those that can be used here.
        usable: String,
    },
    /// Not in this size.
    #[error(
        "it has no pictures of {width} × {height}; its sensor has {} × {}, and each side goes in steps of {} and {}",
        sensor.0, sensor.1, steps.0, steps.1
    )]
    Size {
        /// Asked for, pixels across.
        width: u32,
        /// Asked for, pixels down.
        height: u32,
        /// What its sensor has, across and down.
        sensor: (i32, i32),
        /// By how many pixels either side can be changed.
        steps: (i32, i32),
    },
    /// Not so often.
    #[error("it gives {is:.1} pictures a second, and `rate_hz` says {wanted}; set it to that")]
    Rate {
        /// What it gives.
        is: f64,
        /// What was asked for.
        wanted: u32,
    },
    /// No such feature.
    #[error("it has no feature {name}; `arv-tool-0.8 features` lists those it has")]
    NoFeature {
        /// As in the cell.
        name: String,
    },
    /// A value that the feature can't have.
    #[error("its feature {name} goes from {} to {}, not to {value}", range.0, range.1)]
    Range {
        /// The feature.
        name: String,
        /// The value.
        value: FeatureValue,
        /// Lowest and highest.
        range: (f64, f64),
    },
    /// The feature was refused, or kept another value.
    #[error("its feature {name} does not take {value} ({what})")]
    Feature {
        /// The feature.
        name: String,
        /// The value.
        value: FeatureValue,
        /// What the camera said, or what it kept.
        what: String,
    },
    /// Packets are lost.
    #[error(
        "none of its last {count} pictures came whole; set `packet_bytes` to what the network carries (9000 with jumbo frames, else 1500), or `rate_hz` lower"
    )]
    Incomplete {
        /// Pictures of which parts are missing.
        count: u64,
    },
    /// It gives something that was not asked for.
    #[error("its pictures are no longer as they were set; does another program change it?")]
    Changed,
    /// Something else failed.
    #[error("{doing} failed ({error}); is it still connected?")]
    Failed {
        /// What.
        doing: &'static str,
        /// What aravis said.
        error: String,
    },
}
