//! Simulated servos on a pty, standing still.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use surehand::arm::{Calibration, Family};
use surehand::bus::{Bus, Found, Port, Ready, monotonic_now};
use surehand_sim::Motion;
use surehand_sim::faults::Fault;
use surehand_sim::servo::{Bank, Direction, Model, Setup};

use super::{BAUD, calibration, settings_of};

/// How each servo is mounted: encoder at URDF zero.
const ENCODERS: [i32; 6] = [2130, 1907, 2259, 2010, 2348, 1951];
/// Where the arm stands in these tests, radians.
pub(crate) const POSE: [f64; 6] = [0.3, -0.5, 0.7, -0.2, 1.0, 0.4];

/// The joint that a second servo may be on, the seventh on the line.
pub(crate) const DOUBLED: usize = 1;

/// Servos on a pty that stand still at [`POSE`], whatever they are told.
pub(crate) struct Arm {
    family: Family,
    bank: Arc<Mutex<Bank>>,
    path: PathBuf,
    stop: Arc<AtomicBool>,
    pump: Option<JoinHandle<()>>,
}

impl Arm {
    pub(crate) fn new() -> Arm {
        Arm::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Vec<Setup>)) -> Arm {
        Arm::of(Family::Feetech, change)
    }

    pub(crate) fn of(family: Family, change: impl FnOnce(&mut Vec<Setup>)) -> Arm {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let path = ptsname(&near, Vec::new()).unwrap();
        let path = PathBuf::from(path.to_str().unwrap());
        let mut setups = setups(family);
        change(&mut setups);
        let mut bank = Bank::new(&setups, 1);
        bank.sense(&motions(), 0.0025);
        let bank = Arc::new(Mutex::new(bank));
        let stop = Arc::new(AtomicBool::new(false));
        let pump = {
            let (bank, stop) = (Arc::clone(&bank), Arc::clone(&stop));
            std::thread::spawn(move || pump(&near, &bank, &stop))
        };
        Arm {
            family,
            bank,
            path,
            stop,
            pump: Some(pump),
        }
    }

    /// Lets time pass in which nothing moves.
    pub(crate) fn drive(&self) {
        let mut bank = self.bank.lock().unwrap();
        bank.drives(monotonic_now().0, 0.0025);
        bank.sense(&motions(), 0.0025);
    }

    pub(crate) fn suffer(&self, fault: &Fault) {
        let mut bank = self.bank.lock().unwrap();
        bank.suffer(fault, monotonic_now().0);
        bank.sense(&motions(), 0.0025);
    }

    /// The device file of the line.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Ends all faults that last.
    pub(crate) fn recover(&self) {
        self.bank.lock().unwrap().recover();
    }

    pub(crate) fn register(&self, servo: usize, address: u16) -> u8 {
        let bank = self.bank.lock().unwrap();
        bank.servos()[servo].read(address, 1).unwrap()[0]
    }

    pub(crate) fn write(&self, servo: usize, address: u8, data: &[u8]) {
        let id = servo as u8 + 1;
        let mut request = vec![id, data.len() as u8 + 3, 3, address];
        request.extend_from_slice(data);
        let sum = request
            .iter()
            .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        let frame = [&[0xFF, 0xFF][..], &request, &[!sum]].concat();
        let mut bank = self.bank.lock().unwrap();
        bank.receive(monotonic_now().0, &frame);
        bank.take_due(u64::MAX, &mut Vec::new());
        bank.sense(&motions(), 0.0025);
    }

    /// As [`Arm::write`], to servos of the X series.
    pub(crate) fn write_x(&self, servo: usize, address: u16, data: &[u8]) {
        let len = (data.len() + 5) as u8;
        let [low, high] = address.to_le_bytes();
        let head = [
            0xFF,
            0xFF,
            0xFD,
            0x00,
            servo as u8 + 1,
            len,
            0,
            3,
            low,
            high,
        ];
        let frame = [&head[..], data].concat();
        let check = crc(&frame);
        let mut bank = self.bank.lock().unwrap();
        bank.receive(monotonic_now().0, &[&frame[..], &check].concat());
        bank.take_due(u64::MAX, &mut Vec::new());
        bank.sense(&motions(), 0.0025);
    }

    /// What the host's port is set to.
    pub(crate) fn set_baud(&self, baud: u32) {
        self.bank.lock().unwrap().set_host_baud(baud);
    }

    /// What the host has sent since the last call.
    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        let frames = self.bank.lock().unwrap().drain_frames();
        let host = frames
            .into_iter()
            .filter(|frame| frame.direction == Direction::Host);
        host.map(|frame| frame.bytes).collect()
    }

    pub(crate) fn find(&self) -> Bus<Found> {
        self.find_as(calibration(self.family))
    }

    pub(crate) fn find_as(&self, calibration: Calibration) -> Bus<Found> {
        let port = Port::open(&self.path, BAUD, self.family).unwrap();
        Bus::new(port, calibration).find()
    }

    pub(crate) fn ready(&self) -> Bus<Ready> {
        self.find().ready(&settings_of(self.family)).unwrap()
    }
}

impl Drop for Arm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(pump) = self.pump.take() {
            let _ = pump.join();
        }
    }
}

fn setups(family: Family) -> Vec<Setup> {
    let joints = calibration(family);
    let model = match family {
        Family::Feetech => Model::Sts3215,
        Family::Dynamixel => Model::Xl430W250,
    };
    let mounted = joints.joints().iter().zip(ENCODERS);
    mounted
        .map(|(joint, encoder_at_zero)| Setup {
            model,
            name: joint.name().into(),
            id: joint.id(),
            encoder_at_zero,
            homing_offset: joint.homing_offset(),
            range_min: joint.range().0.0 as u16,
            range_max: joint.range().1.0 as u16,
            fresh: false,
            baud: None,
        })
        .collect()
}

/// Of the joints, and of one that is doubled.
fn motions() -> [Motion; 7] {
    let [a, b, c, d, e, f] = POSE;
    [a, b, c, d, e, f, POSE[DOUBLED]].map(|position| Motion {
        position,
        ..Motion::default()
    })
}

fn pump(near: &OwnedFd, bank: &Mutex<Bank>, stop: &AtomicBool) {
    let tick = Timespec {
        tv_sec: 0,
        tv_nsec: 300_000,
    };
    let mut buffer = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        let mut fds = [PollFd::from_borrowed_fd(near.as_fd(), PollFlags::IN)];
        let _ = poll(&mut fds, Some(&tick));
        let mut bank = bank.lock().unwrap();
        if fds[0].revents().contains(PollFlags::IN) {
            if let Ok(count) = rustix::io::read(near, &mut buffer) {
                bank.receive(monotonic_now().0, &buffer[..count]);
            }
        } else if fds[0].revents().contains(PollFlags::HUP) {
            // Nobody has the port open.
            drop(bank);
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let mut out = Vec::new();
        bank.take_due(monotonic_now().0, &mut out);
        drop(bank);
        if !out.is_empty() {
            let _ = rustix::io::write(near, &out);
        }
    }
}

/// CRC-16 of protocol 2.0, bit by bit.
fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut crc: u16 = 0;
    for byte in bytes {
        for bit in (0..8).rev() {
            let carry = crc >> 15 ^ u16::from(byte >> bit & 1);
            crc = crc << 1 ^ if carry == 1 { 0x8005 } else { 0 };
        }
    }
    crc.to_le_bytes()
}
