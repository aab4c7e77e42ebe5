//! Calibration files good and bad, and counts ↔ radians over whole ranges.

use super::*;
use proptest::prelude::*;

const SIM: &str = include_str!("../../../calibration/so101-sim.json");

/// The published limits of the arm.
pub(crate) const SO101: [JointSpan<'static>; 6] = [
    span("shoulder_pan", -1.91986, 1.91986),
    span("shoulder_lift", -1.74533, 1.74533),
    span("elbow_flex", -1.69, 1.69),
    span("wrist_flex", -1.65806, 1.65806),
    span("wrist_roll", -2.74385, 2.84121),
    span("gripper", -0.174533, 1.74533),
];

const fn span(name: &'static str, lower: f64, upper: f64) -> JointSpan<'static> {
    JointSpan {
        name,
        lower: Rad(lower),
        upper: Rad(upper),
    }
}

fn sim() -> Calibration {
    Calibration::parse(SIM, "so101-sim.json", &SO101).unwrap()
}

fn refused(from: &str, to: &str) -> String {
    assert!(SIM.contains(from), "{from}");
    Calibration::parse(&SIM.replacen(from, to, 1), "arm.json", &SO101)
        .unwrap_err()
        .to_string()
}

#[test]
fn the_simulated_arm_is_at_2047_in_the_middle_of_its_limits() {
    for (joint, span) in sim().joints().iter().zip(SO101) {
        let middle = if joint.name() == "wrist_roll" {
            0.0
        } else {
            (span.lower.0 + span.upper.0) / 2.0
        };
        assert_eq!(joint.angle(Counts(2047)), Rad(middle), "{}", joint.name());
    }
}

#[test]
fn every_urdf_limit_of_the_simulated_arm_is_a_goal() {
    for (joint, span) in sim().joints().iter().zip(SO101) {
        assert!(joint.goal(span.lower).is_ok(), "{}", joint.name());
        assert!(joint.goal(span.upper).is_ok(), "{}", joint.name());
    }
}

#[test]
fn the_simulated_arms_encoders_stay_within_a_turn_between_hard_stops() {
    // present = actual − homing offset
    for joint in sim().joints().iter().filter(|j| j.name() != "wrist_roll") {
        let (min, max) = joint.range();
        assert!(min.0 + joint.homing_offset() >= 0, "{}", joint.name());
        assert!(max.0 + joint.homing_offset() <= 4095, "{}", joint.name());
    }
}

#[test]
fn the_order_in_the_file_does_not_matter() {
    let mut lines: Vec<&str> = SIM.lines().collect();
    lines.swap(1, 2);
    assert_eq!(
        Calibration::parse(&lines.join("\n"), "x", &SO101).unwrap(),
        sim()
    );
}

#[test]
fn an_unknown_key_is_named() {
    let line = refused("\"drive_mode\"", "\"drive_mod\"");
    assert!(
        line.contains("drive_mod") && line.contains("arm.json"),
        "{line}"
    );
}

#[test]
fn a_joint_too_many_too_few_or_twice_is_named() {
    assert!(refused("wrist_flex", "wrist_flux").contains("no joint wrist_flux"));
    let without = SIM.lines().filter(|l| !l.contains("wrist_flex"));
    let without: String = without.collect();
    let line = Calibration::parse(&without, "arm.json", &SO101).unwrap_err();
    assert!(line.to_string().contains("joint wrist_flex is missing"));
    assert!(refused("wrist_flex", "wrist_roll").contains("wrist_roll comes twice"));
}

#[test]
fn numbers_outside_their_range_are_named_with_the_range() {
    let line = refused("\"homing_offset\": 83", "\"homing_offset\": 2048");
    assert!(line.contains("shoulder_pan.homing_offset is 2048, it must be -2047 to 2047"));
    assert!(refused("\"id\": 1", "\"id\": 254").contains("id is 254"));
    assert!(refused("\"drive_mode\": 0", "\"drive_mode\": 2").contains("drive_mode is 2"));
    assert!(refused("\"range_max\": 4095", "\"range_max\": 4096").contains("4096"));
    assert!(refused("\"range_min\": 795", "\"range_min\": 3299").contains("not below"));
    assert!(refused("\"id\": 2", "\"id\": 1").contains("id 1"));
}

#[test]
fn a_range_that_is_not_the_urdfs_is_refused_with_both() {
    let line = refused("\"range_max\": 3299", "\"range_max\": 2899");
    assert!(line.contains("3.227 rad (795…2899)"), "{line}");
    assert!(line.contains("3.840 rad apart"), "{line}");
}

#[test]
fn a_missing_file_is_named() {
    let line = Calibration::load(Path::new("/none/arm.json"), &SO101).unwrap_err();
    assert!(line.to_string().contains("/none/arm.json"));
}

#[test]
fn nothing_that_is_not_an_angle_in_range_becomes_a_goal() {
    for joint in sim().joints() {
        let (lower, upper) = joint.span();
        for angle in [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e300,
            lower.0 - 0.1,
            upper.0 + 0.1,
        ] {
            assert!(joint.goal(Rad(angle)).is_err(), "{} {angle}", joint.name());
        }
    }
}

#[test]
fn a_joint_resting_a_little_outside_gets_the_end_of_its_range() {
    for joint in sim().joints() {
        let (min, max) = joint.range();
        let (lower, upper) = joint.span();
        let below = joint.goal(Rad(lower.0 - 0.05)).unwrap();
        let above = joint.goal(Rad(upper.0 + 0.05)).unwrap();
        assert_eq!(i32::from(below.counts()), min.0);
        assert_eq!(i32::from(above.counts()), max.0);
    }
}

fn reversed() -> Calibration {
    let text = SIM.replace("\"drive_mode\": 0", "\"drive_mode\": 1");
    Calibration::parse(&text, "x", &SO101).unwrap()
}

proptest! {
    #[test]
    fn every_count_of_the_range_survives_the_way_to_radians(
        joint in 0usize..6, at in 0.0..=1.0f64, backwards: bool,
    ) {
        let calibration = if backwards { reversed() } else { sim() };
        let joint = &calibration.joints()[joint];
        let (min, max) = joint.range();
        let count = min.0 + (at * f64::from(max.0 - min.0)) as i32;
        let goal = joint.goal(joint.angle(Counts(count))).unwrap();
        prop_assert_eq!(i32::from(goal.counts()), count);
    }

    #[test]
    fn angles_rise_with_counts_unless_reversed(joint in 0usize..6, count in 1i32..4095) {
        let step = |c: &Calibration| {
            let joint = &c.joints()[joint];
            joint.angle(Counts(count + 1)).0 - joint.angle(Counts(count)).0
        };
        prop_assert!(step(&sim()) > 0.0);
        prop_assert!(step(&reversed()) < 0.0);
    }
}
