use super::*;
use crate::messages::Waypoints;
use crate::units::{JointVec, Rad};

const STEP_NS: u32 = 20_000_000;

fn ms(ms: u64) -> MonoTime {
    MonoTime(ms * 1_000_000)
}

/// A chunk of `steps` that come 20 ms apart from `captured` on, each at what `place` says.
fn chunk(id: u64, captured: MonoTime, steps: usize, place: impl Fn(MonoTime) -> f64) -> Plan {
    let start = MonoTime(captured.0 + u64::from(STEP_NS));
    let due = |index: usize| MonoTime(start.0 + index as u64 * u64::from(STEP_NS));
    let points = (0..steps).map(|index| JointVec::repeat(Rad(place(due(index))), 2));
    Plan {
        id,
        captured_at: captured,
        start,
        step_ns: STEP_NS,
        waypoints: Waypoints::Joint(points.collect()),
    }
}

fn chunks(joining: Joining, horizon: u16) -> Chunks {
    Chunks::new(Rules {
        joining,
        horizon,
        ensemble_m: 0.01,
    })
}

/// Where `plan` has its waypoints, with their times in milliseconds.
fn places(plan: &Plan) -> Vec<(u64, f64)> {
    let Waypoints::Joint(points) = &plan.waypoints else {
        panic!("joints");
    };
    let values = points.iter().map(|point| point.get(0).unwrap().0);
    let times = (0..points.len()).map(|index| plan.due(index).0 / 1_000_000);
    times.zip(values).collect()
}

fn at(plan: &Plan, ms: u64) -> f64 {
    let all = places(plan);
    let found = all.iter().find(|(time, _)| *time == ms);
    found
        .unwrap_or_else(|| panic!("no waypoint at {ms}: {all:?}"))
        .1
}

#[test]
fn steps_consumed_while_the_policy_thought_are_dropped() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    let joined = chunks.join(chunk(1, ms(0), 50, |_| 0.3), ms(150)).unwrap();
    // Due at 20, 40 … 140 ms: seven; 160 is the one the arm is on its way to.
    assert_eq!(joined.consumed, 7);
    assert_eq!(places(&joined.plan)[..2], [(120, 0.3), (140, 0.3)]);
    assert_eq!(joined.plan.end(), ms(1000));
    assert_eq!(joined.plan.captured_at, ms(0));
    assert_eq!(joined.disagreement, None);
}

#[test]
fn a_chunk_that_comes_after_its_last_step_gives_no_plan() {
    for joining in [Joining::Append, Joining::CrossFade, Joining::Ensemble] {
        let mut chunks = chunks(joining, 10);
        chunks.join(chunk(1, ms(0), 50, |_| 0.0), ms(10)).unwrap();
        assert_eq!(chunks.join(chunk(2, ms(100), 10, |_| 1.0), ms(300)), None);
    }
}

#[test]
fn a_chunk_that_agrees_changes_nothing_in_any_way_of_joining() {
    let place = |time: MonoTime| (time.0 as f64 * 2e-9).sin();
    for joining in [Joining::Append, Joining::CrossFade, Joining::Ensemble] {
        let mut chunks = chunks(joining, 10);
        chunks.join(chunk(1, ms(0), 50, place), ms(30)).unwrap();
        // Not on the first one's grid.
        let joined = chunks.join(chunk(2, ms(207), 50, place), ms(260)).unwrap();
        for (time, value) in places(&joined.plan) {
            let off = (value - place(ms(time))).abs();
            assert!(off < 2e-4, "{joining:?}: {off} at {time} ms");
        }
        assert!(joined.disagreement.unwrap().angle < 2e-4);
    }
}

#[test]
fn an_appended_chunk_goes_on_where_the_one_before_ends() {
    let mut chunks = chunks(Joining::Append, 10);
    chunks.join(chunk(1, ms(0), 20, |_| 0.0), ms(10)).unwrap();
    let joined = chunks
        .join(chunk(2, ms(200), 20, |_| 1.0), ms(250))
        .unwrap();
    assert_eq!(at(&joined.plan, 400), 0.0);
    assert_eq!(at(&joined.plan, 420), 1.0);
    assert_eq!(joined.disagreement.unwrap().angle, 1.0);
}

#[test]
fn a_cross_fade_finishes_the_step_under_way_and_is_over_at_the_horizon() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    chunks.join(chunk(1, ms(0), 50, |_| 0.0), ms(10)).unwrap();
    // Steps due at 220, 240, 260 …; at 250 ms two are consumed and the third is under way.
    let joined = chunks
        .join(chunk(2, ms(200), 50, |_| 1.0), ms(250))
        .unwrap();
    assert_eq!((at(&joined.plan, 240), at(&joined.plan, 260)), (0.0, 0.0));
    // The tenth step, due at 420 ms, is the new chunk's own.
    for (step, time) in (1..=7u32).zip((280..).step_by(20)) {
        let expected = f64::from(step) / 8.0;
        assert!((at(&joined.plan, time) - expected).abs() < 1e-12, "{time}");
    }
    assert_eq!(at(&joined.plan, 420), 1.0);
}

#[test]
fn a_cross_fade_that_begins_late_still_takes_half_the_horizon() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    chunks.join(chunk(1, ms(0), 100, |_| 0.0), ms(10)).unwrap();
    // Twelve steps are consumed, the horizon is past.
    let joined = chunks
        .join(chunk(2, ms(200), 50, |_| 1.0), ms(450))
        .unwrap();
    assert_eq!(at(&joined.plan, 460), 0.0);
    assert!((at(&joined.plan, 480) - 1.0 / 6.0).abs() < 1e-12);
    assert_eq!(at(&joined.plan, 580), 1.0);
}

#[test]
fn a_cross_fade_is_over_when_the_chunk_before_is() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    chunks.join(chunk(1, ms(0), 15, |_| 0.0), ms(10)).unwrap();
    let joined = chunks
        .join(chunk(2, ms(200), 50, |_| 1.0), ms(230))
        .unwrap();
    assert!(
        (at(&joined.plan, 300) - 0.75).abs() < 1e-12,
        "the last of it"
    );
    assert_eq!(at(&joined.plan, 320), 1.0);
}

#[test]
fn an_ensemble_is_the_mean_of_all_that_speak_of_a_step() {
    let mut chunks = chunks(Joining::Ensemble, 10);
    for (id, captured) in (1..).zip([0, 100, 200]) {
        let place = |_| id as f64;
        chunks
            .join(chunk(id, ms(captured), 20, place), ms(captured + 10))
            .unwrap();
    }
    let plan = chunks
        .join(chunk(4, ms(300), 20, |_| 4.0), ms(310))
        .unwrap()
        .plan;
    let mean = |first: u32| {
        let voices = (first..=4).zip((0..).map(|i| (-0.01 * f64::from(i)).exp()));
        let (sum, whole) = voices.fold((0.0, 0.0), |(sum, whole), (voice, say)| {
            (sum + f64::from(voice) * say, whole + say)
        });
        sum / whole
    };
    assert!((at(&plan, 400) - mean(1)).abs() < 1e-9, "all four");
    assert!((at(&plan, 420) - mean(2)).abs() < 1e-9, "the first is over");
    assert_eq!(at(&plan, 700), 4.0);
}

#[test]
fn a_refused_plan_has_no_say_in_the_next() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    chunks.join(chunk(1, ms(0), 50, |_| 0.0), ms(10)).unwrap();
    chunks
        .join(chunk(2, ms(100), 50, |_| 9.0), ms(110))
        .unwrap();
    chunks.refused(2);
    let joined = chunks
        .join(chunk(3, ms(200), 50, |_| 0.0), ms(210))
        .unwrap();
    assert!(places(&joined.plan).iter().all(|(_, value)| *value == 0.0));
    assert_eq!(joined.disagreement.unwrap().angle, 0.0);
}

#[test]
fn the_age_of_a_step_is_that_of_the_pictures_behind_it() {
    let mut chunks = chunks(Joining::Append, 10);
    chunks.join(chunk(1, ms(0), 20, |_| 0.0), ms(10)).unwrap();
    chunks
        .join(chunk(2, ms(200), 20, |_| 0.0), ms(250))
        .unwrap();
    assert_eq!(chunks.seen_at(ms(390)), Some(ms(0)));
    assert_eq!(chunks.seen_at(ms(430)), Some(ms(200)));
    let mut faded = super::tests::chunks(Joining::CrossFade, 10);
    faded.join(chunk(1, ms(0), 50, |_| 0.0), ms(10)).unwrap();
    faded.join(chunk(2, ms(200), 50, |_| 0.0), ms(210)).unwrap();
    let between = faded.seen_at(ms(300)).unwrap();
    assert!(ms(0) < between && between < ms(200), "{between:?}");
}

#[test]
fn the_left_over_is_what_the_plan_still_says_at_the_steps_of_the_next_chunk() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    assert_eq!(chunks.left_over(ms(200), STEP_NS, 5, ms(200)), None);
    let place = |time: MonoTime| time.0 as f64 * 1e-9;
    chunks.join(chunk(1, ms(0), 15, place), ms(10)).unwrap();
    let left = chunks.left_over(ms(210), STEP_NS, 20, ms(200)).unwrap();
    let places = places(&left);
    assert_eq!(places.len(), 5, "it ends at 300 ms: {places:?}");
    assert!((places[0].1 - 0.21).abs() < 1e-9);
}

#[test]
fn a_chunk_of_the_future_waits_on_the_plan_before() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    chunks.join(chunk(1, ms(0), 50, |_| 0.0), ms(10)).unwrap();
    let mut later = chunk(2, ms(100), 50, |_| 1.0);
    later.start = ms(200);
    let plan = chunks.join(later, ms(110)).unwrap().plan;
    assert_eq!(places(&plan)[0], (80, 0.0));
    assert_eq!(at(&plan, 180), 0.0);
    assert_eq!(at(&plan, 500), 1.0);
}

#[test]
fn a_plan_never_has_more_waypoints_than_fit() {
    let mut chunks = chunks(Joining::Append, 10);
    chunks
        .join(chunk(1, ms(0), MAX_WAYPOINTS, |_| 0.0), ms(1))
        .unwrap();
    let mut later = chunk(2, ms(100), MAX_WAYPOINTS, |_| 1.0);
    later.start = ms(500);
    let plan = chunks.join(later, ms(110)).unwrap().plan;
    assert_eq!(plan.waypoints.len(), MAX_WAYPOINTS);
}

#[test]
fn a_graph_is_told_of_the_steps_that_a_join_will_leave_as_they_are() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    chunks.join(chunk(1, ms(0), 50, |_| 0.0), ms(10)).unwrap();
    let second = chunk(2, ms(200), 50, |_| 1.0);
    let latency = Duration::from_millis(35);
    let (delay, horizon) = chunks.span(second.start, STEP_NS, ms(215), latency);
    let plan = chunks.join(second, ms(250)).unwrap().plan;
    let due = |step: u32| 220 + 20 * u64::from(step);
    assert_eq!(at(&plan, due(delay - 1)), 0.0, "the last that is kept");
    assert!(at(&plan, due(delay)) > 0.0);
    assert!(at(&plan, due(horizon - 1)) < 1.0);
    assert_eq!(at(&plan, due(horizon)), 1.0, "the first that is free");
}

#[test]
fn what_was_executed_before_the_newest_plan_began_is_left_over_too() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    let place = |time: MonoTime| time.0 as f64 * 1e-9;
    chunks.join(chunk(1, ms(0), 50, place), ms(10)).unwrap();
    chunks.join(chunk(2, ms(200), 50, place), ms(400)).unwrap();
    // Pictures that are older than the newest plan.
    let left = chunks.left_over(ms(300), STEP_NS, 128, ms(420)).unwrap();
    let left = places(&left);
    assert!((left[0].1 - 0.3).abs() < 1e-9, "{left:?}");
    assert_eq!(left.last().unwrap().0, 1200);
}

#[test]
fn a_plan_that_is_slowed_goes_on_from_where_it_is_in_more_time() {
    let mut chunks = chunks(Joining::CrossFade, 10);
    let place = |time: MonoTime| time.0 as f64 * 1e-9;
    let plan = chunks
        .join(chunk(1, ms(0), 50, place), ms(110))
        .unwrap()
        .plan;
    let end = plan.end();
    let slowed = chunks.slow(plan, ms(110), 2.0);
    assert_eq!(slowed.end(), MonoTime(ms(110).0 + 2 * (end.0 - ms(110).0)));
    // At 310 ms it is where the policy would have been at 210, and leads on from there.
    let left = chunks.left_over(ms(310), STEP_NS, 3, ms(310)).unwrap();
    for (step, (_, value)) in places(&left).into_iter().enumerate() {
        let expected = 0.21 + 0.02 * step as f64;
        assert!((value - expected).abs() < 1e-6, "{left:?}");
    }
}

#[test]
fn slowing_down_again_and_again_does_not_add_up() {
    // The policy goes on from where the arm is, at one unit a second.
    let mut chunks = chunks(Joining::CrossFade, 10);
    let (mut is, mut now) = (0.0, 0);
    for id in 1..40 {
        let captured = ms(now);
        let place = |time: MonoTime| is + time.secs_from(captured);
        let plan = chunks
            .join(chunk(id, captured, 40, place), ms(now + 30))
            .unwrap()
            .plan;
        let plan = chunks.slow(plan, ms(now + 30), 2.0);
        now += 100;
        let track = Track::of(&plan).unwrap();
        is = track.at(ms(now)).unwrap().as_slice()[0];
    }
    let speed = is / (now as f64 * 1e-3);
    assert!((0.45..0.75).contains(&speed), "{speed}");
}
