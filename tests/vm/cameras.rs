//! Cameras through the kernel's own drivers: its test driver `vivid` is `/dev/video0`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use linuxvideo::Device;
use surehand::camera::{CameraConfig, CameraFault, Cameras, DeviceSource, Pixels, Source};
use surehand::realtime;

const NODE: &str = "/dev/video0";
/// vivid's webcam input at this size gives 30 pictures a second.
const SIZE: (u32, u32) = (640, 360);

fn config(pixels: Pixels) -> CameraConfig {
    CameraConfig {
        name: "overhead".into(),
        source: Source::Device(DeviceSource {
            path: PathBuf::from(NODE),
            bus: None,
            pixels: Some(pixels),
            rate_hz: Some(30),
            controls: vec![("brightness".into(), 140)],
        }),
        latency: Duration::ZERO,
        max_age: Duration::from_millis(250),
        width: SIZE.0,
        height: SIZE.1,
    }
}

async fn start(config: CameraConfig) -> Result<Cameras, String> {
    let started = Cameras::start(&[config], realtime::now, Duration::from_secs(5)).await;
    started.map_err(|error| error.to_string())
}

/// Sets vivid's control `name`, as a hand on the cable would.
fn turn(name: &str, value: i32) {
    let mut device = Device::open(Path::new(NODE)).unwrap();
    let control = device.controls().filter_map(Result::ok);
    let control = control
        .into_iter()
        .find(|it| it.name() == name)
        .unwrap()
        .id();
    device.write_control_raw(control, value).unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
#[ignore = "needs the test driver vivid: tests/vm/run"]
fn thirty_pictures_a_second_come_with_their_times() {
    runtime().block_on(async {
        let cameras = start(config(Pixels::Yuyv)).await.unwrap();
        let mut frame = cameras.next(0, 0).await.unwrap();
        let begin = Instant::now();
        let (mut count, mut oldest) = (0, 0);
        while begin.elapsed() < Duration::from_secs(6) {
            let next = cameras.next(0, frame.sequence).await.unwrap();
            assert!(next.captured_at > frame.captured_at);
            oldest = oldest.max(realtime::now().since(next.captured_at));
            frame = next;
            count += 1;
        }
        let rate = f64::from(count) / begin.elapsed().as_secs_f64();
        println!(
            "{rate:.2} pictures a second, the oldest {} ms",
            oldest / 1_000_000
        );
        assert!((28.0..=31.0).contains(&rate), "{rate}");
        assert_eq!((frame.image.width(), frame.image.height()), SIZE);
    });
}

#[test]
#[ignore = "needs the test driver vivid: tests/vm/run"]
fn after_a_pause_the_newest_picture_counts_and_none_is_called_younger_than_it_is() {
    runtime().block_on(async {
        let cameras = start(config(Pixels::Yuyv)).await.unwrap();
        let before = cameras.next(0, 0).await.unwrap();
        // All of this program stands still for a while, as when the machine is held up.
        let me = std::process::id();
        let mut waker = std::process::Command::new("/bin/sh")
            .args([
                "-c",
                &format!("sleep 0.2; kill -STOP {me}; sleep 0.3; kill -CONT {me}"),
            ])
            .spawn()
            .unwrap();
        let slept = waker.wait().unwrap();
        assert!(slept.success());
        let back = realtime::now();
        let after = cameras.next(0, before.sequence).await.unwrap();
        // The first that arrives from now on is new, and says so.
        let fresh = loop {
            let frame = cameras.next(0, after.sequence).await.unwrap();
            if frame.captured_at > back {
                break frame;
            }
        };
        let waited = fresh.captured_at.since(back);
        println!(
            "the first new picture came {} ms after the pause",
            waited / 1_000_000
        );
        assert!(waited < 150_000_000, "{waited}");
    });
}

#[test]
#[ignore = "needs the test driver vivid: tests/vm/run"]
fn a_camera_that_gives_nothing_for_a_while_is_lost_and_comes_back() {
    runtime().block_on(async {
        let cameras = start(config(Pixels::Yuyv)).await.unwrap();
        turn("Percentage of Dropped Buffers", 100);
        // Longer than the reader waits before it opens the camera anew.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let faults: Vec<_> = cameras.faults(realtime::now()).collect();
        turn("Percentage of Dropped Buffers", 0);
        assert_eq!(faults, [(0, CameraFault::Lost)]);
        let last = cameras.latest(0).unwrap().sequence;
        let next = tokio::time::timeout(Duration::from_secs(5), cameras.next(0, last)).await;
        assert!(next.unwrap().is_some(), "it comes back");
        assert_eq!(cameras.faults(realtime::now()).count(), 0);
    });
}

#[test]
#[ignore = "needs the test driver vivid: tests/vm/run"]
fn a_stream_that_breaks_is_begun_anew() {
    runtime().block_on(async {
        let cameras = start(config(Pixels::Yuyv)).await.unwrap();
        turn("Inject Fatal Streaming Error", 1);
        let last = cameras.latest(0).unwrap().sequence;
        let later = cameras.next(0, last + 30);
        let next = tokio::time::timeout(Duration::from_secs(5), later).await;
        assert!(next.unwrap().is_some(), "it goes on");
    });
}

#[test]
#[ignore = "needs the test driver vivid: tests/vm/run"]
fn what_the_camera_does_not_have_is_told_with_what_it_has() {
    let told = |change: fn(&mut CameraConfig, &mut DeviceSource)| {
        let mut config = config(Pixels::Yuyv);
        let Source::Device(mut device) = config.source.clone() else {
            unreachable!("it is one");
        };
        change(&mut config, &mut device);
        config.source = Source::Device(device);
        runtime().block_on(async {
            let wait = Duration::from_millis(800);
            let started = Cameras::start(&[config], realtime::now, wait).await;
            started.unwrap_err().to_string()
        })
    };
    type Case = (fn(&mut CameraConfig, &mut DeviceSource), &'static str);
    let cases: [Case; 6] = [
        (|config, _| config.width = 634, "one of 320 × 180"),
        (|_, device| device.pixels = Some(Pixels::Mjpeg), "YUYV"),
        (|_, device| device.rate_hz = Some(200), "pictures a second"),
        (
            |_, device| device.bus = Some("usb-1".into()),
            "`bus` says usb-1",
        ),
        (
            |_, device| device.controls = vec![("exposure".into(), 1)],
            "it has brightness",
        ),
        (
            |_, device| device.controls = vec![("contrast".into(), 300)],
            "goes from 0 to 255",
        ),
    ];
    for (change, telling) in cases {
        let line = told(change);
        println!("{line}");
        assert!(line.contains(telling), "{line}");
    }
}
