//! Whether the cameras show what a policy was trained on, by the statistics of its own package.
//!
//! Owns the comparison, and the guess what went wrong where a picture is nothing like them: cameras
//! that were changed over, or colours in another order. Never decides what comes of it.

use super::finding::Findings;
use super::package::{Package, Source};
use crate::camera::Look;

/// A picture this far from its statistics is worth a word.
const ODD: f64 = 3.0;
/// A guess explains what is wrong when there is as much to explain, of one picture...
const STRANGE: f64 = 1.0;
/// ... and of two together, which must both fit the better the other way round...
const STRANGE_PAIR: f64 = 1.0;
/// ... and this share of it, at most, is left.
const EXPLAINED: f64 = 0.4;

/// A camera's picture and what the package says of such pictures.
struct Sight<'a> {
    camera: &'a str,
    look: Look,
    expected: Vec<(f64, f64)>,
}

impl Sight<'_> {
    fn off(&self) -> f64 {
        self.look.distance(&self.expected)
    }
}

/// Compares pictures that look like `looks`, in the order of `cameras`, with what `package` was
/// trained on. Nothing is said of packages without statistics.
pub fn compare(package: &Package, cameras: &[&str], looks: &[Look], findings: &mut Findings) {
    let sights: Vec<Sight<'_>> = (package.inputs.iter())
        .filter_map(|input| {
            let Source::Image { camera, .. } = &input.source else {
                return None;
            };
            let index = cameras.iter().position(|name| name == camera)?;
            let all = input.expected.as_ref()?.iter();
            Some(Sight {
                camera,
                look: *looks.get(index)?,
                expected: all.map(|it| (it.mean, it.deviation)).collect(),
            })
        })
        .collect();
    let mut explained = vec![false; sights.len()];
    for (one, other) in (0..sights.len()).flat_map(|j| (0..j).map(move |i| (i, j))) {
        let (Some(first), Some(second)) = (sights.get(one), sights.get(other)) else {
            continue;
        };
        let as_named = first.off() + second.off();
        let changed_over =
            first.look.distance(&second.expected) + second.look.distance(&first.expected);
        if as_named > STRANGE_PAIR && changed_over < EXPLAINED * as_named {
            findings.error(
                format!("cameras.{}", first.camera),
                format!(
                    "it shows what the policy saw through {:?} in training, and the other way round",
                    second.camera
                ),
                "change over the two cameras' addresses",
            );
            [one, other].into_iter().for_each(|index| {
                if let Some(slot) = explained.get_mut(index) {
                    *slot = true;
                }
            });
        }
    }
    for (sight, _) in sights.iter().zip(&explained).filter(|(_, told)| !**told) {
        let off = sight.off();
        let place = format!("cameras.{}", sight.camera);
        let blue_first = sight.look.blue_first().distance(&sight.expected);
        if off > STRANGE && blue_first < EXPLAINED * off {
            findings.error(
                place,
                "red and blue are the other way round than in training",
                "correct the camera's colour order, or train with this one",
            );
        } else if off > ODD {
            findings.warning(
                place,
                format!("its picture is {off:.1} deviations from those of training, in colours"),
                "look at its light, exposure and view, and whether it is the right camera",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::familiarity::Expected;
    use super::super::finding::{Finding, Severity};
    use super::*;

    /// A package that looks through two cameras, with these means of their colours.
    fn package(overhead: [f64; 3], wrist: [f64; 3]) -> Package {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages/sway");
        let mut package = Package::load(&dir).unwrap();
        for input in &mut package.inputs {
            if let Source::Image { camera, .. } = &input.source {
                let means = if camera == "wrist" { wrist } else { overhead };
                let all = means.map(|mean| Expected {
                    mean,
                    deviation: 0.1,
                });
                input.expected = Some(all.to_vec());
            }
        }
        package
    }

    fn look(mean: [f64; 3]) -> Look {
        Look {
            mean,
            deviation: [0.1; 3],
            ..Look::default()
        }
    }

    const WARM: [f64; 3] = [0.6, 0.4, 0.2];
    const DARK: [f64; 3] = [0.1, 0.1, 0.15];

    fn found(wrist: [f64; 3], overhead: [f64; 3]) -> Vec<Finding> {
        let mut findings = Findings::default();
        let looks = [look(wrist), look(overhead)];
        let package = package(WARM, DARK);
        compare(&package, &["wrist", "overhead"], &looks, &mut findings);
        findings.into_vec()
    }

    #[test]
    fn cameras_that_show_what_they_should_are_nothing_to_speak_of() {
        assert_eq!(found(DARK, WARM), []);
        assert_eq!(found([0.15, 0.1, 0.2], [0.5, 0.4, 0.3]), []);
    }

    #[test]
    fn cameras_that_were_changed_over_are_named() {
        let findings = found(WARM, DARK);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].what.contains("wrist") || findings[0].place.contains("wrist"));
    }

    #[test]
    fn colours_the_other_way_round_are_found() {
        let findings = found(DARK, [0.2, 0.4, 0.6]);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert!(findings[0].what.contains("red and blue"), "{}", findings[0]);
        assert_eq!(findings[0].place, "cameras.overhead");
    }

    #[test]
    fn another_light_is_worth_a_warning() {
        let findings = found([0.7, 0.8, 0.75], WARM);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].severity, Severity::Warning);
    }
}
