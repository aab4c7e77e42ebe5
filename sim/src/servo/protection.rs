//! How a servo looks after itself: temperature, overload, over-current and supply limits.
//! Owns what it has suffered so far; the limits themselves are registers.

use super::memory::Memory;
use super::registers::{self as reg, error};

/// °C of the air around.
const AMBIENT: f64 = 25.0;
/// °C above ambient that a lasting 1 N m ends at: stall (1.9 N m) would end 150 °C above.
const HEATING: f64 = 150.0 / (1.9 * 1.9);
/// Seconds in which a temperature difference falls to 37 %.
const COOLING_SECS: f64 = 200.0;
/// °C that a servo must cool below its limit before it calls itself cool.
const HYSTERESIS: f64 = 3.0;

/// What a servo bore during one step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Burden {
    /// Motor torque, N m.
    pub torque: f64,
    /// Share of stall torque, 0…1.
    pub load: f64,
    /// Motor current, A.
    pub amps: f64,
    /// Supply, V.
    pub volts: f64,
}

/// The protections of one servo.
#[derive(Debug, Clone, PartialEq)]
pub struct Protection {
    celsius: f64,
    forced_celsius: Option<f64>,
    overload_secs: f64,
    over_current_secs: f64,
    latched: u8,
    hot: bool,
    bits: u8,
}

impl Default for Protection {
    fn default() -> Self {
        Protection {
            celsius: AMBIENT + 5.0,
            forced_celsius: None,
            overload_secs: 0.0,
            over_current_secs: 0.0,
            latched: 0,
            hot: false,
            bits: 0,
        }
    }
}

impl Protection {
    /// Temperature, °C.
    #[must_use]
    pub fn celsius(&self) -> f64 {
        self.forced_celsius.unwrap_or(self.celsius)
    }

    /// Error bits now.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether the torque is cut to the protective torque, by the errors that the unload
    /// condition register names.
    #[must_use]
    pub fn unloaded(&self, memory: &Memory) -> bool {
        u16::from(self.bits) & memory.get(reg::UNLOAD_CONDITION) != 0
    }

    /// Torque was switched off: latched errors are forgiven.
    pub fn torque_off(&mut self) {
        self.latched = 0;
        self.overload_secs = 0.0;
        self.over_current_secs = 0.0;
        self.bits &= !(error::OVERLOAD | error::OVER_CURRENT);
    }

    /// Power came back: latched errors are forgotten, the heat is still there.
    pub fn power_up(&mut self) {
        self.torque_off();
        self.hot = false;
        self.bits = 0;
    }

    /// As if an overload had been borne for too long.
    pub fn latch_overload(&mut self) {
        self.latched |= error::OVERLOAD;
        self.bits |= error::OVERLOAD;
    }

    /// Holds the temperature at a value, or lets it go back to what was borne.
    pub fn force_celsius(&mut self, celsius: Option<f64>) {
        self.forced_celsius = celsius;
    }

    /// One step of `dt` seconds under `burden`.
    pub fn update(&mut self, memory: &Memory, burden: Burden, dt: f64) {
        let rise = HEATING * burden.torque * burden.torque;
        self.celsius += (AMBIENT + rise - self.celsius) * dt / COOLING_SECS;

        let limit = f64::from(memory.get(reg::MAX_TEMPERATURE));
        self.hot = self.celsius() > if self.hot { limit - HYSTERESIS } else { limit };

        let overload = f64::from(memory.get(reg::OVERLOAD_TORQUE)) / 100.0;
        let patience = f64::from(memory.get(reg::PROTECTION_TIME)) * 0.01;
        if lasts(
            &mut self.overload_secs,
            burden.load > overload,
            patience,
            dt,
        ) {
            self.latched |= error::OVERLOAD;
        }
        let amps = f64::from(memory.get(reg::PROTECTION_CURRENT)) * 0.0065;
        let patience = f64::from(memory.get(reg::OVER_CURRENT_TIME)) * 0.01;
        if lasts(
            &mut self.over_current_secs,
            burden.amps > amps,
            patience,
            dt,
        ) {
            self.latched |= error::OVER_CURRENT;
        }

        let tenths = burden.volts * 10.0;
        let allowed =
            f64::from(memory.get(reg::MIN_VOLTAGE))..=f64::from(memory.get(reg::MAX_VOLTAGE));
        self.bits = self.latched
            | if self.hot { error::OVERHEAT } else { 0 }
            | if allowed.contains(&tenths) {
                0
            } else {
                error::VOLTAGE
            };
    }
}

/// Counts how long `condition` has lasted; true once that is longer than `patience` seconds.
fn lasts(secs: &mut f64, condition: bool, patience: f64, dt: f64) -> bool {
    *secs = if condition { *secs + dt } else { 0.0 };
    *secs > patience
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bear(protection: &mut Protection, load: f64, secs: f64) {
        let memory = Memory::factory();
        let burden = Burden {
            torque: load * 1.9,
            load,
            amps: load * 2.7,
            volts: 7.4,
        };
        for _ in 0..(secs / 0.0025) as usize {
            protection.update(&memory, burden, 0.0025);
        }
    }

    #[test]
    fn overload_latches_after_two_seconds_and_until_torque_is_off() {
        let mut protection = Protection::default();
        bear(&mut protection, 0.9, 1.9);
        assert_eq!(protection.bits(), 0);
        bear(&mut protection, 0.9, 0.2);
        assert_eq!(protection.bits(), error::OVERLOAD);
        assert!(protection.unloaded(&Memory::factory()));
        bear(&mut protection, 0.0, 5.0);
        assert_eq!(protection.bits(), error::OVERLOAD);
        protection.torque_off();
        bear(&mut protection, 0.0, 0.1);
        assert_eq!(protection.bits(), 0);
    }

    #[test]
    fn a_load_below_the_limit_is_borne_for_ever() {
        let mut protection = Protection::default();
        bear(&mut protection, 0.5, 30.0);
        assert_eq!(protection.bits(), 0);
    }

    #[test]
    fn a_stalled_servo_overheats_in_about_a_minute() {
        let mut protection = Protection::default();
        bear(&mut protection, 1.0, 30.0);
        assert_eq!(protection.bits() & error::OVERHEAT, 0);
        bear(&mut protection, 1.0, 60.0);
        assert_ne!(protection.bits() & error::OVERHEAT, 0);
    }
}
