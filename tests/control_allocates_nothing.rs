//! The control core's tick allocates nothing: an allocator that counts holds it to that.

#![expect(
    unsafe_code,
    reason = "a global allocator can't be written without it; nothing but this test uses it"
)]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use surehand::arm::tool::tool_of;
use surehand::arm::{AfterStop, ArmModel, ArmSpec, Block, JointSpec, Parking, Plane, Space};
use surehand::control::{
    Clearance, Core, CoreConfig, Inputs, JointReading, Link, ReadFault, SafetyInputs, Signals,
    Torque,
};
use surehand::control::{JointCommand, Step};
use surehand::messages::{Cause, Mode, Plan, Request, ToolPose, ToolSetpoint, Waypoints};
use surehand::units::{Celsius, JointVec, MonoTime, Rad, RadPerSec, RadPerSec2, RadPerSec3, Volts};

#[path = "common/so101.rs"]
mod so101;

struct Counting;

thread_local! {
    /// Allocations of this thread while it counts them.
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
}

fn note() {
    COUNT.with(|count| count.set(count.get().map(|n| n + 1)));
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

/// How often `work` allocated or freed.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, u64) {
    COUNT.with(|count| count.set(Some(0)));
    let result = work();
    let counted = COUNT.with(Cell::take).unwrap_or_default();
    (result, counted)
}

fn so101() -> ArmModel {
    let joint = |name: &str| JointSpec {
        name: name.into(),
        velocity: RadPerSec(3.0),
        acceleration: RadPerSec2(15.0),
        jerk: RadPerSec3(1500.0),
        lower: None,
        upper: None,
    };
    let spec = ArmSpec {
        joints: so101::NAMES.into_iter().map(joint).collect(),
        gripper: Some("gripper".into()),
        base_link: "base".into(),
        tool_link: "grasp_frame".into(),
    };
    ArmModel::parse("so101.urdf", include_str!("../urdf/so101.urdf"), &spec).unwrap()
}

/// A core whose servos are where they are told to be.
struct Arm {
    core: Core,
    now: MonoTime,
    joints: JointVec<Rad>,
    ticks: u64,
}

impl Arm {
    fn tick(
        &mut self,
        request: Option<Request>,
        plan: Option<&Plan>,
        fault: Option<ReadFault>,
        trip: Option<Cause>,
    ) -> Step<JointCommand> {
        self.now = self.now.offset_secs(0.005);
        let mut signals = Signals {
            trip,
            ..Signals::default()
        };
        if let Some(request) = request {
            signals.requests.push(request).unwrap();
        }
        let reading = |position| match fault {
            Some(fault) => JointReading::Missing(fault),
            None => JointReading::Fresh {
                position,
                velocity: RadPerSec(0.0),
                load: 0.0,
                voltage: Volts(7.4),
                temperature: Celsius(30.0),
                errors: 0,
            },
        };
        let inputs = Inputs {
            now: self.now,
            missed: 0,
            joints: self.joints.map(reading),
            restarted: None,
            watchdog: None,
            safety: SafetyInputs::default(),
            hold: None,
            link: Link::Up { heard_at: self.now },
            plan,
            signals,
        };
        let (step, allocated) = allocations(|| self.core.tick(&inputs));
        assert_eq!(allocated, 0, "tick {} in mode {}", self.ticks, step.mode);
        self.ticks += 1;
        if let Some(command) = &step.command {
            self.joints = command.positions();
        }
        step
    }

    fn tool_plan(&self, id: u64) -> Box<Plan> {
        let tool = tool_of(&self.core.config().model, &self.joints).unwrap();
        let points = (0..100).map(|index| ToolSetpoint {
            position: [
                tool.position[0],
                tool.position[1] + 0.0005 * f64::from(index),
                tool.position[2],
            ],
            ..tool
        });
        self.plan(id, Waypoints::Tool(points.collect()))
    }

    fn pose_plan(&self, id: u64) -> Box<Plan> {
        let model = &self.core.config().model;
        let tool = model.forward(&self.joints).tool;
        let turn = nalgebra::UnitQuaternion::from_matrix(&tool.rotation);
        let points = (0..100).map(|index| ToolPose {
            position: [
                tool.translation.x,
                tool.translation.y,
                tool.translation.z + 0.0005 * f64::from(index),
            ],
            quaternion: turn.coords.into(),
            gripper: 0.2,
        });
        self.plan(id, Waypoints::Pose(points.collect()))
    }

    fn joint_plan(&self, id: u64) -> Box<Plan> {
        let points = (0..100).map(|index| {
            self.joints
                .map(|angle| Rad(angle.0 + 0.002 * f64::from(index)))
        });
        self.plan(id, Waypoints::Joint(points.collect()))
    }

    fn plan(&self, id: u64, waypoints: Waypoints) -> Box<Plan> {
        Box::new(Plan {
            id,
            captured_at: self.now,
            start: self.now,
            step_ns: 20_000_000,
            waypoints,
        })
    }
}

/// All that can be watched, so near that it has a say.
fn narrow() -> Space {
    let mut space = Space {
        walls: Some(Block {
            min: [-0.3, -0.3, -0.05],
            max: [0.4, 0.3, 0.5],
        }),
        link_radius: Some(0.01),
        margin: 0.005,
        slow_zone: 0.1,
        tool_speed: Some(0.25),
        ..Space::default()
    };
    for side in 0..8 {
        let block = Block {
            min: [0.05 * f64::from(side), -0.3, 0.0],
            max: [0.05 * f64::from(side) + 0.04, -0.1, 0.05],
        };
        space.keep_out.push(block).unwrap();
        let plane = Plane {
            point: [0.0, 0.05 + 0.02 * f64::from(side), 0.0],
            normal: [0.0, -1.0, 0.0],
        };
        space.planes.push(plane).unwrap();
    }
    space
}

#[test]
fn no_tick_allocates_whatever_happens() {
    let moved = ticks(Space::default());
    assert!(moved > 2000, "it moved in {moved} ticks");
}

#[test]
fn no_tick_allocates_where_the_arm_is_hemmed_in_and_held_to_a_speed() {
    let moved = ticks(narrow());
    assert!(moved > 1000, "it moved in {moved} ticks");
}

/// In how many ticks an arm in `space` was running.
fn ticks(space: Space) -> u32 {
    let mut config = CoreConfig::new(so101(), Duration::from_millis(5));
    config.clearance = Clearance::new(&config.model, space);
    let mut arm = Arm {
        core: Core::new(config, Cause::Boot, Torque::Off).unwrap(),
        now: MonoTime(1_000_000_000),
        joints: [0.1, -0.4, 0.5, 1.2, 1.5, 0.2]
            .into_iter()
            .map(Rad)
            .collect(),
        ticks: 0,
    };
    let mut moved = 0;
    for round in 0..10u64 {
        arm.tick(None, None, None, None);
        for request in [Request::Reset, Request::Enable, Request::Start] {
            arm.tick(Some(request), None, None, None);
        }
        for index in 0..20u64 {
            let id = 1 + round * 20 + index;
            let mut plan = match index % 3 {
                0 => arm.tool_plan(id),
                1 => arm.joint_plan(id),
                _ => arm.pose_plan(id),
            };
            if index == 15 {
                plan.step_ns = 0;
            }
            // Longer than the cross-fade, so that paths are followed too.
            for tick in 0..35 {
                let offered = (tick == 0).then_some(&*plan);
                let fault = (tick == 5).then_some(ReadFault::Timeout);
                let step = arm.tick(None, offered, fault, None);
                moved += u32::from(step.mode == Mode::Running);
            }
        }
        match round % 5 {
            0 => {
                arm.tick(None, None, None, Some(Cause::PolicyFailed));
            }
            1 => {
                for _ in 0..5 {
                    arm.tick(None, None, Some(ReadFault::WrongId), None);
                }
            }
            2 => {
                let mut plan = arm.joint_plan(1000 + round);
                if let Waypoints::Joint(points) = &mut plan.waypoints {
                    points[3] = JointVec::repeat(Rad(f64::NAN), 6);
                }
                arm.tick(None, Some(&plan), None, None);
            }
            3 => {
                // Starve.
                for _ in 0..500 {
                    arm.tick(None, None, None, None);
                }
            }
            _ => {
                arm.tick(Some(Request::Pause), None, None, None);
                arm.tick(Some(Request::Stop), None, None, None);
            }
        }
        for _ in 0..100 {
            arm.tick(None, None, None, None);
        }
        assert_eq!(arm.tick(None, None, None, None).mode, Mode::Stopped);
    }
    moved
}

#[test]
fn the_search_for_a_way_to_the_park_pose_allocates_nothing() {
    let across = |pan: f64| [pan, 0.2, 0.2, 0.6, 0.0, 0.2].map(Rad);
    let mut config = CoreConfig::new(so101(), Duration::from_millis(5));
    let mut space = Space::default();
    let post = Block {
        min: [0.15, -0.05, -0.1],
        max: [0.5, 0.05, 0.25],
    };
    space.keep_out.push(post).unwrap();
    config.clearance = Clearance::new(&config.model, space);
    config.parking = Some(Parking {
        pose: across(-1.0).map(Some).into_iter().collect(),
        speed: 0.5,
        at_exit: AfterStop::Hold,
        when_hot: AfterStop::Hold,
    });
    let mut arm = Arm {
        core: Core::new(config, Cause::Boot, Torque::Off).unwrap(),
        now: MonoTime(1_000_000_000),
        joints: across(1.0).into_iter().collect(),
        ticks: 0,
    };
    arm.tick(None, None, None, None);
    for request in [Request::Reset, Request::Enable, Request::Park] {
        arm.tick(Some(request), None, None, None);
    }
    while arm.tick(None, None, None, None).mode == Mode::Parking {
        assert!(arm.ticks < 20_000, "it never gets there");
    }
    let pan = arm.joints.get(0).unwrap().0;
    assert!((pan + 1.0).abs() < 0.01, "{pan}");
}
