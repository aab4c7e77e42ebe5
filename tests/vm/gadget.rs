//! A USB serial adapter that is truly unplugged: the kernel's dummy host controller has a gadget on
//! it with a CDC ACM function, which is `/dev/ttyGS0` on the adapter's side and `/dev/ttyACM0` on the
//! host's, as an SO-101's adapter is.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use surehand::host::{Host, ports};

use crate::arm::{Arm, PATIENCE, tell_running, wait_for};
use crate::bridge::Bridge;
use crate::common::Controller;

const GADGET: &str = "/sys/kernel/config/usb_gadget/arm";
/// Where the adapter's name that stays is; no udev makes it in here.
const STABLE: &str = "/dev/serial/by-id/usb-surehand_arm_0001-if00";

/// The adapter, unplugged.
struct Gadget {
    controller: String,
}

impl Gadget {
    fn make() -> Gadget {
        let put = |file: &str, text: &str| {
            let path = Path::new(GADGET).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        std::fs::create_dir(GADGET).unwrap();
        put("idVendor", "0x1a86");
        put("idProduct", "0x55d3");
        put("strings/0x409/manufacturer", "surehand");
        put("strings/0x409/product", "arm");
        put("strings/0x409/serialnumber", "0001");
        for part in ["functions/acm.usb0", "configs/c.1"] {
            std::fs::create_dir_all(Path::new(GADGET).join(part)).unwrap();
        }
        let function = Path::new(GADGET).join("functions/acm.usb0");
        symlink(function, Path::new(GADGET).join("configs/c.1/acm.usb0")).unwrap();
        let mut controllers = std::fs::read_dir("/sys/class/udc").unwrap();
        let controller = controllers.next().unwrap().unwrap().file_name();
        Gadget {
            controller: controller.into_string().unwrap(),
        }
    }

    /// Plugs it in; what the host calls it.
    fn plug(&self) -> PathBuf {
        let before = acm();
        std::fs::write(Path::new(GADGET).join("UDC"), &self.controller).unwrap();
        let tty = wait_for("plugged in", || {
            acm().into_iter().find(|tty| !before.contains(tty))
        });
        // What udev does.
        let device = Path::new("/dev").join(tty);
        let _ = std::fs::remove_file(STABLE);
        std::fs::create_dir_all(Path::new(STABLE).parent().unwrap()).unwrap();
        symlink(&device, STABLE).unwrap();
        device
    }

    fn unplug() {
        std::fs::write(Path::new(GADGET).join("UDC"), "\n").unwrap();
    }
}

fn acm() -> Vec<String> {
    let adapters = ports::adapters(&Host::at(Path::new("/")));
    adapters
        .into_iter()
        .map(|adapter| adapter.tty)
        .filter(|tty| tty.starts_with("ttyACM"))
        .collect()
}

#[test]
#[ignore = "needs the kernel's dummy host controller: tests/vm/run"]
fn an_adapter_that_is_unplugged_stops_the_arm_and_plugged_in_again_moves_nothing() {
    let arm = Arm::named("gadget");
    let gadget = Gadget::make();
    let _bridge = Bridge::start("/dev/ttyGS0", "/dev/vport0p1");
    println!("  plugged in as {}", gadget.plug().display());
    let folder = tempfile::tempdir().unwrap();
    let cell = arm.cell(Path::new(STABLE), folder.path());

    let mut controller = Controller::run(&cell, &["--job", "left"]);
    controller.events.wait_mode("running");
    arm.wait_moving(&controller);
    tell_running(&controller);
    let begin = Instant::now();
    Gadget::unplug();
    let unplugged = begin.elapsed();
    let stopping = |e: &serde_json::Value| {
        e["event"] == "mode" && (e["mode"] == "stopping" || e["mode"] == "stopped")
    };
    let stopped = controller.events.wait("a stop", stopping);
    println!(
        "  unplugging took {unplugged:.1?}, the stop was told {:.1?} after it began: {}",
        begin.elapsed(),
        stopped["cause"]
    );
    let cause = stopped["cause"].as_str().unwrap();
    assert!(cause.contains("the serial port failed"), "{cause}");
    arm.wait_standing();
    let stands = arm.joint("position");
    assert!(arm.joint("torque_enabled").iter().all(|on| *on == true));

    println!("  plugged in again as {}", gadget.plug().display());
    let there_again = |it: &serde_json::Value| {
        let cause = it["cause"].as_str();
        cause.is_some_and(|cause| cause.contains("is there again"))
    };
    let status = controller.wait_status("taken up", there_again);
    assert_eq!(status["mode"], "stopped");
    assert_eq!(status["latched"], true);
    for (before, now) in stands.iter().zip(arm.joint("position")) {
        let moved = before.as_f64().unwrap() - now.as_f64().unwrap();
        assert!(moved.abs() < 0.01, "{before} {now}");
    }
    assert_eq!(controller.verb("reset"), 0);
    assert_eq!(controller.verb("start"), 0);
    arm.wait_moving(&controller);
    assert_eq!(controller.verb("shutdown"), 0);
    controller.events.wait_exit(PATIENCE);
}
