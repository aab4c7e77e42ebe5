//! A policy server as openpi's is: made from its protocol, with codecs of its own.
//!
//! It moves nothing but the first joint, round and round about where it is told to be: any action is
//! a function of the state it was sent.

#![allow(
    clippy::result_large_err,
    reason = "the shape of a refusal is the websocket library's"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmpv::Value;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::{Message, WebSocket, accept_hdr};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// With actions.
    #[default]
    Well,
    /// Not at all.
    Silent,
    /// With a text that is a traceback, and the end of the connection.
    Traceback,
    /// With fewer actions than asked for.
    Short,
    /// With NaN.
    Nan,
    /// With more bytes than anybody asked for.
    Huge,
    /// By closing the connection.
    Closing,
}

/// What an array was sent as.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    pub dtype: String,
    pub shape: Vec<u64>,
    pub data: Vec<u8>,
}

/// What it was sent last: arrays and texts by their keys, a dot between those of nested maps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub arrays: BTreeMap<String, Sent>,
    pub texts: BTreeMap<String, String>,
    /// How many observations there were, and connections.
    pub asked: u32,
    pub connections: u32,
    pub health_checks: u32,
    /// The last `Authorization`.
    pub authorization: Option<String>,
}

#[derive(Debug, Default)]
struct Desk {
    manner: Mutex<Manner>,
    seen: Mutex<Seen>,
    open: Mutex<Vec<TcpStream>>,
    closing: AtomicBool,
}

/// The server; it ends with this.
pub struct PolicyServer {
    desk: Arc<Desk>,
    pub port: u16,
}

/// How many actions it gives, how many values each has, and how many there are a second.
pub const HORIZON: usize = 12;
pub const WIDTH: usize = 6;
pub const RATE_HZ: f64 = 15.0;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PolicyServer {
    pub fn start() -> PolicyServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let desk = Arc::new(Desk::default());
        let shared = Arc::clone(&desk);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.closing.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        PolicyServer { desk, port }
    }

    pub fn address(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub fn answer(&self, manner: Manner) {
        *locked(&self.desk.manner) = manner;
    }

    pub fn seen(&self) -> Seen {
        locked(&self.desk.seen).clone()
    }

    /// Cuts every connection there is.
    pub fn cut(&self) {
        for stream in locked(&self.desk.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for PolicyServer {
    fn drop(&mut self) {
        self.desk.closing.store(true, Ordering::Relaxed);
        self.cut();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut stream: TcpStream, desk: &Desk) {
    let mut first = [0; 12];
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time-out");
    if stream.peek(&mut first).is_ok_and(|read| read > 10) && first.starts_with(b"GET /healthz") {
        locked(&desk.seen).health_checks += 1;
        let mut request = [0; 1024];
        let _ = stream.read(&mut request);
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nOK\n");
        return;
    }
    locked(&desk.open).push(stream.try_clone().expect("a handle"));
    let head = |request: &Request, response: Response| {
        let authorization = request.headers().get("authorization");
        let authorization = authorization.map(|it| it.to_str().unwrap_or("?").to_owned());
        let mut seen = locked(&desk.seen);
        seen.connections += 1;
        seen.authorization = authorization;
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr(stream, head) else {
        return;
    };
    socket
        .get_ref()
        .set_read_timeout(None)
        .expect("no time-out");
    let metadata = Value::Map(vec![
        ("model".into(), "double".into()),
        (
            "reset_pose".into(),
            Value::Array(vec![0.0.into(), 1.5.into()]),
        ),
    ]);
    if send(&mut socket, &metadata).is_err() {
        return;
    }
    while let Ok(message) = socket.read() {
        let Message::Binary(bytes) = message else {
            continue;
        };
        let observation = rmpv::decode::read_value(&mut bytes.as_ref()).expect("msgpack");
        note(&observation, &mut locked(&desk.seen));
        let manner = *locked(&desk.manner);
        let sent = match manner {
            Manner::Silent => continue,
            Manner::Closing => {
                let _ = socket.close(None);
                let _ = socket.flush();
                return;
            }
            Manner::Traceback => {
                let text = "Traceback (most recent call last):\n  File \"policy.py\", line 7\n\
                     KeyError: 'observation/joint_position'\n";
                let _ = socket.send(Message::Text(text.into()));
                let _ = socket.close(None);
                return;
            }
            Manner::Huge => socket
                .send(Message::Binary(vec![0; 8 << 20].into()))
                .map_err(|_| ()),
            Manner::Short => send(&mut socket, &answer(desk, HORIZON - 1, 0.0)),
            Manner::Nan => send(&mut socket, &answer(desk, HORIZON, f64::NAN)),
            Manner::Well => send(&mut socket, &answer(desk, HORIZON, 0.0)),
        };
        if sent.is_err() {
            return;
        }
    }
}

fn send(socket: &mut WebSocket<TcpStream>, value: &Value) -> Result<(), ()> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).map_err(|_| ())?;
    socket.send(Message::Binary(bytes.into())).map_err(|_| ())
}

fn bin(text: &str) -> Value {
    Value::Binary(text.as_bytes().to_vec())
}

/// Notes arrays and texts of an observation.
fn note(observation: &Value, seen: &mut Seen) {
    seen.asked += 1;
    seen.arrays.clear();
    seen.texts.clear();
    walk(observation, "", seen);
}

fn walk(value: &Value, path: &str, seen: &mut Seen) {
    let Value::Map(members) = value else { return };
    for (key, value) in members {
        let key = format!("{path}{}", key.as_str().expect("a text key"));
        let Value::Map(inner) = value else {
            let text = value.as_str().expect("a text").to_owned();
            seen.texts.insert(key, text);
            continue;
        };
        let part = |name: &str| {
            let found = inner.iter().find(|(key, _)| *key == bin(name));
            found.map(|(_, value)| value)
        };
        if part("__ndarray__") != Some(&Value::Boolean(true)) {
            walk(value, &format!("{key}."), seen);
            continue;
        }
        let shape = part("shape").and_then(Value::as_array).expect("a shape");
        let sent = Sent {
            dtype: part("dtype")
                .and_then(Value::as_str)
                .expect("a dtype")
                .to_owned(),
            shape: shape
                .iter()
                .map(|it| it.as_u64().expect("a size"))
                .collect(),
            data: part("data")
                .and_then(Value::as_slice)
                .expect("bytes")
                .to_vec(),
        };
        seen.arrays.insert(key, sent);
    }
}

/// The floats of an array.
pub fn floats(sent: &Sent) -> Vec<f32> {
    assert_eq!(sent.dtype, "<f4");
    let each = sent.data.chunks_exact(4);
    each.map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]]))
        .collect()
}

/// Actions that hold what it was told, but for the first joint, which goes on at 0.25 rad/s towards
/// the other side.
fn answer(desk: &Desk, horizon: usize, broken: f64) -> Value {
    let seen = locked(&desk.seen);
    let state: Vec<f32> = ["observation/joint_position", "observation/gripper_position"]
        .iter()
        .filter_map(|key| seen.arrays.get(*key))
        .flat_map(floats)
        .collect();
    let mut data = Vec::new();
    for step in 0..horizon {
        for joint in 0..WIDTH {
            let is = f64::from(*state.get(joint).unwrap_or(&0.0));
            let ahead = 0.25 * (step as f64 + 1.0) / RATE_HZ;
            let value = if joint == 0 { is - ahead } else { is } + broken;
            data.extend(value.to_le_bytes());
        }
    }
    let array = Value::Map(vec![
        (bin("__ndarray__"), true.into()),
        (bin("data"), Value::Binary(data)),
        (bin("dtype"), "<f8".into()),
        (
            bin("shape"),
            Value::Array(vec![(horizon as u64).into(), (WIDTH as u64).into()]),
        ),
    ]);
    let timing = Value::Map(vec![("infer_ms".into(), 3.5.into())]);
    Value::Map(vec![
        ("actions".into(), array),
        ("policy_timing".into(), timing.clone()),
        ("server_timing".into(), timing),
    ])
}
