//! Cameras against a small server on the loopback, in real time with generous bounds.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use jpeg_encoder::{ColorType, Encoder};

use super::*;
use crate::units::MonoTime;

fn now() -> MonoTime {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    MonoTime(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// A JPEG of `width` × `height` pixels of one colour with a mark that depends on `seed`.
fn jpeg(width: u16, height: u16, colour: [u8; 3], seed: usize) -> Vec<u8> {
    let mut pixels = colour.repeat(usize::from(width) * usize::from(height));
    if colour != [0; 3] {
        let mark = (seed * 3) % pixels.len();
        for value in pixels.iter_mut().skip(mark).take(48) {
            *value = 255 - *value;
        }
    }
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 95)
        .encode(&pixels, width, height, ColorType::Rgb)
        .unwrap();
    bytes
}

const RED: [u8; 3] = [200, 40, 90];

/// Sends the head of a stream.
fn head(socket: &mut TcpStream) {
    let mut request = [0; 1024];
    let got = socket.read(&mut request).unwrap();
    assert!(request[..got].starts_with(b"GET /cameras/wrist.mjpg HTTP/1.1\r\n"));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
    socket.write_all(head.as_bytes()).unwrap();
}

/// Sends one picture; `false` when nobody listens any more.
fn send(socket: &mut TcpStream, jpeg: &[u8]) -> bool {
    let head = format!(
        "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
        jpeg.len()
    );
    let whole = [head.as_bytes(), jpeg, b"\r\n"].concat();
    socket.write_all(&whole).is_ok()
}

fn server() -> (TcpListener, CameraConfig) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = CameraConfig {
        name: "wrist".into(),
        source: Source::Stream {
            url: format!("mjpeg://127.0.0.1:{port}/cameras/wrist.mjpg"),
            login: None,
        },
        latency: Duration::from_millis(20),
        max_age: Duration::from_millis(300),
        width: 32,
        height: 24,
    };
    (listener, config)
}

/// Serves a new picture every 20 ms to one client, then repeats `last` for ever.
fn serve(listener: TcpListener, count: usize, last: Vec<u8>) {
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        head(&mut socket);
        for seed in 0.. {
            let picture = if seed < count {
                jpeg(32, 24, RED, seed)
            } else {
                last.clone()
            };
            if !send(&mut socket, &picture) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
}

async fn fault(cameras: &Cameras) -> CameraFault {
    for _ in 0..500 {
        if let Some((camera, fault)) = cameras.faults(now()).next() {
            assert_eq!(camera, 0);
            return fault;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no fault within 5 s");
}

async fn start(config: CameraConfig) -> Cameras {
    Cameras::start(&[config], now, Duration::from_secs(20))
        .await
        .unwrap()
}

#[tokio::test]
async fn pictures_arrive_in_order_with_their_capture_time() {
    let (listener, config) = server();
    serve(listener, usize::MAX, Vec::new());
    let cameras = start(config).await;
    assert_eq!(cameras.names().collect::<Vec<_>>(), ["wrist"]);
    let first = cameras.latest(0).unwrap();
    let next = cameras.next(0, first.sequence).await.unwrap();
    assert!(next.sequence > first.sequence && next.captured_at > first.captured_at);
    assert!(
        now().since(next.captured_at) >= 20_000_000,
        "latency is counted"
    );
    assert_eq!((next.image.width(), next.image.height()), (32, 24));
    // The last corner is away from the mark.
    let corner = &next.image.data()[32 * 23 * 3..][..3];
    for (value, expected) in corner.iter().zip(RED) {
        assert!(value.abs_diff(expected) < 30, "{corner:?}");
    }
    assert!(cameras.latest(1).is_none());
}

#[tokio::test]
async fn a_repeated_picture_is_a_frozen_camera() {
    let (listener, config) = server();
    serve(listener, 5, jpeg(32, 24, RED, 4));
    assert_eq!(fault(&start(config).await).await, CameraFault::Frozen);
}

#[tokio::test]
async fn black_pictures_and_another_size_are_unusable() {
    for last in [jpeg(32, 24, [0; 3], 0), jpeg(24, 32, RED, 0)] {
        let (listener, config) = server();
        serve(listener, 5, last);
        let cameras = start(config).await;
        assert_eq!(fault(&cameras).await, CameraFault::Unusable);
        let kept = cameras.latest(0).unwrap();
        assert_eq!((kept.image.width(), kept.image.height()), (32, 24));
    }
}

#[tokio::test]
async fn what_is_no_picture_is_a_lost_camera() {
    let (listener, config) = server();
    serve(listener, 5, b"\xff\xd8 not a picture".to_vec());
    assert_eq!(fault(&start(config).await).await, CameraFault::Lost);
}

#[tokio::test]
async fn a_closed_stream_is_lost_and_then_found_again() {
    let (listener, config) = server();
    thread::spawn(move || {
        for round in 0..2 {
            let (mut socket, _) = listener.accept().unwrap();
            head(&mut socket);
            for seed in 0..10 {
                send(&mut socket, &jpeg(32, 24, RED, round * 20 + seed));
                thread::sleep(Duration::from_millis(10));
            }
            drop(socket);
            thread::sleep(Duration::from_millis(600));
        }
    });
    let cameras = start(config).await;
    assert_eq!(fault(&cameras).await, CameraFault::Lost);
    let before = cameras.latest(0).unwrap().sequence;
    let again = cameras.next(0, before);
    let again = tokio::time::timeout(Duration::from_secs(20), again).await;
    assert!(again.unwrap().unwrap().sequence > before);
}

#[tokio::test]
async fn a_camera_that_gives_nothing_is_named_with_its_address() {
    let start = |config: CameraConfig| async move {
        let wait = Duration::from_millis(500);
        let error = Cameras::start(&[config], now, wait).await.unwrap_err();
        (error.is_configuration(), error.to_string())
    };
    let (listener, config) = server();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (configuration, line) = start(config.clone()).await;
    assert!(!configuration);
    assert!(line.contains("camera wrist"), "{line}");
    assert!(
        line.contains(&format!("mjpeg://127.0.0.1:{port}/cameras/wrist.mjpg")),
        "{line}"
    );
    assert!(line.contains("refused"), "{line}");

    let (listener, small) = server();
    serve(listener, 0, jpeg(8, 8, RED, 0));
    let (_, line) = start(small).await;
    assert!(line.contains("width and height"), "{line}");

    let nonsense = CameraConfig {
        source: Source::Stream {
            url: "rtsp://x/y".into(),
            login: None,
        },
        ..config
    };
    let (configuration, line) = start(nonsense).await;
    assert!(configuration && line.contains("rtsp"), "{line}");
}

#[test]
fn a_grey_picture_becomes_rgb() {
    let mut bytes = Vec::new();
    let pixels: Vec<u8> = (0..32 * 24).map(|i| (i % 200) as u8).collect();
    Encoder::new(&mut bytes, 95)
        .encode(&pixels, 32, 24, ColorType::Luma)
        .unwrap();
    let image = decode(&bytes).unwrap();
    assert_eq!((image.width(), image.height()), (32, 24));
    for pixel in image.data().chunks_exact(3) {
        assert!(pixel[0] == pixel[1] && pixel[1] == pixel[2]);
    }
}

proptest::proptest! {
    #[test]
    fn a_damaged_picture_never_panics(
        at in 0usize..3000, byte in proptest::prelude::any::<u8>(), cut in 0usize..3000,
    ) {
        let mut bytes = jpeg(32, 24, RED, 3);
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        let _ = decode(&bytes);
    }
}

/// Answers each of `challenges` to one request, then serves; what the last request said.
fn serve_after(
    listener: TcpListener,
    challenges: &'static [&'static str],
) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        for challenge in challenges {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let got = socket.read(&mut request).unwrap();
            let text = String::from_utf8_lossy(&request[..got]).into_owned();
            if text.to_lowercase().contains("authorization:") {
                return text;
            }
            let head = format!(
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
            );
            socket.write_all(head.as_bytes()).unwrap();
        }
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let got = socket.read(&mut request).unwrap();
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
        socket.write_all(head.as_bytes()).unwrap();
        for seed in 0..50 {
            if !send(&mut socket, &jpeg(32, 24, RED, seed)) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        String::from_utf8_lossy(&request[..got]).into_owned()
    })
}

fn with_login(mut config: CameraConfig, wanted: Option<Login>) -> CameraConfig {
    if let Source::Stream { login, .. } = &mut config.source {
        *login = wanted;
    }
    config
}

/// A login in a file of its own, as long as that lives.
fn login(folder: &tempfile::TempDir) -> Login {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.path().join("camera.login");
    std::fs::write(&path, "root:pass\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    Login::read(&path).unwrap()
}

#[tokio::test]
async fn a_camera_that_wants_a_login_gets_it_as_it_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    const DIGEST: &str =
        "Digest realm=\"AXIS_ACCC8E\", nonce=\"ee8f1a\", algorithm=MD5, qop=\"auth\"";
    let wanted: [(&[&str], &[&str]); 2] = [
        (
            &[DIGEST],
            &[
                "Digest username=\"root\"",
                "nonce=\"ee8f1a\"",
                "uri=\"/cameras/wrist.mjpg\"",
            ],
        ),
        (&["Basic realm=\"camera\""], &["Basic cm9vdDpwYXNz"]),
    ];
    for (challenges, parts) in wanted {
        let (listener, config) = server();
        let asked = serve_after(listener, challenges);
        let config = with_login(config, Some(login(&folder)));
        let cameras = start(config).await;
        assert!(cameras.latest(0).is_some());
        drop(cameras);
        let request = asked.join().unwrap();
        for part in parts {
            assert!(request.contains(part), "{part} in {request}");
        }
    }
}

#[tokio::test]
async fn a_login_that_is_missing_or_refused_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let basic = "Basic realm=\"camera\"";
    for (login, said) in [
        (None, "wants a login"),
        (Some(login(&folder)), "refuses the login"),
    ] {
        let (listener, config) = server();
        thread::spawn(move || {
            while let Ok((mut socket, _)) = listener.accept() {
                let mut request = [0; 1024];
                let _ = socket.read(&mut request);
                let head = format!(
                    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {basic}\r\nContent-Length: 0\r\n\r\n"
                );
                let _ = socket.write_all(head.as_bytes());
            }
        });
        let config = with_login(config, login);
        let error = Cameras::start(&[config], now, Duration::from_secs(1)).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_camera_of_this_machine_that_is_not_there_is_told_and_looked_for_again() {
    let (_, config) = server();
    let device = DeviceSource {
        path: "/dev/v4l/by-id/none".into(),
        bus: None,
        pixels: None,
        rate_hz: None,
        controls: Vec::new(),
    };
    let config = CameraConfig {
        source: Source::Device(device),
        ..config
    };
    let error = Cameras::start(&[config], now, Duration::from_millis(400)).await;
    let error = error.unwrap_err();
    assert!(!error.is_configuration());
    let line = error.to_string();
    assert!(line.contains("/dev/v4l/by-id/none"), "{line}");
    assert!(line.contains("it is not there"), "{line}");
}
