//! A short campaign, and what makes a violation worth anything: that its seed gives it again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use surehand_campaign::campaign::{run, scenario_seed};
use surehand_campaign::scenario;

#[test]
fn no_rule_is_broken_in_two_simulated_hours_of_faults() {
    let tally = run(2026, 2.0, 2).unwrap_or_else(|violation| {
        panic!(
            "{violation}\nreplay: surehand-campaign --replay {}",
            violation.seed
        )
    });
    assert!(tally.hours() >= 2.0);
    let running = tally.shares().find(|(mode, _)| mode.word() == "running");
    assert!(running.unwrap().1 > 0.4, "{running:?}: it hardly moved");
    assert!(tally.causes.len() > 12, "{:?}", tally.causes);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    assert_eq!(run(7, 0.1, 1).unwrap(), run(7, 0.1, 2).unwrap());
}

#[test]
fn a_seed_gives_the_same_ticks_again() {
    for index in 0..4 {
        let seed = scenario_seed(3, index);
        let watched = |ticks: &mut Vec<String>| {
            scenario::run(seed, &mut |seen| ticks.push(format!("{seen:?}"))).unwrap()
        };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        assert_eq!(watched(&mut first), watched(&mut second));
        assert_eq!(first.len(), second.len());
        assert!(first.iter().zip(&second).all(|(a, b)| a == b));
    }
}

#[test]
fn another_seed_is_another_scenario() {
    let digest = |index| {
        let tally = scenario::run(scenario_seed(3, index), &mut |_| {}).unwrap();
        tally.digest
    };
    assert_ne!(digest(0), digest(1));
}

/// Each was a violation once.
#[test]
fn what_was_mended_stays_so() {
    let seeds = [
        // A stop led an arm out of a margin and in again.
        12_561_248_806_008_424_774,
        6_474_785_186_137_246_632,
        // While the push was taken off a blocked joint, another moved that was told to stand.
        7_134_872_874_329_788_157,
        3_491_620_560_151_237_225,
        // The observer forbade a reset for a jump that the core had come to believe before all
        // joints of a new guard were read.
        18_230_886_431_743_410,
        // The observer gave a goal that was being sped up no time to take that back.
        12_391_805_224_566_539_790,
        // The runner died in the very tick in which a standing arm was put away for heat.
        4_751_438_427_955_360_814,
        // Torque came and a plan was followed in the same tick: the observer forbade its first step.
        6_753_763_584_968_089_691,
        // Torque went, came and a way was gone in one tick: the observer took that for a leap.
        14_039_480_892_405_890_205,
        // A new guard went a way in its first tick: the observer had it begin where the joint was.
        13_806_768_608_579_510_566,
        // Running, paused and enabled again in one tick: the observer took that for torque.
        6_063_235_710_599_355_383,
        // An encoder jumped before all joints of a new guard were read: the observer still wanted the
        // goal that its servo had held.
        11_690_736_965_337_779_832,
    ];
    for seed in seeds {
        if let Err(violation) = scenario::run(seed, &mut |_| {}) {
            panic!("{violation}");
        }
    }
}
