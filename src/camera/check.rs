//! Is a camera showing something new and usable? Pure code: time is an argument.
//!
//! A picture is good when it has the declared size, is not black, and differs from the one
//! before it. A real sensor's noise never repeats, so an identical picture is an old one, even
//! when driver or server stamps it as new. One bad picture is no fault: a fault is when the
//! newest good one is older than allowed.

use std::sync::Arc;

use super::Rgb8;
use crate::messages::Cause;
use crate::units::MonoTime;

/// A picture is black when no channel of any pixel is above this (of 255). A covered sensor
/// still has noise; a lit scene, however dim, has something brighter.
const BLACK: u8 = 24;

/// What is wrong with a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraFault {
    /// It repeats one picture.
    Frozen,
    /// Nothing arrives, or nothing that can be decoded.
    Lost,
    /// Its pictures are black or not of the declared size.
    Unusable,
}

impl CameraFault {
    /// The fault as the cause of a stop.
    #[must_use]
    pub fn cause(self, camera: u8) -> Cause {
        match self {
            CameraFault::Frozen => Cause::CameraFrozen { camera },
            CameraFault::Lost => Cause::CameraLost { camera },
            CameraFault::Unusable => Cause::CameraUnusable { camera },
        }
    }
}

impl std::fmt::Display for CameraFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CameraFault::Frozen => "repeats one picture",
            CameraFault::Lost => "delivers nothing",
            CameraFault::Unusable => "delivers black pictures or another size than declared",
        })
    }
}

/// What a picture was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// New and usable.
    Good,
    /// The same as the one before.
    Repeated,
    /// Black.
    Black,
    /// Not of the declared size.
    WrongSize,
    /// Not a picture.
    Damaged,
}

/// The content check of one camera.
#[derive(Debug)]
pub struct Check {
    width: u32,
    height: u32,
    last: Option<Arc<Rgb8>>,
}

impl Check {
    /// A check for pictures of this size.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Check {
            width,
            height,
            last: None,
        }
    }

    /// Judges the next picture; `None` is one that could not be decoded.
    pub fn judge(&mut self, image: Option<&Arc<Rgb8>>) -> Verdict {
        let Some(image) = image else {
            return Verdict::Damaged;
        };
        if (image.width(), image.height()) != (self.width, self.height) {
            return Verdict::WrongSize;
        }
        if image.data().iter().all(|&value| value <= BLACK) {
            return Verdict::Black;
        }
        if self.last.as_ref() == Some(image) {
            return Verdict::Repeated;
        }
        self.last = Some(Arc::clone(image));
        Verdict::Good
    }
}

/// The fault of a camera whose newest good picture was captured at `good_at` and whose newest
/// arrival, at `seen_at`, was judged `seen`.
#[must_use]
pub(super) fn fault(
    now: MonoTime,
    max_age_ns: u64,
    good_at: MonoTime,
    seen: Option<(MonoTime, Verdict)>,
) -> Option<CameraFault> {
    if now.since(good_at) <= max_age_ns {
        return None;
    }
    let fault = match seen {
        // What arrived last says what is wrong, unless that is itself long ago.
        Some((at, verdict)) if now.since(at) <= max_age_ns => match verdict {
            Verdict::Repeated => CameraFault::Frozen,
            Verdict::Black | Verdict::WrongSize => CameraFault::Unusable,
            Verdict::Good | Verdict::Damaged => CameraFault::Lost,
        },
        _ => CameraFault::Lost,
    };
    Some(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn picture(width: u32, height: u32, value: u8) -> Arc<Rgb8> {
        let bytes = (width * height * 3) as usize;
        Arc::new(Rgb8::new(width, height, vec![value; bytes]).unwrap())
    }

    #[test]
    fn a_repeated_picture_is_known_by_its_content() {
        let mut check = Check::new(4, 3);
        let image = picture(4, 3, 90);
        assert_eq!(check.judge(Some(&image)), Verdict::Good);
        assert_eq!(check.judge(Some(&picture(4, 3, 90))), Verdict::Repeated);
        let mut noisy = image.data().to_vec();
        noisy[17] += 1;
        let noisy = Arc::new(Rgb8::new(4, 3, noisy).unwrap());
        assert_eq!(check.judge(Some(&noisy)), Verdict::Good);
    }

    #[test]
    fn black_wrong_size_and_damage_are_told_apart() {
        let mut check = Check::new(4, 3);
        assert_eq!(check.judge(Some(&picture(4, 3, BLACK))), Verdict::Black);
        assert_eq!(check.judge(Some(&picture(3, 4, 90))), Verdict::WrongSize);
        assert_eq!(check.judge(None), Verdict::Damaged);
        assert_eq!(check.judge(Some(&picture(4, 3, BLACK + 1))), Verdict::Good);
    }

    #[test]
    fn a_picture_that_comes_back_after_a_black_one_is_still_a_repeat() {
        let mut check = Check::new(4, 3);
        check.judge(Some(&picture(4, 3, 90)));
        check.judge(Some(&picture(4, 3, 0)));
        assert_eq!(check.judge(Some(&picture(4, 3, 90))), Verdict::Repeated);
    }

    #[test]
    fn the_newest_arrival_names_the_fault() {
        let good = MonoTime(1000 * MS);
        let at = |ms: u64| MonoTime((1000 + ms) * MS);
        let limit = 100 * MS;
        let of = |now, seen| fault(now, limit, good, seen);
        assert_eq!(of(at(100), None), None);
        assert_eq!(of(at(101), None), Some(CameraFault::Lost));
        assert_eq!(
            of(at(101), Some((at(90), Verdict::Repeated))),
            Some(CameraFault::Frozen)
        );
        assert_eq!(
            of(at(101), Some((at(90), Verdict::WrongSize))),
            Some(CameraFault::Unusable)
        );
        // It repeated itself, then went away.
        assert_eq!(
            of(at(300), Some((at(90), Verdict::Repeated))),
            Some(CameraFault::Lost)
        );
    }
}
