//! The time of a line: on the clock that orders, and on the one that people read.
//!
//! The only place that reads the wall clock. It names folders and dates lines; lines are ordered by
//! their numbers and by the monotonic clock, whatever becomes of the wall clock.

use rustix::time::{ClockId, clock_gettime};

use crate::realtime;
use crate::units::MonoTime;

/// Days from 1 March of the year 0 to 1 January 1970.
const TO_1970: i64 = 719_468;

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// CLOCK_MONOTONIC.
    pub at: MonoTime,
    /// Wall clock: milliseconds since 1970, UTC.
    pub wall_ms: i64,
}

/// What gives the time; another one in tests.
pub type Clock = fn() -> Stamp;

/// Now, on both clocks.
#[must_use]
pub fn now() -> Stamp {
    let wall = clock_gettime(ClockId::Realtime);
    Stamp {
        at: realtime::now(),
        wall_ms: wall.tv_sec.saturating_mul(1000) + wall.tv_nsec / 1_000_000,
    }
}

/// Milliseconds since 1970 of what [`Stamp::rfc3339`] wrote.
#[must_use]
pub fn parse(time: &str) -> Option<i64> {
    let number = |from: usize, to: usize| time.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = (number(11, 13)? * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    let year = year - i64::from(month <= 2);
    let march = if month > 2 { month - 3 } else { month + 9 };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = 365 * year + leap_days + (153 * march + 2) / 5 + day - 1 - TO_1970;
    Some((days * 86_400 + seconds) * 1000 + number(20, 23)?)
}

impl Stamp {
    /// RFC 3339 in UTC: `2026-11-22T22:10:01.123Z`.
    #[must_use]
    pub fn rfc3339(&self) -> String {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.time_of_day();
        let ms = self.wall_ms.rem_euclid(1000);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }

    /// The same without what a file's name can't have: `20261122T221001Z`.
    #[must_use]
    pub fn compact(&self) -> String {
        let (year, month, day) = self.date();
        let (hour, minute, second) = self.time_of_day();
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    fn time_of_day(&self) -> (i64, i64, i64) {
        let seconds = self.wall_ms.div_euclid(1000).rem_euclid(86_400);
        (seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// Year, month and day in the Gregorian calendar. Years begin in March here, so that the leap
    /// day is the last of a year and the months before it have the lengths of a straight line:
    /// month `m` after March begins on day `(153 m + 2) / 5`.
    fn date(&self) -> (i64, i64, i64) {
        /// Days of 400 years, after which the calendar repeats.
        const CYCLE: i64 = 146_097;
        let days = self.wall_ms.div_euclid(86_400_000) + TO_1970;
        let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
        // Every 4 years a day more, every 100 one less, and the last of the cycle again one more.
        let year = (day - day / 1460 + day / 36_524 - day / (CYCLE - 1)) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march + 2) / 5 + 1;
        let month = if march < 10 { march + 3 } else { march - 9 };
        let year = year + 400 * cycle + i64::from(month <= 2);
        (year, month, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_ms: i64) -> Stamp {
        let at = MonoTime(0);
        Stamp { at, wall_ms }
    }

    #[test]
    fn known_moments_have_their_dates() {
        for (secs, date) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(at(secs * 1000).rfc3339(), date);
        }
        assert_eq!(at(1_709_168_461_042).compact(), "20240229T010101Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200_000 {
            let noon = at(days * 86_400_000 + 43_200_007);
            assert_eq!(noon.date(), (year, month, day));
            assert_eq!(parse(&noon.rfc3339()), Some(noon.wall_ms));
            let february = i64::from(month == 2 && leap(year));
            day += 1;
            if day > lengths[usize::try_from(month).unwrap() - 1] + february {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
