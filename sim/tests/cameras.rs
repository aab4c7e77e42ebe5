//! Camera streams and camera faults, over HTTP.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::Sim;

/// The parts of a stream, one JPEG at a time.
struct Stream {
    socket: TcpStream,
    pending: Vec<u8>,
}

impl Stream {
    fn open(sim: &Sim, path: &str) -> Stream {
        let mut stream = Stream {
            socket: sim.connect("GET", path, ""),
            pending: Vec::new(),
        };
        let head = stream.until(b"\r\n\r\n");
        assert!(
            head.contains("multipart/x-mixed-replace; boundary=frame"),
            "{head}"
        );
        stream
    }

    fn more(&mut self) {
        let mut buffer = [0; 4096];
        let count = self.socket.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the stream ended");
        self.pending.extend_from_slice(&buffer[..count]);
    }

    fn until(&mut self, mark: &[u8]) -> String {
        loop {
            let found = self.pending.windows(mark.len()).position(|w| w == mark);
            if let Some(at) = found {
                let head = self.pending.drain(..at + mark.len()).collect();
                return String::from_utf8(head).unwrap();
            }
            self.more();
        }
    }

    fn next(&mut self) -> Vec<u8> {
        // The body of the answer is itself in chunks, whose sizes stand before each part.
        self.until(b"--frame\r\n");
        let head = self.until(b"\r\n\r\n");
        assert!(head.contains("Content-Type: image/jpeg\r\n"), "{head}");
        let length = head.split("Content-Length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        while self.pending.len() < length {
            self.more();
        }
        let jpeg: Vec<u8> = self.pending.drain(..length).collect();
        assert!(jpeg.starts_with(&[0xFF, 0xD8]) && jpeg.ends_with(&[0xFF, 0xD9]));
        jpeg
    }
}

/// Width and height from the frame header.
fn size(jpeg: &[u8]) -> [u16; 2] {
    let at = jpeg
        .windows(2)
        .position(|w| w == [0xFF, 0xC0])
        .expect("a baseline frame header");
    let number = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    [number(at + 7), number(at + 5)]
}

#[test]
fn a_stream_delivers_about_thirty_pictures_a_second() {
    let sim = Sim::start();
    let mut stream = Stream::open(&sim, "/cameras/overhead.mjpg");
    stream.next();
    let start = Instant::now();
    for _ in 0..30 {
        stream.next();
    }
    let secs = start.elapsed().as_secs_f64();
    assert!((0.8..3.0).contains(&secs), "{secs}");
}

#[test]
fn no_two_pictures_of_a_still_scene_are_the_same_bytes() {
    let sim = Sim::start();
    let mut stream = Stream::open(&sim, "/cameras/wrist.mjpg");
    let first = stream.next();
    assert_eq!(size(&first), [96, 96]);
    assert_ne!(first, stream.next());
}

#[test]
fn one_picture_can_be_had_alone() {
    let sim = Sim::start();
    let reply = sim.get("/cameras/overhead.jpg");
    assert_eq!((reply.status, size(&reply.body)), (200, [96, 96]));
    assert_eq!(sim.get("/cameras/left.jpg").status, 404);
    assert_eq!(sim.get("/cameras/overhead.png").status, 404);
}

#[test]
fn people_have_a_larger_view_and_a_page() {
    let sim = Sim::start();
    let view = sim.get("/view.jpg");
    assert!(view.status == 200 && size(&view.body)[0] > 300);
    let page = String::from_utf8(sim.get("/").body).unwrap();
    assert!(page.contains(r#"["overhead","wrist"]"#) && page.contains("/view.mjpg"));
}

#[test]
fn a_client_that_does_not_read_slows_nobody() {
    let sim = Sim::start();
    let _idle: Vec<TcpStream> = (0..3)
        .map(|_| sim.connect("GET", "/cameras/overhead.mjpg", ""))
        .collect();
    let mut stream = Stream::open(&sim, "/cameras/overhead.mjpg");
    let start = Instant::now();
    for _ in 0..30 {
        stream.next();
    }
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_frozen_camera_repeats_its_picture_and_recovers() {
    let sim = Sim::start();
    let mut stream = Stream::open(&sim, "/cameras/overhead.mjpg");
    stream.next();
    sim.post(
        "/faults",
        r#"{"fault": "camera_freeze", "camera": "overhead"}"#,
    );
    let repeats = |stream: &mut Stream| {
        let mut last = stream.next();
        for _ in 0..30 {
            let next = stream.next();
            if next == last {
                return true;
            }
            last = next;
        }
        false
    };
    assert!(repeats(&mut stream));
    sim.request("DELETE", "/faults", "");
    let mut last = stream.next();
    let changed = (0..30).any(|_| {
        let next = stream.next();
        next != std::mem::replace(&mut last, next.clone())
    });
    assert!(changed);
}

#[test]
fn a_resized_camera_delivers_another_size_and_its_own_again() {
    let sim = Sim::start();
    sim.post(
        "/faults",
        r#"{"fault": "camera_resize", "camera": "wrist", "width": 64, "height": 48}"#,
    );
    assert_eq!(size(&sim.get("/cameras/wrist.jpg").body), [64, 48]);
    assert_eq!(size(&sim.get("/cameras/overhead.jpg").body), [96, 96]);
    sim.request("DELETE", "/faults", "");
    assert_eq!(size(&sim.get("/cameras/wrist.jpg").body), [96, 96]);
}

#[test]
fn a_black_picture_is_small_and_a_dropped_one_does_not_come() {
    let sim = Sim::start();
    let lit = sim.get("/cameras/wrist.jpg").body.len();
    sim.post("/faults", r#"{"fault": "camera_black", "camera": "wrist"}"#);
    assert!(sim.get("/cameras/wrist.jpg").body.len() < lit / 2);
    sim.post("/faults", r#"{"fault": "camera_drop", "camera": "wrist"}"#);
    assert_eq!(sim.get("/cameras/wrist.jpg").status, 503);
}
