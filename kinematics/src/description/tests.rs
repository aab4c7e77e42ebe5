#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

const WILD: &str = include_str!("../../tests/wild.urdf");

fn refused(text: &str) -> String {
    let error = Description::read("arm.urdf", text, "base", "tip").unwrap_err();
    let line = error.to_string();
    assert!(line.starts_with("arm.urdf: "), "{line}");
    assert!(!line.contains('\n'), "{line}");
    line
}

fn changed(old: &str, new: &str) -> String {
    assert!(WILD.contains(old), "{old} is not in the file");
    WILD.replacen(old, new, 1)
}

#[test]
fn every_kind_of_joint_is_read_with_its_limits() {
    let wild = Description::read("wild.urdf", WILD, "base", "tip").unwrap();
    let names: Vec<&str> = wild.names().collect();
    let wanted = [
        "turn1", "turn2", "spin3", "slide4", "turn5", "turn6", "turn7",
    ];
    assert_eq!(names, wanted);
    assert!(wild.model::<6>().is_none());
    let model = wild.model::<7>().unwrap();
    assert_eq!(model.limits.lower[2], f64::NEG_INFINITY);
    assert_eq!(model.limits.upper[2], f64::INFINITY);
    assert_eq!((model.limits.lower[3], model.limits.upper[3]), (-0.1, 0.25));
    assert_eq!(model.limits.velocity[3], 0.5);
    let kinds = model.chain.motions();
    assert_eq!(kinds[3], Motion::Sliding);
    assert!(
        kinds
            .iter()
            .filter(|kind| **kind == Motion::Turning)
            .count()
            == 6
    );
}

#[test]
fn a_part_of_the_chain_is_a_chain() {
    let part = Description::read("wild.urdf", WILD, "l2", "l4").unwrap();
    assert_eq!(part.names().collect::<Vec<_>>(), ["spin3", "slide4"]);
}

#[test]
fn what_is_wrong_is_told_in_a_line_with_joint_or_link_and_remedy() {
    let nine = (8..=9).fold(WILD.replace("<child link=\"tip\"/>", "<child link=\"l8\"/>"), |text, n| {
        let next = if n == 9 { "tip".into() } else { format!("l{}", n + 1) };
        let link = if n == 9 { String::new() } else { format!("<link name=\"{next}\"/>") };
        text.replace(
            "</robot>",
            &format!(
                "<link name=\"l{n}\"/>{link}<joint name=\"turn{n}\" type=\"revolute\"><parent link=\"l{n}\"/>\
                 <child link=\"{next}\"/><origin xyz=\"0 0 0.1\" rpy=\"0 0 0\"/><axis xyz=\"0 1 0\"/>\
                 <limit lower=\"-1\" upper=\"1\" velocity=\"1\" effort=\"1\"/></joint></robot>"
            ),
        )
    }).replacen("<link name=\"l9\"/>", "", 1);
    let cases = [
        ("no robot at all".to_owned(), &["is not a URDF"][..]),
        (nine, &["9 joints", "1 to 8"]),
        (
            changed(
                "lower=\"-2.5\" upper=\"2.5\"",
                "lower=\"2.5\" upper=\"-2.5\"",
            ),
            &["`turn5`", "2.5 to -2.5", "lower < upper"],
        ),
        (
            changed(
                "lower=\"-2.5\" upper=\"2.5\"",
                "lower=\"NaN\" upper=\"2.5\"",
            ),
            &["`turn5`", "NaN"],
        ),
        (
            changed("velocity=\"0.5\"", "velocity=\"0\""),
            &["`slide4`", "speed limit"],
        ),
        (
            changed("<axis xyz=\"0 1 0\"/>", "<axis xyz=\"0 0 0\"/>"),
            &["`turn5`", "axis"],
        ),
        (
            changed("xyz=\"0 0.2 0\"", "xyz=\"0 inf 0\""),
            &["`turn5`", "not finite"],
        ),
        (
            changed("<parent link=\"l5\"/>", "<parent link=\"elsewhere\"/>"),
            &["`turn6`", "`elsewhere`"],
        ),
        (
            changed("type=\"prismatic\"", "type=\"floating\""),
            &["`slide4`", "type"],
        ),
        (
            changed("<joint name=\"turn6\"", "<joint name=\"turn5\""),
            &["`turn5`", "twice"],
        ),
        (
            changed(
                "<axis xyz=\"-1 0 0\"/>",
                "<axis xyz=\"-1 0 0\"/><mimic joint=\"gone\"/>",
            ),
            &["`turn6`", "`gone`"],
        ),
        (
            changed(
                "<axis xyz=\"-1 0 0\"/>",
                "<axis xyz=\"-1 0 0\"/><mimic joint=\"turn6\"/>",
            ),
            &["`turn6`", "mimics itself"],
        ),
        (
            changed(
                "<axis xyz=\"-1 0 0\"/>",
                "<axis xyz=\"-1 0 0\"/><mimic joint=\"turn5\" multiplier=\"1\" offset=\"9\"/>",
            ),
            &["`turn6`", "`turn5`", "no range"],
        ),
        (
            changed("<child link=\"l6\"/>", "<child link=\"l3\"/>"),
            &["`l3`", "two joints"],
        ),
        (
            changed("<child link=\"l1\"/>", "<child link=\"base\"/>"),
            &[],
        ),
    ];
    for (text, wanted) in cases {
        let line = refused(&text);
        for word in wanted {
            assert!(line.contains(word), "`{word}` is not in: {line}");
        }
    }
    let line = Description::read("arm.urdf", WILD, "base", "tool").unwrap_err();
    assert!(line.to_string().contains("links are: base, l1"), "{line}");
    let line = Description::read("arm.urdf", WILD, "l3", "l1").unwrap_err();
    assert!(line.to_string().contains("does not hang"), "{line}");
}

#[test]
fn a_joint_that_mimics_narrows_the_one_it_follows() {
    let text = changed(
        "<axis xyz=\"-1 0 0\"/>",
        "<axis xyz=\"-1 0 0\"/><mimic joint=\"turn5\" multiplier=\"-2\" offset=\"0.5\"/>",
    );
    let description = Description::read("arm.urdf", &text, "base", "tip").unwrap();
    assert_eq!(description.len(), 6);
    let model = description.model::<6>().unwrap();
    // -2 q + 0.5 stays within -2.0 to 1.5.
    assert_eq!((model.limits.lower[4], model.limits.upper[4]), (-0.5, 1.25));
    let free = Description::read("wild.urdf", WILD, "base", "tip").unwrap();
    let free = free.model::<7>().unwrap().chain;
    let q = [0.1, 0.2, 0.3, 0.05, 0.4, -0.6];
    let all = [0.1, 0.2, 0.3, 0.05, 0.4, 0.5 - 2.0 * 0.4, -0.6];
    let way = model.chain.pose(&q).way_to(&free.pose(&all));
    assert!(way.amax() < 1e-12, "{way}");
}

proptest! {
    #[test]
    fn a_damaged_file_never_panics(
        at in 0..WILD.len(),
        len in 0usize..40,
        put in prop::sample::select(vec!["", "NaN", "-1e999", "\"", "<", "0", "base", "l3", "turn5", "fixed"]),
    ) {
        let end = (at + len).min(WILD.len());
        let text = format!("{}{put}{}", &WILD[..at], &WILD[end..]);
        if let Ok(description) = Description::read("arm.urdf", &text, "base", "tip") {
            prop_assert!((1..=MAX_JOINTS).contains(&description.len()));
        }
    }

    #[test]
    fn words_in_the_wrong_place_never_panic(from in 0usize..200, to in 0usize..200) {
        let words: Vec<&str> = WILD.split('"').collect();
        let mut swapped = words.clone();
        swapped.swap(from % words.len(), to % words.len());
        let _ = Description::read("arm.urdf", &swapped.join("\""), "base", "tip");
    }

    #[test]
    fn a_number_that_is_none_is_told_with_the_joint_that_has_it(
        joint in prop::sample::select(&["turn1", "turn2", "slide4", "turn5", "turn6", "turn7"]),
        field in prop::sample::select(&["lower=\"", "upper=\"", "velocity=\"", "<origin xyz=\"", "rpy=\"", "<axis xyz=\""]),
        number in prop::sample::select(&["NaN", "inf", "-inf", "1e999"]),
    ) {
        // Of the joint's own element, the first number of the field.
        let at = WILD.find(&format!("<joint name=\"{joint}\"")).unwrap();
        let at = at + WILD[at..].find(field).unwrap() + field.len();
        let end = at + WILD[at..].find([' ', '"']).unwrap();
        let text = format!("{}{number}{}", &WILD[..at], &WILD[end..]);
        let line = refused(&text);
        prop_assert!(line.contains(&format!("`{joint}`")), "{line}");
    }

    #[test]
    fn limits_upside_down_are_told_with_their_joint(
        joint in prop::sample::select(&["turn1", "turn2", "slide4", "turn5", "turn6", "turn7"]),
        lower in -3.0..3.0f64,
        less in 0.0..3.0f64,
    ) {
        let at = WILD.find(&format!("<joint name=\"{joint}\"")).unwrap();
        let from = at + WILD[at..].find("lower=").unwrap();
        let to = from + WILD[from..].find("velocity=").unwrap();
        let limits = format!("lower=\"{lower}\" upper=\"{}\" ", lower - less);
        let line = refused(&format!("{}{limits}{}", &WILD[..from], &WILD[to..]));
        prop_assert!(line.contains(&format!("`{joint}`")) && line.contains("lower < upper"), "{line}");
    }
}
