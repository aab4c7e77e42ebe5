//! Solving allocates nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    unsafe_code,
    reason = "a global allocator can't be written without it; nothing but this test uses it"
)]

#[path = "../robots/mod.rs"]
mod robots;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use surehand_kinematics::{Model, Options, Solver, Task};

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
