//! GigE Vision cameras through the real protocol: against aravis' fake camera on the loopback, which
//! `tests/gige/run` looks for.

#![cfg(feature = "aravis")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod process;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use surehand::camera::{
    CameraConfig, CameraFault, Cameras, FeatureValue, GigePixels, GigeSource, Look, Source,
};
use surehand::realtime;

/// aravis' fake camera; killed with this.
pub struct Fake(Child);

impl Fake {
    /// With this serial number, losing so many of a thousand packets.
    pub fn start(serial: &str, lost: u32) -> Fake {
        let child = Command::new("arv-fake-gv-camera-0.8")
            .args(["-i", "127.0.0.1", "-s", serial, "-r", &lost.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Fake(child)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The serial number of the fake camera.
pub const SERIAL: &str = "GV07";

fn source() -> GigeSource {
    GigeSource {
        name: "127.0.0.1".into(),
        serial: Some(SERIAL.into()),
        pixels: Some(GigePixels::Rgb8),
        rate_hz: Some(30),
        packet_bytes: Some(9000),
        features: Vec::new(),
    }
}

fn config(source: GigeSource, (width, height): (u32, u32)) -> CameraConfig {
    CameraConfig {
        name: "overhead".into(),
        source: Source::Gige(source),
        latency: Duration::ZERO,
        max_age: Duration::from_millis(400),
        width,
        height,
    }
}

async fn start(config: CameraConfig) -> Result<Cameras, String> {
    let started = Cameras::start(&[config], realtime::now, Duration::from_secs(15)).await;
    started.map_err(|error| error.to_string())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Pictures a second over `time`, and the age of the oldest when it was taken up, ms.
async fn watched(cameras: &Cameras, time: Duration) -> (f64, u64) {
    let mut frame = cameras.latest(0).unwrap();
    let (begin, mut count, mut oldest) = (Instant::now(), 0, 0);
    while begin.elapsed() < time {
        let next = cameras.next(0, frame.sequence).await.unwrap();
        assert!(next.captured_at > frame.captured_at);
        oldest = oldest.max(realtime::now().since(next.captured_at));
        frame = next;
        count += 1;
    }
    (
        f64::from(count) / begin.elapsed().as_secs_f64(),
        oldest / 1_000_000,
    )
}

#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn every_format_comes_in_its_size_at_its_rate() {
    let _fake = Fake::start(SERIAL, 0);
    let cases = [
        (GigePixels::Rgb8, (640, 480), 30),
        (GigePixels::Rgb8, (320, 240), 60),
        (GigePixels::Mono8, (640, 480), 30),
        (GigePixels::BayerRg8, (640, 480), 30),
        (GigePixels::BayerGb8, (320, 240), 15),
        (GigePixels::BayerGr8, (320, 240), 30),
        (GigePixels::BayerBg8, (318, 242), 30),
    ];
    for (pixels, size, rate_hz) in cases {
        let source = GigeSource {
            pixels: Some(pixels),
            rate_hz: Some(rate_hz),
            ..source()
        };
        runtime().block_on(async {
            let cameras = start(config(source, size)).await.unwrap();
            let (rate, oldest) = watched(&cameras, Duration::from_secs(4)).await;
            let image = cameras.latest(0).unwrap().image;
            let wanted = f64::from(rate_hz);
            println!(
                "{} {size:?}: {rate:.2} for {wanted}, the oldest {oldest} ms",
                pixels.name()
            );
            assert_eq!((image.width(), image.height()), size);
            // A busy machine loses packets of a camera that sends a picture in one burst.
            assert!((0.5 * wanted..=1.05 * wanted).contains(&rate), "{rate}");
        });
    }
}

/// The fake camera's picture goes from blue over green to red along its rows, and begins at blue
/// again: whether somewhere blue follows upon red.
fn blue_follows_red(width: usize, rgb: &[u8]) -> bool {
    let row: Vec<&[u8]> = rgb.chunks_exact(3).take(width).collect();
    let strong = |pixel: &[u8], one: usize, other: usize| pixel[one] > 100 && pixel[other] < 50;
    row.windows(6)
        .any(|near| strong(near[0], 0, 2) && strong(near[5], 2, 0))
}

// Those of BayerRG8 and BayerBG8 are changed over in the fake camera.
#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn colours_behind_a_pattern_are_those_without_one() {
    let _fake = Fake::start(SERIAL, 0);
    let picture = |pixels| {
        let source = GigeSource {
            pixels: Some(pixels),
            ..source()
        };
        runtime().block_on(async {
            let cameras = start(config(source, (510, 256))).await.unwrap();
            cameras.latest(0).unwrap().image
        })
    };
    let plain = picture(GigePixels::Rgb8);
    assert!(blue_follows_red(510, plain.data()));
    let plain = Look::of(510, plain.data());
    for pixels in [GigePixels::BayerGb8, GigePixels::BayerGr8] {
        let behind = picture(pixels);
        assert!(blue_follows_red(510, behind.data()), "{pixels:?}");
        let behind = Look::of(510, behind.data());
        println!("{}: {:?} for {:?}", pixels.name(), behind.mean, plain.mean);
        for (is, should) in behind.mean.into_iter().zip(plain.mean) {
            assert!((is - should).abs() < 0.03, "{behind:?} {plain:?}");
        }
    }
}

#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn a_camera_that_is_switched_off_is_lost_and_comes_back() {
    let fake = Fake::start(SERIAL, 0);
    runtime().block_on(async {
        let cameras = start(config(source(), (320, 240))).await.unwrap();
        drop(fake);
        tokio::time::sleep(Duration::from_millis(900)).await;
        let faults: Vec<_> = cameras.faults(realtime::now()).collect();
        assert_eq!(faults, [(0, CameraFault::Lost)]);
        let last = cameras.latest(0).unwrap().sequence;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let _fake = Fake::start(SERIAL, 0);
        let begin = Instant::now();
        let next = tokio::time::timeout(Duration::from_secs(30), cameras.next(0, last)).await;
        assert!(next.unwrap().is_some(), "it comes back");
        println!(
            "it gave pictures {:.1} s after it was back",
            begin.elapsed().as_secs_f64()
        );
        let (rate, _) = watched(&cameras, Duration::from_secs(2)).await;
        assert!(rate > 25.0, "{rate}");
        assert_eq!(cameras.faults(realtime::now()).count(), 0);
    });
}

#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn another_camera_at_the_same_address_is_not_taken_for_the_one_before() {
    let fake = Fake::start(SERIAL, 0);
    runtime().block_on(async {
        let cameras = start(config(source(), (320, 240))).await.unwrap();
        drop(fake);
        let _other = Fake::start("GV08", 0);
        tokio::time::sleep(Duration::from_secs(8)).await;
        let faults: Vec<_> = cameras.faults(realtime::now()).collect();
        assert_eq!(faults, [(0, CameraFault::Lost)]);
    });
}

#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn a_picture_with_holes_is_dropped_and_the_whole_ones_go_on() {
    let _fake = Fake::start(SERIAL, 5);
    runtime().block_on(async {
        // 28 packets a picture, and two around them: one of seven is hit.
        let cameras = start(config(source(), (320, 240))).await.unwrap();
        let (rate, _) = watched(&cameras, Duration::from_secs(6)).await;
        println!("{rate:.2} whole pictures of 30 a second");
        assert!((15.0..29.0).contains(&rate), "{rate}");
    });
}

#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn a_camera_goes_by_its_serial_number_or_its_whole_name() {
    let _fake = Fake::start(SERIAL, 0);
    for name in [SERIAL, "Aravis-Fake-GV07"] {
        let source = GigeSource {
            name: name.into(),
            serial: None,
            ..source()
        };
        runtime().block_on(async {
            let started = start(config(source, (320, 240))).await;
            assert!(started.is_ok(), "{name}: {}", started.unwrap_err());
        });
    }
}

#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn features_are_set_and_shown_in_the_picture() {
    let _fake = Fake::start(SERIAL, 0);
    let contrast = |features: &[(&str, FeatureValue)]| {
        let features = features
            .iter()
            .map(|(name, value)| ((*name).into(), value.clone()));
        let source = GigeSource {
            pixels: Some(GigePixels::Mono8),
            features: features.collect(),
            ..source()
        };
        runtime().block_on(async {
            let cameras = start(config(source, (512, 256))).await.unwrap();
            let image = cameras.latest(0).unwrap().image;
            Look::of(512, image.data()).mean[0]
        })
    };
    let usual = contrast(&[
        ("ExposureTimeAbs", FeatureValue::Integer(10_000)),
        ("GainRaw", FeatureValue::Integer(0)),
    ]);
    let dark = contrast(&[
        ("ExposureTimeAbs", FeatureValue::Float(3000.0)),
        ("GainAuto", FeatureValue::Text("Off".into())),
        ("GainRaw", FeatureValue::Integer(0)),
    ]);
    println!("brightness {usual:.3} at 10 ms, {dark:.3} at 3 ms");
    // 1 + log10(0.3) of the usual.
    assert!((dark / usual - 0.477).abs() < 0.05, "{usual} {dark}");
}

#[test]
#[ignore = "needs aravis' fake camera: tests/gige/run"]
fn what_the_camera_does_not_have_is_told_with_what_it_has() {
    let _fake = Fake::start(SERIAL, 0);
    let told = |change: fn(&mut CameraConfig, &mut GigeSource)| {
        let mut source = source();
        let mut config = config(source.clone(), (320, 240));
        change(&mut config, &mut source);
        config.source = Source::Gige(source);
        runtime().block_on(async {
            let wait = Duration::from_millis(4000);
            let started = Cameras::start(&[config], realtime::now, wait).await;
            started.unwrap_err().to_string()
        })
    };
    type Case = (fn(&mut CameraConfig, &mut GigeSource), &'static str);
    fn feature(source: &mut GigeSource, name: &str, value: FeatureValue) {
        source.features = vec![(name.into(), value)];
    }
    let cases: [Case; 9] = [
        (
            |_, it| it.serial = Some("GV01".into()),
            "serial number is GV07, and the cell says GV01",
        ),
        (
            |_, it| (it.name, it.serial) = ("GV01".into(), None),
            "no camera of this name answers",
        ),
        (
            |config, _| config.width = 2056,
            "its sensor has 2048 × 2048",
        ),
        (|_, it| it.rate_hz = Some(3000), "and `rate_hz` says 3000"),
        (
            |_, it| feature(it, "Exposure", FeatureValue::Integer(1)),
            "no feature Exposure",
        ),
        (
            |_, it| feature(it, "ExposureTimeAbs", FeatureValue::Float(1.0)),
            "ExposureTimeAbs goes from 10 to",
        ),
        (
            |_, it| feature(it, "GainRaw", FeatureValue::Integer(11)),
            "GainRaw goes from 0 to 10, not to 11",
        ),
        (
            |_, it| feature(it, "GainAuto", FeatureValue::Text("Sometimes".into())),
            "GainAuto does not take \"Sometimes\"",
        ),
        (
            |_, it| feature(it, "GainRaw", FeatureValue::Text("much".into())),
            "GainRaw does not take \"much\"",
        ),
    ];
    for (change, telling) in cases {
        let line = told(change);
        println!("{line}");
        assert!(line.contains(telling), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}
