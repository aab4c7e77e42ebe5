//! Neither solving nor streaming allocates anything once it is made.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    unsafe_code,
    reason = "a global allocator can't be written without it; nothing but this test uses it"
)]

#[path = "../robots/mod.rs"]
mod robots;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use nalgebra::Vector6;
use surehand_kinematics::streaming::{Follower, Waypoint};
use surehand_kinematics::{Clearance, Model, Obstacle, Options, Shapes, Solver, Task};

struct Counting;

thread_local! {
    /// Allocations and releases of this thread.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    COUNT.with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note();
        // SAFETY: the caller keeps `dealloc`'s contract, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocates_nothing<const N: usize>(model: &Model<N>) {
    let solver = Solver::new(model, Task::Pose, Options::default()).unwrap();
    let mut state = 9;
    let before = COUNT.with(Cell::get);
    for problem in 0..2000 {
        let mut target = model.chain.pose(&robots::draw(model, &mut state));
        if problem % 10 == 0 {
            // Out of reach, mostly.
            target.translation *= 1.5;
        }
        let reference = (problem % 3 == 0).then(|| robots::draw(model, &mut state));
        let answer = solver.solve(&target, reference.as_ref());
        assert!(answer.is_ok());
    }
    assert_eq!(COUNT.with(Cell::get), before);
}

#[test]
fn a_solve_allocates_nothing() {
    allocates_nothing(&robots::so101());
    allocates_nothing(&robots::ur5e());
    allocates_nothing(&robots::panda());
}

/// Tracks, follows, jogs and brakes, within reach and out of it, among obstacles and without.
fn streams_without_allocating<const N: usize>(model: &Model<N>, start: [f64; N]) {
    let mut follower = Follower::new(model, [20.0; N], 0.002, start).unwrap();
    let begin = model.chain.pose(&start);
    let wall = Obstacle::Plane {
        point: begin.translation * 1.1,
        normal: -begin.translation.normalize(),
    };
    let clearance = Clearance::new(model, &Shapes::rods(model, 0.01), &[wall], 0.1).unwrap();
    let mut kept_away = follower.clone();
    kept_away.set_clearance(clearance.clone(), 0.01).unwrap();
    let out = begin.translation.normalize();
    let line = |along: f64| {
        let mut pose = begin;
        pose.translation += out * (0.3 * along);
        Waypoint {
            pose,
            tangent: Vector6::new(0.3 * out.x, 0.3 * out.y, 0.3 * out.z, 0.0, 0.0, 0.0),
        }
    };
    let before = COUNT.with(Cell::get);
    for follower in [&mut follower, &mut kept_away] {
        for tick in 0..3000 {
            let at = 0.002 * f64::from(tick);
            let mut target = begin;
            target.translation += out * (0.6 * at.sin());
            follower.track(&target);
        }
        follower.reset(start, [0.0; N]).unwrap();
        for _ in 0..3000 {
            follower.follow(&line, 1.0);
        }
        for tick in 0..3000 {
            let turn = 0.01 * f64::from(tick);
            follower.jog(&Vector6::new(0.3, turn.sin(), 0.2, 1.0, turn.cos(), 0.0));
        }
        follower.jog(&Vector6::repeat(f64::NAN));
        for _ in 0..200 {
            follower.brake();
        }
        assert!(clearance.least(&follower.positions()).is_some());
    }
    assert_eq!(COUNT.with(Cell::get), before);
}

#[test]
fn a_tick_allocates_nothing() {
    streams_without_allocating(&robots::so101(), [0.1, -0.4, 0.5, 0.9, 0.2]);
    streams_without_allocating(&robots::ur5e(), [0.2, -1.3, 1.7, -1.9, -1.5, 0.3]);
    streams_without_allocating(&robots::panda(), [0.1, -0.4, 0.1, -2.0, 0.1, 1.8, 0.6]);
}
