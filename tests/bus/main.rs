//! The bus against simulated servos on a pty: two codecs, written apart, meet on the wire.

#![expect(clippy::unwrap_used, reason = "a test")]

mod allocations;
mod arm;
mod dynamixel;
mod shadows;
#[path = "../common/so101.rs"]
mod so101;
mod third_party;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use arm::{Arm, POSE};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use surehand::arm::{Calibration, Family, JointLimits, JointSpan};
use surehand::bus::register::Torque;
use surehand::bus::transaction::deadline_in;
use surehand::bus::{
    BringUpError, Bus, Found, GoalError, HeldGoal, Port, PortError, RawReading, ServoSettings,
    TorqueError, TorqueFault, Trouble, monotonic_now,
};
use surehand::control::{JointCommand, JointReading, Limiter, ReadFault};
use surehand::units::{JointVec, MonoTime, Rad, RadPerSec, RadPerSec2, RadPerSec3};
use surehand_sim::faults::Fault;

pub(crate) const BAUD: u32 = 1_000_000;

pub(crate) fn calibration(family: Family) -> Calibration {
    let limits = so101::NAMES.into_iter().zip(so101::LIMITS);
    let spans: Vec<JointSpan> = limits
        .map(|(name, (lower, upper))| JointSpan {
            name,
            lower: Rad(lower),
            upper: Rad(upper),
        })
        .collect();
    let file = match family {
        Family::Feetech => "calibration/so101-sim.json",
        Family::Dynamixel => "calibration/so101-dynamixel-sim.json",
    };
    Calibration::load(Path::new(file), &spans).unwrap()
}

/// The X series' with a second servo on a joint, as its entry in the file says.
pub(crate) fn calibration_with(entry: &str) -> Result<Calibration, String> {
    let limits = so101::NAMES.into_iter().zip(so101::LIMITS);
    let spans: Vec<JointSpan> = limits
        .map(|(name, (lower, upper))| JointSpan {
            name,
            lower: Rad(lower),
            upper: Rad(upper),
        })
        .collect();
    let text = std::fs::read_to_string("calibration/so101-dynamixel-sim.json").unwrap();
    let text = text.replacen('{', &format!("{{\n{entry},"), 1);
    Calibration::parse(&text, "arm.json", &spans).map_err(|error| error.to_string())
}

pub(crate) fn settings() -> Vec<ServoSettings> {
    settings_of(Family::Feetech)
}

pub(crate) fn settings_of(family: Family) -> Vec<ServoSettings> {
    let setting = ServoSettings::new(family, RadPerSec2(10.0), RadPerSec(2.0), 0.6).unwrap();
    vec![setting; 6]
}

fn soon() -> MonoTime {
    deadline_in(Duration::from_secs(2))
}

/// The limiter standing at `pose`: the only way to a command.
fn standing_at(pose: [f64; 6]) -> JointCommand {
    let limits = so101::LIMITS.map(|(lower, upper)| JointLimits {
        lower: Rad(lower),
        upper: Rad(upper),
        velocity: RadPerSec(1.0),
        acceleration: RadPerSec2(5.0),
        jerk: RadPerSec3(250.0),
    });
    let limits = JointVec::from_slice(&limits).unwrap();
    let pose = JointVec::from_slice(&pose.map(Rad)).unwrap();
    Limiter::new(&limits, 0.005, &pose).command()
}

/// First registers of the writes among `frames`.
fn written(frames: &[Vec<u8>]) -> Vec<u8> {
    let writes = frames
        .iter()
        .filter(|frame| matches!(frame.get(4), Some(0x03 | 0x83)));
    writes.filter_map(|frame| frame.get(5).copied()).collect()
}

fn troubles(bus: &Bus<Found>) -> Vec<(Option<u8>, Trouble)> {
    let problems = bus.problems().iter();
    problems
        .map(|p| (p.servo.as_ref().map(|(_, id)| *id), p.trouble))
        .collect()
}

#[test]
fn a_good_arm_comes_up_without_torque_goals_or_eeprom_writes() {
    let arm = Arm::new();
    let found = arm.find();
    assert_eq!(troubles(&found), []);
    assert!(found.servos().iter().all(|servo| servo.model == Some(777)));
    arm.sent();
    let mut bus = found.ready(&settings()).unwrap();
    assert_eq!(bus.torque(), Torque::Off);
    assert_eq!(
        bus.torque_held(soon()).as_slice(),
        [Some(false); 6],
        "nothing may have switched torque on"
    );
    assert_eq!(written(&arm.sent()), [41, 46, 48]);
    assert_eq!(arm.register(2, 41), 66);
}

#[test]
fn positions_come_through_homing_and_calibration_to_a_count() {
    let arm = Arm::new();
    let mut bus = arm.ready();
    let raw = bus.read(soon());
    let joints = bus.in_joint_units(&raw);
    for (joint, (reading, pose)) in joints.iter().zip(POSE).enumerate() {
        let JointReading::Fresh {
            position, voltage, ..
        } = reading
        else {
            panic!("joint {joint}: {reading:?}");
        };
        assert!((position.0 - pose).abs() < 0.0016, "joint {joint}");
        assert!((voltage.0 - 7.4).abs() < 0.2, "joint {joint}");
    }
}

#[test]
fn torque_comes_on_only_after_the_goal_is_where_the_arm_stands() {
    let arm = Arm::new();
    let mut bus = arm.ready();
    arm.sent();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    assert_eq!(written(&arm.sent()), [42, 40]);
    assert_eq!(bus.torque_held(soon()).as_slice(), [Some(true); 6]);
    bus.write_goals(&standing_at(POSE), soon()).unwrap();
    bus.audit(3, soon()).unwrap();
}

#[test]
fn after_torque_off_no_goal_switches_it_on_again() {
    let arm = Arm::new();
    let mut bus = arm.ready();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    arm.sent();
    bus.torque_off(soon()).unwrap();
    assert_eq!(
        bus.write_goals(&standing_at(POSE), soon()),
        Err(GoalError::TorqueOff)
    );
    assert_eq!(bus.torque_held(soon()).as_slice(), [Some(false); 6]);
    let sent = arm.sent();
    assert_eq!(written(&sent), [40; 7]);
    let all_off = [0xFF, 0xFF, 0xFE, 0x04, 0x03, 0x28, 0x00, 0xD2];
    let last = sent.iter().rposition(|frame| frame[4] != 0x82);
    assert_eq!(
        sent[last.unwrap()],
        all_off,
        "the broadcast is the last word"
    );
}

#[test]
fn a_goal_outside_the_range_is_written_to_nobody() {
    let arm = Arm::new();
    let mut bus = arm.ready();
    let mut outside = POSE;
    outside[4] = 4.0;
    arm.sent();
    let error = bus.torque_on(&standing_at(outside), soon()).unwrap_err();
    assert!(matches!(
        error,
        TorqueError::Goal(GoalError::OutsideRange { joint: 4, .. })
    ));
    assert!(!written(&arm.sent()).contains(&42));
    assert_eq!(bus.torque_held(soon()).as_slice(), [Some(false); 6]);
}

#[test]
fn a_takeover_leaves_a_torqued_arm_as_it_is() {
    let arm = Arm::new();
    let mut bus = arm.ready();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    drop(bus);
    // Half a frame of the one before, as after a kill.
    {
        let port = std::fs::OpenOptions::new().write(true).open(arm.path());
        let half = [0xFF, 0xFF, 0xFE, 0x16, 0x83, 0x2A, 0x02, 0x01, 0x00];
        std::io::Write::write_all(&mut port.unwrap(), &half).unwrap();
    }
    arm.sent();
    let found = arm.find();
    assert_eq!(troubles(&found), []);
    let mut bus = found.adopt(&settings()).unwrap();
    assert_eq!(bus.torque(), Torque::On);
    let read = bus.read(soon());
    assert!(read.iter().all(|r| matches!(r, RawReading::Fresh { .. })));
    let torn = written(&arm.sent());
    assert!(torn.iter().all(|address| *address == 42) && torn.len() <= 1);
    assert_eq!(bus.torque_held(soon()).as_slice(), [Some(true); 6]);
}

#[test]
fn a_second_program_is_told_that_the_port_is_busy() {
    let arm = Arm::new();
    let port = Port::open(arm.path(), BAUD, Family::Feetech).unwrap();
    let error = Port::open(arm.path(), BAUD, Family::Feetech).unwrap_err();
    assert_eq!(error, PortError::Busy(arm.path().to_path_buf()));
    assert!(error.to_string().contains("in use"));
    drop(port);
    Port::open(arm.path(), BAUD, Family::Feetech).unwrap();
}

#[test]
fn a_port_that_is_absent_or_none_is_named() {
    let absent = Port::open(Path::new("/dev/ttyACM-none"), BAUD, Family::Feetech).unwrap_err();
    assert!(
        absent
            .to_string()
            .contains("/dev/ttyACM-none does not exist")
    );
    let none = Port::open(Path::new("Cargo.toml"), BAUD, Family::Feetech).unwrap_err();
    assert!(none.to_string().contains("Cargo.toml is not a serial port"));
}

#[test]
fn a_silent_servo_is_named_and_the_others_are_still_read() {
    let arm = Arm::new();
    arm.suffer(&Fault::Silence {
        id: 3,
        for_ms: None,
    });
    let found = arm.find();
    assert_eq!(troubles(&found), [(Some(3), Trouble::Silent)]);
    assert_eq!(found.servos()[3].model, Some(777));
    let Err(BringUpError::Unfit(problems)) = found.ready(&settings()) else {
        panic!("an arm with a silent servo must not come up");
    };
    assert!(problems[0].to_string().contains("servo 3 (elbow_flex)"));
}

#[test]
fn a_silent_servo_does_not_hold_up_a_takeover() {
    let arm = Arm::new();
    arm.suffer(&Fault::Silence {
        id: 6,
        for_ms: None,
    });
    // About a quarter of a second; a busy machine gets three tries.
    let mut took = (0..3).map(|_| {
        let start = monotonic_now();
        arm.find().adopt(&settings()).unwrap();
        monotonic_now().since(start)
    });
    assert!(took.any(|took| took < 500_000_000));
}

#[test]
fn two_servos_with_one_id_are_noticed() {
    let arm = Arm::new();
    arm.suffer(&Fault::DuplicateId { id: 2, to: 5 });
    let found = arm.find();
    let troubles = troubles(&found);
    assert!(troubles.contains(&(Some(2), Trouble::Silent)));
    assert!(
        troubles.iter().any(|(id, _)| *id == Some(5)),
        "{troubles:?}"
    );
}

#[test]
fn eeprom_that_is_not_the_calibrations_is_named_with_both_numbers() {
    let arm = Arm::with(|setups| {
        setups[2].homing_offset = 200;
        setups[5].range_max = 2600;
    });
    // Return delay 500 µs and wheel mode on servo 1, as from the factory.
    arm.write(0, 7, &[250]);
    arm.write(0, 33, &[1]);
    let found = arm.find();
    let most = Duration::from_micros(100);
    assert_eq!(
        troubles(&found),
        [
            (
                Some(1),
                Trouble::ReturnDelay {
                    found: Duration::from_micros(500),
                    most
                }
            ),
            (
                Some(1),
                Trouble::Mode {
                    found: 1,
                    right: "0 (position)",
                }
            ),
            (
                Some(3),
                Trouble::HomingOffset {
                    found: 200,
                    expected: 212
                }
            ),
            (
                Some(6),
                Trouble::Range {
                    found: (1421, 2600),
                    expected: (1421, 2673)
                }
            ),
        ]
    );
}

#[test]
fn heat_supply_and_latched_errors_keep_an_arm_down() {
    let arm = Arm::new();
    arm.suffer(&Fault::Overheat {
        id: 1,
        celsius: 75.0,
    });
    arm.suffer(&Fault::Overload { id: 4 });
    let troubles = troubles(&arm.find());
    let hot = Trouble::Hot {
        found: 75,
        most: 70,
    };
    assert!(troubles.contains(&(Some(1), hot)), "{troubles:?}");
    assert!(troubles.contains(&(Some(4), Trouble::Errors { bits: 0x20 })));
}

#[test]
fn a_slow_adapter_is_named_with_its_setting() {
    let arm = Arm::new();
    arm.suffer(&Fault::Latency { ms: 16.0 });
    let found = arm.find();
    let [problem] = found.problems() else {
        panic!("{:?}", found.problems());
    };
    assert!(problem.to_string().contains("latency_timer"), "{problem}");
}

#[test]
fn an_echoing_adapter_makes_no_difference() {
    let arm = Arm::new();
    arm.suffer(&Fault::Echo { on: true });
    let mut bus = arm.ready();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    for _ in 0..5 {
        bus.write_goals(&standing_at(POSE), soon()).unwrap();
        let read = bus.read(soon());
        assert!(read.iter().all(|r| matches!(r, RawReading::Fresh { .. })));
    }
    assert_eq!(bus.errors().stray_bytes, 0);
}

#[test]
fn a_servo_that_restarted_is_found_by_its_registers() {
    let arm = Arm::new();
    let mut bus = arm.ready();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    arm.suffer(&Fault::Brownout { id: 4 });
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(bus.audit(0, soon()), Ok(HeldGoal::AsWritten));
    assert_eq!(
        bus.audit(3, soon()),
        Err(TorqueError::NotTaken {
            joint: 3,
            fault: TorqueFault::Differs {
                address: 40,
                expected: 1,
                found: 0
            }
        })
    );
    bus.configure(soon()).unwrap();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    assert_eq!(bus.audit(3, soon()), Ok(HeldGoal::AsWritten));
}

#[test]
fn damaged_lines_give_right_values_or_none() {
    let arm = Arm::new();
    let mut bus = arm.ready();
    let truth: Vec<_> = bus.read(soon()).iter().copied().collect();
    for fault in [
        Fault::Corrupt { rate: 0.3 },
        Fault::Truncate { rate: 0.3 },
        Fault::Drop { rate: 0.3 },
        Fault::Noise { rate: 0.5 },
    ] {
        arm.suffer(&fault);
        for _ in 0..40 {
            let read = bus.read(deadline_in(Duration::from_millis(10)));
            for (reading, truth) in read.iter().zip(&truth) {
                let right = match reading {
                    RawReading::Fresh { .. } => reading == truth,
                    RawReading::Missing(fault) => *fault != ReadFault::Port,
                };
                assert!(right, "{fault:?}: {reading:?}");
            }
        }
        arm.recover();
    }
}

#[test]
fn a_line_that_is_gone_is_a_port_fault_for_every_joint() {
    let arm = Arm::new();
    let mut bus = arm.ready();
    drop(arm);
    let read = bus.read(soon());
    assert_eq!(read.as_slice(), [RawReading::Missing(ReadFault::Port); 6]);
    assert!(bus.torque_off(soon()).is_err());
}

#[test]
fn what_a_port_sends_is_its_bytes_and_nothing_else() {
    // Raw mode: neither echo nor newline translation on the way out.
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let path = ptsname(&near, Vec::new()).unwrap();
    let mut port = Port::open(Path::new(path.to_str().unwrap()), BAUD, Family::Feetech).unwrap();
    let ids = JointVec::from_slice(&[10, 13]).unwrap();
    port.line().write_torque(&ids, Torque::Off, soon()).unwrap();
    let mut bytes = [0; 12];
    std::fs::File::from(near).read_exact(&mut bytes).unwrap();
    // ~(FE + 08 + 83 + 28 + 01 + 0A + 00 + 0D + 00)
    assert_eq!(
        bytes,
        [
            0xFF, 0xFF, 0xFE, 0x08, 0x83, 0x28, 0x01, 0x0A, 0x00, 0x0D, 0x00, 0x36
        ]
    );
}

#[test]
fn a_tick_on_the_bus_allocates_nothing_whatever_goes_wrong() {
    let arm = Arm::new();
    let mut bus = arm.ready();
    bus.torque_on(&standing_at(POSE), soon()).unwrap();
    let command = standing_at(POSE);
    let mut tick = |tick: usize| {
        let readings = bus.read(deadline_in(Duration::from_millis(5)));
        let _ = bus.in_joint_units(&readings);
        let _ = bus.write_goals(&command, soon());
        let _ = bus.audit(tick, deadline_in(Duration::from_millis(5)));
    };
    for fault in [
        None,
        Some(Fault::Noise { rate: 0.5 }),
        Some(Fault::Corrupt { rate: 0.5 }),
        Some(Fault::Drop { rate: 0.5 }),
    ] {
        if let Some(fault) = &fault {
            arm.suffer(fault);
        }
        let ((), counted) = allocations::count(|| (0..12).for_each(&mut tick));
        assert_eq!(counted, 0, "{fault:?}");
    }
    let ((), counted) = allocations::count(|| {
        let _ = bus.torque_off(soon());
        let _ = bus.torque_on(&command, deadline_in(Duration::from_millis(20)));
        let _ = bus.configure(deadline_in(Duration::from_millis(20)));
    });
    assert_eq!(counted, 0, "torque and settings");
    drop(arm);
    let ((), counted) = allocations::count(|| {
        let _ = bus.read(soon());
        let _ = bus.torque_off(soon());
    });
    assert_eq!(counted, 0, "a port that is gone");
}
