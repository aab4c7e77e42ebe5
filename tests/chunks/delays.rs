//! Inference that is held up: what is sent stays inside the limits, and nothing is replayed.

use std::time::Duration;

use surehand::cell::Joining;
use surehand::messages::{Cause, Mode, Refusal};

use crate::rig::{
    ACCELERATION, JERK, Run, STEP_NS, Script, VELOCITY, largest, nominal, rates, run,
};

pub const ALL: [Joining; 3] = [Joining::Append, Joining::CrossFade, Joining::Ensemble];

/// How long the inference of a chunk takes.
pub type Delay = fn(u64) -> Duration;

/// How long inferences take, by name.
pub const DELAYS: [(&str, Delay); 4] = [
    ("0", |_| Duration::ZERO),
    ("1 step", |_| Duration::from_nanos(STEP_NS as u64)),
    ("3 steps", |_| Duration::from_nanos(3 * STEP_NS as u64)),
    ("0 to 3 steps", jitter),
];

/// From nothing to three steps, differently each time and the same in each run.
fn jitter(id: u64) -> Duration {
    let share = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11;
    let share = share as f64 / (1u64 << 53) as f64;
    Duration::from_nanos((share * 3.0 * f64::from(STEP_NS)) as u64)
}

/// The tenth inference takes 2.5 s.
fn stall(id: u64) -> Duration {
    Duration::from_millis(if id == 10 { 2500 } else { 20 })
}

fn assert_inside_limits(run: &Run, what: &str) {
    let [speed, acceleration, jerk] = rates(&run.ticks).map(|it| largest(&it));
    let rounded = 1.0 + 1e-4;
    assert!(speed <= VELOCITY * rounded, "{what}: {speed} rad/s");
    assert!(
        acceleration <= ACCELERATION * rounded,
        "{what}: {acceleration} rad/s²"
    );
    assert!(jerk <= JERK * rounded, "{what}: {jerk} rad/s³");
}

/// No step is sent again that was due when the plan was made, but the one under way and the one
/// before it, which give the curve its slope; and the core follows nothing beyond its end.
fn assert_nothing_is_replayed(run: &Run, what: &str) {
    for (sent, plan) in &run.sent {
        let past = (0..plan.waypoints.len()).filter(|index| plan.due(*index) <= *sent);
        assert!(past.count() <= 2, "{what}: plan {} replays", plan.id);
        assert!(plan.end() > *sent, "{what}: plan {} is over", plan.id);
    }
    for tick in &run.ticks {
        let driven = tick.mode == Mode::Running && tick.plan > 0;
        assert!(!driven || tick.at <= tick.plan_end, "{what}: {tick:?}");
    }
    for pair in run.ticks.windows(2) {
        assert!(
            pair[1].plan >= pair[0].plan || pair[1].plan == 0,
            "{what}: back to plan {}",
            pair[1].plan
        );
    }
}

#[test]
fn late_and_jittering_chunks_that_disagree_make_no_seam_beyond_the_limits() {
    for joining in ALL {
        for (name, delay) in DELAYS {
            for (disagree, crossfade) in [(0.0, 100), (0.1, 100), (0.1, 0), (0.4, 20)] {
                let script = Script {
                    delay,
                    disagree,
                    crossfade: Duration::from_millis(crossfade),
                    ..Script::of(joining)
                };
                let what =
                    format!("{joining:?}, delay {name}, {disagree} rad apart, {crossfade} ms");
                let run = run(&script);
                assert_inside_limits(&run, &what);
                assert_nothing_is_replayed(&run, &what);
                let last = run.ticks.last().unwrap();
                assert_eq!((last.mode, last.cause), (Mode::Running, None), "{what}");
                assert_eq!(run.late, 0, "{what}");
                // It goes where it is led: between what the chunks say, but for what the limiter
                // overshoots after a jump.
                for tick in run.ticks.iter().skip(400) {
                    let off = (tick.command - nominal(tick.at)).abs();
                    assert!(off < disagree + 0.05, "{what}: {off} rad off");
                }
            }
        }
    }
}

#[test]
fn a_stall_beyond_the_end_of_the_plan_stops_the_arm_and_its_chunk_is_never_followed() {
    for joining in ALL {
        let script = Script {
            delay: stall,
            steps: 40,
            secs: 25.0,
            ..Script::of(joining)
        };
        let what = format!("{joining:?}");
        let run = run(&script);
        assert_inside_limits(&run, &what);
        assert_nothing_is_replayed(&run, &what);
        let (stopped, before) = {
            let index = run.ticks.iter().rposition(|it| it.mode == Mode::Running);
            let index = index.unwrap();
            (run.ticks[index + 1], run.ticks[index])
        };
        assert_eq!(stopped.cause, Some(Cause::PlanRanOut), "{what}");
        // It stops in the tick in which the plan is over, not before.
        assert!(
            before.at <= before.plan_end && stopped.at > before.plan_end,
            "{what}"
        );
        assert!(before.plan_end.0 - before.at.0 <= 5_000_000, "{what}");
        let last = run.ticks.last().unwrap();
        assert_eq!(last.mode, Mode::Stopped, "{what}: latched");
        let rest: Vec<f64> = run
            .ticks
            .iter()
            .rev()
            .take(100)
            .map(|it| it.command)
            .collect();
        assert!(
            rest.iter().all(|command| *command == rest[0]),
            "{what}: stands"
        );
        assert_eq!(run.asked, 10, "{what}: and is asked nothing more");
    }
}

#[test]
fn a_stall_shorter_than_the_plan_is_bridged_and_its_own_chunk_refused_for_its_age() {
    for joining in [Joining::CrossFade, Joining::Ensemble] {
        let script = Script {
            delay: stall,
            steps: 110,
            ..Script::of(joining)
        };
        let what = format!("{joining:?}");
        let run = run(&script);
        assert_inside_limits(&run, &what);
        assert_nothing_is_replayed(&run, &what);
        let refused: Vec<_> = run.ticks.iter().filter_map(|it| it.refused).collect();
        assert!(
            matches!(refused.as_slice(), [(10, Refusal::Stale { age_ms })] if *age_ms > 2500),
            "{what}: {refused:?}"
        );
        assert_eq!(run.ticks.last().unwrap().mode, Mode::Running, "{what}");
        assert!(
            run.asked > 40,
            "{what}: asked at its rate again: {}",
            run.asked
        );
    }
}

#[test]
fn the_same_delays_give_the_same_commands() {
    let script = Script {
        delay: jitter,
        ..Script::of(Joining::CrossFade)
    };
    let commands = || -> Vec<u64> {
        let ticks = run(&script).ticks;
        ticks.iter().map(|tick| tick.command.to_bits()).collect()
    };
    assert_eq!(commands(), commands());
}
