//! The controller as a whole, in virtual time against lagging servos.

use crate::control::testing::{PERIOD_NS, Rig, joints};
use crate::control::{
    Inputs, JointReading, Link, ReadFault, Relay, SafetyInputs, Torque, TorqueAct,
};
use crate::messages::{Cause, Mode, Refusal, Request, ToolSetpoint, Waypoints};
use crate::units::{Celsius, JointVec, MonoTime, Rad, Volts};

mod arms;
mod clearance;
mod inputs;
mod ladder;
mod modes;
mod parking;
mod paths;
mod plans;
mod properties;
mod stops;

/// Makes joint `index` unreadable.
fn lose(inputs: &mut Inputs<'_>, index: usize, fault: ReadFault) {
    inputs.joints.as_mut_slice()[index] = JointReading::Missing(fault);
}

/// Changes what joint `index` says.
fn alter(
    inputs: &mut Inputs<'_>,
    index: usize,
    change: impl FnOnce(&mut f64, &mut f64, &mut f64, &mut u8),
) {
    if let JointReading::Fresh {
        position,
        voltage,
        temperature,
        errors,
        ..
    } = &mut inputs.joints.as_mut_slice()[index]
    {
        change(&mut position.0, &mut voltage.0, &mut temperature.0, errors);
    }
}
