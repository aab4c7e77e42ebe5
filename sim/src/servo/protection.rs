//! How a servo looks after itself: temperature, overload, over-current and supply limits.
//! Owns what it has suffered so far; the bounds themselves are registers.

use super::registers::error;

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

/// What a servo bears.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Overheat above, °C.
    pub celsius: f64,
    /// Overload above, share of stall torque, for longer than `load_secs`.
    pub load: f64,
    /// Seconds.
    pub load_secs: f64,
    /// Over-current above, A, for longer than `amps_secs`.
    pub amps: f64,
    /// Seconds.
    pub amps_secs: f64,
    /// Lowest and highest supply, V.
    pub volts: (f64, f64),
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

    /// Whether there is one of the errors in `mask` now.
    #[must_use]
    pub fn any_of(&self, mask: u8) -> bool {
        self.bits & mask != 0
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
    pub fn update(&mut self, bounds: &Bounds, burden: Burden, dt: f64) {
        let rise = HEATING * burden.torque * burden.torque;
        self.celsius += (AMBIENT + rise - self.celsius) * dt / COOLING_SECS;

        let limit = bounds.celsius;
        self.hot = self.celsius() > if self.hot { limit - HYSTERESIS } else { limit };

        let overload = burden.load > bounds.load;
        if lasts(&mut self.overload_secs, overload, bounds.load_secs, dt) {
            self.latched |= error::OVERLOAD;
        }
        let over_current = burden.amps > bounds.amps;
        if lasts(
            &mut self.over_current_secs,
            over_current,
            bounds.amps_secs,
            dt,
        ) {
            self.latched |= error::OVER_CURRENT;
        }

        let (lowest, highest) = bounds.volts;
        let supplied = (lowest..=highest).contains(&burden.volts);
        self.bits = self.latched
            | if self.hot { error::OVERHEAT } else { 0 }
            | if supplied { 0 } else { error::VOLTAGE };
    }
}

/// Counts how long `condition` has lasted; true once that is longer than `patience` seconds.
fn lasts(secs: &mut f64, condition: bool, patience: f64, dt: f64) -> bool {
    *secs = if condition { *secs + dt } else { 0.0 };
    *secs > patience
}

#[cfg(test)]
mod tests {
    use super::super::device::bounds;
    use super::super::memory::Memory;
    use super::super::registers as reg;
    use super::*;

    fn bear(protection: &mut Protection, load: f64, secs: f64) {
        let bounds = bounds(&Memory::factory());
        let burden = Burden {
            torque: load * 1.9,
            load,
            amps: load * 2.7,
            volts: 7.4,
        };
        for _ in 0..(secs / 0.0025) as usize {
            protection.update(&bounds, burden, 0.0025);
        }
    }

    #[test]
    fn overload_latches_after_two_seconds_and_until_torque_is_off() {
        let mut protection = Protection::default();
        bear(&mut protection, 0.9, 1.9);
        assert_eq!(protection.bits(), 0);
        bear(&mut protection, 0.9, 0.2);
        assert_eq!(protection.bits(), error::OVERLOAD);
        assert!(protection.any_of(Memory::factory().get(reg::UNLOAD_CONDITION) as u8));
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
