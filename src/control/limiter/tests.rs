//! The limiter against anything that may come.

use proptest::prelude::*;

use super::*;
use crate::control::testing::joints;
use crate::units::{RadPerSec2, RadPerSec3};

mod recorded;
mod space;

const PERIOD: f64 = 0.005;
const JERK: f64 = 600.0;
const TINY: f64 = 1e-9;

fn limits() -> JointLimits {
    JointLimits {
        lower: Rad(-1.0),
        upper: Rad(1.5),
        velocity: RadPerSec(3.0),
        acceleration: RadPerSec2(15.0),
        jerk: RadPerSec3(JERK),
    }
}

fn at(position: f64, velocity: f64) -> JointVec<Measured> {
    let measured = Measured {
        position: Rad(position),
        velocity: RadPerSec(velocity),
    };
    JointVec::repeat(measured, 1)
}

fn limiter_at(position: f64) -> Limiter {
    Limiter::new(&JointVec::repeat(limits(), 1), PERIOD, &joints([position]))
}

fn position(limiter: &Limiter) -> f64 {
    limiter.command().positions().get(0).unwrap().0
}

fn speed(limiter: &Limiter) -> f64 {
    limiter.velocities().get(0).unwrap().0
}

/// One tick of a joint that follows perfectly.
fn tick(limiter: &mut Limiter, target: f64) -> f64 {
    let measured = at(position(limiter), speed(limiter));
    limiter.follow(&joints([target]), &measured, &Around::OPEN);
    position(limiter)
}

fn any_target() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1.2..1.7f64,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(-1.0),
        1 => Just(1.5),
        1 => Just(1e9),
        1 => Just(-1e9),
    ]
}

/// Targets that are each held for some ticks, drifting.
fn any_targets() -> impl Strategy<Value = Vec<f64>> {
    let piece = (any_target(), -0.03..0.03f64, 1..60usize);
    prop::collection::vec(piece, 1..12).prop_map(|pieces| {
        let drifting = |(target, drift, ticks): (f64, f64, usize)| {
            (0..ticks).map(move |tick| target + drift * tick as f64)
        };
        pieces.into_iter().flat_map(drifting).collect()
    })
}

proptest! {
    #[test]
    fn no_limit_is_broken_on_any_tick(start in -1.0..1.5f64, targets in any_targets()) {
        let mut limiter = limiter_at(start);
        let (mut before, mut speed_before, mut step_before) = (start, 0.0, 0.0);
        for target in targets {
            let now = tick(&mut limiter, target);
            let speed = (now - before) / PERIOD;
            prop_assert!((-1.0 - TINY..=1.5 + TINY).contains(&now), "position {now}");
            prop_assert!(speed.abs() <= 3.0 + 1e-6, "speed {speed}");
            let step: f64 = speed - speed_before;
            prop_assert!(step.abs() <= 15.0 * PERIOD + 1e-6, "speed step {step}");
            let change: f64 = step - step_before;
            prop_assert!(change.abs() <= JERK * PERIOD * PERIOD + 1e-6, "jerk {change}");
            (before, speed_before, step_before) = (now, speed, step);
        }
    }

    #[test]
    fn no_goal_is_ever_beyond_the_stopping_distance(
        start in -1.0..1.5f64,
        ticks in prop::collection::vec((any_target(), -1.5..2.0f64, -5.0..5.0f64, any::<bool>()), 1..200),
    ) {
        let mut limiter = limiter_at(start);
        let lead = limits().stopping_distance().0;
        for (target, measured, velocity, brake) in ticks {
            let (before, speed_before) = (position(&limiter), speed(&limiter));
            let measured_now = at(measured, velocity);
            if brake {
                limiter.brake(&measured_now);
            } else {
                limiter.follow(&joints([target]), &measured_now, &Around::OPEN);
            }
            let (now, speed) = (position(&limiter), speed(&limiter));
            let ahead = (now - measured).abs();
            prop_assert!(ahead <= lead + TINY, "{ahead} ahead");
            prop_assert!(speed.abs() <= 3.0 + 1e-5);
            if ahead < lead - TINY {
                prop_assert!((now - before).abs() <= 3.0 * PERIOD + 1e-6);
                prop_assert!((speed - speed_before).abs() <= 15.0 * PERIOD + 1e-6);
            } else {
                // Cut at the edge: less speed than braking would leave, never the other way.
                let most = speed_before.abs() + 15.0 * PERIOD + TINY;
                prop_assert!(speed.abs() <= most, "speed {speed} after {speed_before}");
            }
        }
    }

    #[test]
    fn it_arrives_without_overshoot(start in -1.0..1.5f64, target in -1.0..1.5f64) {
        let mut limiter = limiter_at(start);
        let way = (target - start).abs();
        // As without a jerk limit, the time it takes to reach full acceleration four times at
        // most, and two ticks for rounding to whole ticks.
        let best = if way > 0.6 { way / 3.0 + 0.2 } else { 2.0 * (way / 15.0).sqrt() };
        let ticks = ((best + 4.0 * 15.0 / JERK) / PERIOD).ceil() as usize + 2;
        for _ in 0..ticks {
            let now = tick(&mut limiter, target);
            prop_assert!((now - start).abs() <= way + 1e-7);
        }
        prop_assert!((position(&limiter) - target).abs() < 1e-7);
        prop_assert!(speed(&limiter).abs() < 1e-6, "{}", speed(&limiter));
    }
}

#[test]
fn a_moving_target_is_followed_within_a_tenth_of_a_count() {
    let mut limiter = limiter_at(0.0);
    for index in 0..600 {
        let time = f64::from(index) * PERIOD;
        let target = 0.6 * (2.0 * time).sin();
        let now = tick(&mut limiter, target);
        if index > 100 {
            assert!(
                (now - target).abs() < 1e-4,
                "{} at tick {index}",
                now - target
            );
        }
    }
}

#[test]
fn a_target_that_is_no_number_brakes() {
    for nonsense in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut limiter = limiter_at(-0.9);
        (0..40).for_each(|_| {
            tick(&mut limiter, 1.5);
        });
        let speed_before = speed(&limiter);
        (0..20).for_each(|_| {
            tick(&mut limiter, nonsense);
        });
        assert!(speed_before - speed(&limiter) > 14.0 * 10.0 * PERIOD);
        assert!(limiter.clamped().get(0).unwrap() > 0);
    }
}

#[test]
fn a_target_with_another_number_of_joints_brakes() {
    let mut limiter = limiter_at(0.0);
    limiter.follow(&joints([1.0, 1.0]), &at(0.0, 0.0), &Around::OPEN);
    assert_eq!(position(&limiter), 0.0);
}

#[test]
fn braking_takes_as_long_as_the_acceleration_limit_says() {
    let mut limiter = limiter_at(-0.9);
    (0..60).for_each(|_| {
        tick(&mut limiter, 1.5);
    });
    assert!((speed(&limiter) - 3.0).abs() < TINY);
    let from = position(&limiter);
    let mut ticks = 0;
    while !limiter.at_rest() {
        let measured = at(position(&limiter), speed(&limiter));
        limiter.brake(&measured);
        ticks += 1;
    }
    // 3 / 15 s, and the time to full deceleration.
    assert!(ticks <= 46, "{ticks}");
    assert!(position(&limiter) - from <= limits().stopping_distance().0 + TINY);
}

#[test]
fn an_arm_outside_its_limits_stays_when_holding_and_comes_back_gently() {
    let mut limiter = limiter_at(1.8);
    limiter.brake(&at(1.8, 0.0));
    assert_eq!(position(&limiter), 1.8);
    let mut before = 1.8;
    for _ in 0..400 {
        let now = tick(&mut limiter, 1.0);
        if before > 1.5 {
            assert!(before - now <= 0.1 * 3.0 * PERIOD + TINY);
        }
        before = now;
    }
    assert!((before - 1.0).abs() < TINY);
}

#[test]
fn an_arm_that_came_back_inside_its_limits_stays_there() {
    let mut numbers = Numbers(5);
    for _ in 0..300 {
        let mut limiter = limiter_at(1.5 + numbers.between(0.0, 0.02));
        let (mut target, mut lowest) = (0.0, f64::INFINITY);
        for _ in 0..200 {
            if numbers.next() < 0.2 {
                target = numbers.between(1.45, 1.7);
            }
            let now = tick(&mut limiter, target);
            assert!(now <= lowest.max(1.5) + TINY, "{now} after {lowest}");
            lowest = lowest.min(now);
        }
    }
}

#[test]
fn a_blocked_joint_pulls_no_goal_beyond_the_stopping_distance() {
    let mut limiter = limiter_at(0.0);
    for _ in 0..400 {
        limiter.follow(&joints([1.5]), &at(0.0, 0.0), &Around::OPEN);
        assert!(position(&limiter) <= limits().stopping_distance().0 + TINY);
    }
    // It braked on its way there: no cut was needed.
    assert_eq!(limiter.clamped().get(0), Some(0));
}

#[test]
fn a_joint_that_cannot_be_read_is_no_reason_for_a_jump() {
    let mut limiter = limiter_at(0.0);
    limiter.follow(&joints([1.0]), &at(f64::NAN, 0.0), &Around::OPEN);
    assert!(position(&limiter) > 0.0 && position(&limiter) < 0.001);
}

#[test]
fn resynchronising_forgets_the_command() {
    let mut limiter = limiter_at(0.0);
    (0..40).for_each(|_| {
        tick(&mut limiter, 1.0);
    });
    limiter.resynchronise(&at(-0.5, 0.0));
    assert_eq!(position(&limiter), -0.5);
    assert!(limiter.at_rest());
}

/// Numbers from 0 to 1 that are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

/// Targets at the edge of every limit, paces that come and go, reversals at full speed, jumps and nonsense, for joints
/// of many kinds that follow with a lag.
#[test]
fn a_million_targets_break_no_limit_of_any_joint() {
    let mut numbers = Numbers(7);
    for _ in 0..1000 {
        let limits = JointLimits {
            lower: Rad(-1.0),
            upper: Rad(numbers.between(-0.9, 3.0)),
            velocity: RadPerSec(numbers.between(0.1, 10.0)),
            acceleration: RadPerSec2(numbers.between(1.0, 100.0)),
            jerk: RadPerSec3(numbers.between(20.0, 10_000.0)),
        };
        let period = numbers.between(0.001, 0.02);
        let (lower, upper) = (limits.lower.0, limits.upper.0);
        let start = numbers.between(lower, upper);
        let mut limiter = Limiter::new(&JointVec::repeat(limits, 1), period, &joints([start]));
        let (mut joint, mut target, mut drift) = (start, start, 0.0);
        let (mut before, mut speed_before, mut step_before) = (start, 0.0, 0.0);
        let mut pace = 1.0;
        for index in 0..1000 {
            if numbers.next() < 0.01 {
                pace = [1.0, 0.0, f64::NAN, 1e-9, 2.0, numbers.next()][index % 6];
            }
            if numbers.next() < 0.05 {
                let most = limits.velocity.0 * period;
                target = match index % 7 {
                    0 => upper,
                    1 => lower,
                    2 => f64::NAN,
                    3 => numbers.between(-9.0, 9.0),
                    _ => numbers.between(lower, upper),
                };
                drift = match index % 5 {
                    0 => most,
                    1 => -most,
                    2 => 0.0,
                    _ => numbers.between(-1.2 * most, 1.2 * most),
                };
            }
            target += drift;
            // A joint with 30 ms of lag; the window of the lead is hardly ever in the way.
            let speed = (before - joint) / 0.03;
            joint += speed * period.min(0.03);
            let around = Around::OPEN.at_pace(pace);
            limiter.follow(&joints([target]), &at(joint, speed), &around);
            let now = position(&limiter);
            let clamped = limiter.clamped().get(0).unwrap_or_default();
            let lead = limits.stopping_distance().0;
            assert!((now - joint).abs() <= lead + TINY);
            assert!(now >= lower - TINY && now <= upper + TINY, "{now}");
            let cut = (now - joint).abs() >= lead - 1e-6;
            let speed = (now - before) / period;
            let step = (speed - speed_before) / period;
            let change = (step - step_before) / period;
            let broken = |value: f64, limit: f64| value.abs() > limit * (1.0 + 1e-4) + 1e-6;
            assert!(
                !broken(speed, limits.velocity.0),
                "{limits:?} {speed} {clamped}"
            );
            assert!(
                !broken(step, limits.acceleration.0),
                "{limits:?} {step} {clamped}"
            );
            assert!(
                !broken(change, limits.jerk.0),
                "{limits:?} {change} {clamped}"
            );
            before = now;
            // The lead is the stronger limit: after a cut, rates are counted anew.
            (speed_before, step_before) = if cut {
                (f64::NAN, f64::NAN)
            } else {
                (speed, step)
            };
        }
    }
}
