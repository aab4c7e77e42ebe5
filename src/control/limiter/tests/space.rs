//! The limiter in a space: what is near, how fast links get, and the pace.

use super::*;
use crate::arm::{ArmModel, Block, Plane, Space};
use crate::control::Clearance;
use crate::control::testing::so101;

/// An arm that does as it is told.
struct Arm {
    model: ArmModel,
    clearance: Clearance,
    limiter: Limiter,
}

impl Arm {
    fn new(pose: [f64; 6], space: Space) -> Arm {
        Arm::with_jerk(1500.0, pose, space)
    }

    fn with_jerk(jerk: f64, pose: [f64; 6], space: Space) -> Arm {
        let model = so101();
        let limits = model.limits().map(|limits| JointLimits {
            jerk: RadPerSec3(jerk),
            ..limits
        });
        Arm {
            clearance: Clearance::new(&model, space),
            limiter: Limiter::new(&limits, PERIOD, &joints(pose)),
            model,
        }
    }

    fn measured(&self) -> JointVec<Measured> {
        let positions = self.limiter.command().positions();
        positions.zip_with(&self.limiter.velocities(), |position, velocity| Measured {
            position,
            velocity,
        })
    }

    /// One tick towards `target` on these terms.
    fn follow(&mut self, target: &JointVec<Rad>, pace: f64, speed: f64) {
        let around = Around::new(&self.model, &self.clearance);
        let around = around.at_pace(pace).at_tool_speed(speed);
        let measured = self.measured();
        self.limiter.follow(target, &measured, &around);
    }

    fn pan(&mut self, target: f64) -> f64 {
        self.follow(
            &joints([target, 0.0, 0.0, 0.0, 0.0, 0.0]),
            1.0,
            f64::INFINITY,
        );
        self.positions().get(0).unwrap().0
    }

    fn positions(&self) -> JointVec<Rad> {
        self.limiter.command().positions()
    }

    /// The room that is left.
    fn room(&self) -> f64 {
        self.clearance.of(&self.model, &self.positions()).least()
    }

    /// Where the ends of all links are.
    fn ends(&self) -> Vec<nalgebra::Vector3<f64>> {
        let pose = self.model.forward(&self.positions());
        let origins = pose.axes().map(|(_, origin)| *origin);
        origins.chain([pose.tool.translation]).collect()
    }
}

/// A plane to the arm's left.
fn beside(y: f64, slow_zone: f64) -> Space {
    let mut space = Space {
        slow_zone,
        ..Space::default()
    };
    let plane = Plane {
        point: [0.0, y, 0.0],
        normal: [0.0, -1.0, 0.0],
    };
    space.planes.push(plane).unwrap();
    space
}

#[test]
fn an_arm_stops_before_it_meets_something_and_may_go_back() {
    let mut arm = Arm::new([0.0; 6], beside(0.1, 0.0));
    let to_the_left = -1.2;
    for _ in 0..300 {
        arm.pan(to_the_left);
        assert!(arm.room() >= -1e-9, "{}", arm.room());
    }
    assert!(arm.limiter.hemmed() && arm.limiter.at_rest());
    assert!(arm.room() < 0.002, "{}", arm.room());
    for _ in 0..300 {
        arm.pan(0.2);
    }
    let pan = arm.pan(0.2);
    assert!(!arm.limiter.hemmed() && (pan - 0.2).abs() < 1e-6);
    // From beyond it, only out.
    let mut arm = Arm::new([-0.9, 0.0, 0.0, 0.0, 0.0, 0.0], beside(0.1, 0.0));
    assert!(arm.room() < -0.05);
    for _ in 0..100 {
        assert!(arm.pan(to_the_left) >= -0.9);
    }
    for _ in 0..300 {
        arm.pan(0.2);
    }
    assert!((arm.pan(0.2) - 0.2).abs() < 1e-6);
}

/// The most speed towards the plane with less than a centimetre left, m/s, and how many ticks it
/// took to stand before it and to come back from there.
fn approach(slow_zone: f64) -> (f64, usize, usize) {
    let mut arm = Arm::new([0.0; 6], beside(0.1, slow_zone));
    let (mut before, mut fastest) = (arm.room(), 0.0_f64);
    let mut ticks = |arm: &mut Arm, target: f64, until: &dyn Fn(&Arm) -> bool| {
        for tick in 0..1000 {
            arm.pan(target);
            let room = arm.room();
            if room < 0.01 {
                fastest = fastest.max((before - room) / PERIOD);
            }
            before = room;
            if until(arm) {
                return tick;
            }
        }
        panic!("it never got there");
    };
    let there = ticks(&mut arm, -1.2, &|arm| {
        arm.limiter.hemmed() && arm.limiter.at_rest()
    });
    let back = ticks(&mut arm, 0.0, &|arm| arm.room() > 0.09);
    (fastest, there, back)
}

#[test]
fn an_arm_creeps_to_the_margin_and_leaves_it_at_once() {
    let (hard, soon, back) = approach(0.0);
    let (gentle, late, as_soon) = approach(0.03);
    assert!(hard > 0.15, "{hard}");
    assert!(gentle < 0.01 / 0.15 + 0.005, "{gentle}");
    assert!(late > soon && late < 400, "{soon} {late}");
    assert_eq!(back, as_soon);
}

#[test]
fn no_command_of_a_wild_arm_eats_up_the_margin() {
    let mut space = beside(0.25, 0.03);
    let block = Block {
        min: [0.15, -0.3, -1.0],
        max: [0.35, 0.0, 0.1],
    };
    space.keep_out.push(block).unwrap();
    space.walls = Some(Block {
        min: [-0.3, -0.3, 0.0],
        max: [0.4, 0.3, 0.4],
    });
    space.link_radius = Some(0.02);
    space.margin = 0.01;
    for slow_zone in [0.0, 0.03] {
        let space = Space {
            slow_zone,
            ..space.clone()
        };
        let mut arm = Arm::new([0.6, -0.4, 0.3, 0.8, 0.0, 0.3], space);
        assert!(arm.room() > 0.0);
        let mut numbers = Numbers(3);
        let (mut target, mut hemmed, mut least) = (arm.positions(), 0, f64::INFINITY);
        for tick in 0..20_000 {
            if tick % 100 == 0 {
                target = (arm.model.limits())
                    .map(|limits| Rad(numbers.between(limits.lower.0, limits.upper.0)));
            }
            // Now and then a slower pace, a number that is none, and back.
            let pace = if tick % 700 < 100 { 0.3 } else { 1.0 };
            if tick % 900 == 50 {
                arm.follow(&target.map(|_| Rad(f64::NAN)), pace, f64::INFINITY);
            }
            arm.follow(&target, pace, f64::INFINITY);
            hemmed += u32::from(arm.limiter.hemmed());
            least = least.min(arm.room());
        }
        assert!(hemmed > 1000, "it was hemmed in {hemmed} times");
        // Joints stop at their own times, and the way is looked at in a few places.
        assert!(least > -0.001, "{least}");
    }
}

/// Joints stop one by one, so a stop may lead an arm out of a margin and in again. That is rare:
/// the campaign has met it, and meets no more.
#[test]
fn an_arm_on_its_way_out_may_not_stop_on_a_way_that_leads_in_again() {
    let space = Space {
        walls: Some(Block {
            min: [-1.0, -1.0, -1.0],
            max: [0.2, 1.0, 1.0],
        }),
        ..Space::default()
    };
    let arm = Arm::new([0.0, 0.2, 0.2, 0.5, 0.0, 0.0], space);
    assert!(arm.room() < -0.01, "it begins without room");
    let around = Around::new(&arm.model, &arm.clearance);
    let least = arm.clearance.of(&arm.model, &arm.positions());
    let way = |back: f64| StopWay {
        least,
        back: Room {
            walls: [back; 6],
            ..Room::OPEN
        },
    };
    assert!(arm.limiter.may_stop_along(&way(0.0), &around));
    assert!(!arm.limiter.may_stop_along(&way(-0.002), &around));
}

/// Every link end, every tick, braking included; jumps, drifts, reversals and nonsense.
#[test]
fn a_hundred_thousand_targets_take_no_link_beyond_its_speed() {
    // Full acceleration in much less than a tick, in two ticks, and in fifty.
    for (seed, jerk) in [(1, 15_000.0), (2, 1500.0), (3, 60.0)] {
        let (fastest, mean) = wild_speeds(seed, jerk);
        assert!(fastest > 0.9, "{fastest}: it is too careful");
        assert!(mean > 0.3, "{mean}: it is too careful");
    }
}

/// The most and the mean speed of 40,000 ticks, as a share of what is allowed.
fn wild_speeds(seed: u64, jerk: f64) -> (f64, f64) {
    const TICKS: u32 = 40_000;
    let mut numbers = Numbers(seed);
    let pose = [0.1, -0.4, 0.5, 1.2, 1.5, 0.2];
    let mut arm = Arm::with_jerk(jerk, pose, Space::default());
    let (mut target, mut drift) = (arm.positions(), JointVec::repeat(0.0, 6));
    let (mut most, mut pace, mut brake) = (0.25, 1.0, false);
    let mut before = arm.ends();
    let (mut fastest, mut used) = (0.0_f64, 0.0);
    for tick in 0..TICKS {
        if tick % 5000 == 4900 {
            // Stand before the terms change: what is too fast then may only get slower.
            brake = true;
        }
        if tick % 5000 == 0 {
            most = numbers.between(0.05, 1.0);
            if tick == 0 {
                most = 0.25;
            }
            brake = false;
        }
        if numbers.next() < 0.01 {
            pace = if numbers.next() < 0.5 {
                1.0
            } else {
                numbers.next()
            };
        }
        if numbers.next() < 0.02 {
            target = (arm.model.limits()).map(|limits| {
                let any = numbers.between(limits.lower.0 - 0.2, limits.upper.0 + 0.2);
                let wild = numbers.next();
                Rad(match wild {
                    _ if wild < 0.05 => limits.lower.0,
                    _ if wild < 0.1 => limits.upper.0,
                    _ if wild < 0.11 => f64::NAN,
                    _ => any,
                })
            });
            drift = drift.map(|_| numbers.between(-3.3, 3.3) * PERIOD);
        }
        target = target.zip_with(&drift, |at, by| Rad(at.0 + by));
        if brake || numbers.next() < 0.01 {
            let measured = arm.measured();
            arm.limiter.brake(&measured);
        } else {
            arm.follow(&target, pace, most);
        }
        let now = arm.ends();
        let speeds = now
            .iter()
            .zip(&before)
            .map(|(now, before)| (now - before).norm());
        let speed = speeds.fold(0.0, f64::max) / PERIOD;
        assert!(speed <= most + 1e-9, "{speed} of {most} in tick {tick}");
        fastest = fastest.max(speed / most);
        used += speed / most;
        before = now;
    }
    (fastest, used / f64::from(TICKS))
}

#[test]
fn a_lower_speed_limit_slows_a_fast_arm_within_its_joint_limits() {
    let mut arm = Arm::new([-1.0, -0.4, 0.5, 1.2, 0.0, 0.2], Space::default());
    let target = joints([1.0, 0.4, -0.5, 0.2, 1.0, 0.2]);
    let mut rates = Rates::new(&arm);
    let mut before = arm.ends();
    let mut speed = f64::INFINITY;
    for tick in 0..200 {
        arm.follow(&target, 1.0, if tick < 40 { f64::INFINITY } else { 0.25 });
        rates.check(&arm);
        let now = arm.ends();
        let moved = now
            .iter()
            .zip(&before)
            .map(|(now, before)| (now - before).norm());
        speed = moved.fold(0.0, f64::max) / PERIOD;
        before = now;
        assert!(tick < 100 || speed <= 0.25, "{speed} in tick {tick}");
        assert!(tick != 39 || speed > 0.5, "{speed}");
    }
    assert!(speed > 0.1, "{speed}");
}

#[test]
fn the_pace_scales_the_speed_and_changes_it_gently() {
    let mut arm = Arm::new([-1.5, 0.0, 0.0, 0.0, 0.0, 0.0], Space::default());
    let target = joints([1.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let mut rates = Rates::new(&arm);
    for tick in 0..120 {
        let pace = if tick < 60 { 1.0 } else { 0.25 };
        arm.follow(&target, pace, f64::INFINITY);
        rates.check(&arm);
        let speed = arm.limiter.velocities().get(0).unwrap().0;
        match tick {
            59 => assert!((speed - 3.0).abs() < 1e-6, "{speed}"),
            110.. => assert!((speed - 0.75).abs() < 1e-6, "{speed}"),
            _ => {}
        }
    }
}

#[test]
fn no_pace_is_a_standstill() {
    for pace in [0.0, -1.0, f64::NAN] {
        let mut arm = Arm::new([0.0; 6], Space::default());
        let target = joints([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        (0..30).for_each(|_| arm.follow(&target, 1.0, f64::INFINITY));
        (0..60).for_each(|_| arm.follow(&target, pace, f64::INFINITY));
        assert!(arm.limiter.at_rest());
    }
}

/// Speed, acceleration and jerk of each joint, from its positions alone.
struct Rates {
    positions: JointVec<Rad>,
    speeds: JointVec<f64>,
    accelerations: JointVec<f64>,
}

impl Rates {
    fn new(arm: &Arm) -> Rates {
        Rates {
            positions: arm.positions(),
            speeds: JointVec::repeat(0.0, 6),
            accelerations: JointVec::repeat(0.0, 6),
        }
    }

    fn check(&mut self, arm: &Arm) {
        let now = arm.positions();
        let rate = |now: f64, before: f64| (now - before) / PERIOD;
        let speeds = now.zip_with(&self.positions, |now, before| rate(now.0, before.0));
        let accelerations = speeds.zip_with(&self.speeds, rate);
        let jerks = accelerations.zip_with(&self.accelerations, rate);
        let held = |all: &JointVec<f64>, most: f64| all.iter().all(|value| value.abs() <= most);
        assert!(held(&speeds, 3.0 + 1e-6), "{speeds:?}");
        assert!(held(&accelerations, 15.0 + 1e-4), "{accelerations:?}");
        assert!(held(&jerks, 1500.0 + 1e-2), "{jerks:?}");
        *self = Rates {
            positions: now,
            speeds,
            accelerations,
        };
    }
}
