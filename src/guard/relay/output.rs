//! The lines a relay may hang on.
//!
//! Setting one never waits: what a serial port's driver may wait for, a thread of its own does.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use gpiocdev::Request;
use gpiocdev::line::Value;
use tokio_serial::SerialPort;

use crate::cell::RelayLine;
use crate::realtime;

/// Of no matter for modem lines, but a port has a rate.
const BAUD: u32 = 9600;

/// A line that can be set.
pub(super) trait Output: Send {
    /// Sets it. One that can't be set stays as it is, and a relay that is not pumped falls.
    fn set(&mut self, high: bool);
}

/// Opens `line`, low.
///
/// # Errors
/// One line: the device, what is wrong and what to do.
pub(super) fn open(line: &RelayLine, priority: i32) -> Result<Box<dyn Output>, String> {
    match line {
        RelayLine::Gpio { chip, line } => Request::builder()
            .on_chip(chip)
            .with_consumer("surehand")
            .with_line(*line)
            .as_output(Value::Inactive)
            .request()
            .map(|request| Box::new(GpioLine(request)) as Box<dyn Output>)
            .map_err(|error| {
                let what = format!("line {line} can't be had as an output ({error})");
                no(chip, &what, "check chip, line and group")
            }),
        RelayLine::Rts(path) => serial(
            path,
            |port, high| port.write_request_to_send(high),
            priority,
        ),
        RelayLine::Dtr(path) => serial(
            path,
            |port, high| port.write_data_terminal_ready(high),
            priority,
        ),
        RelayLine::Simulated(path) => File::create(path)
            .and_then(|file| file.write_all_at(b"0", 0).map(|()| file))
            .map(|file| Box::new(FileLine(file)) as Box<dyn Output>)
            .map_err(|error| no(path, &error, "name a file that can be written")),
    }
}

fn no(path: &Path, what: &dyn std::fmt::Display, remedy: &str) -> String {
    format!("{}: {what}: {remedy}", path.display())
}

fn serial(path: &Path, set: SetLine, priority: i32) -> Result<Box<dyn Output>, String> {
    let mut port = tokio_serial::new(path.to_string_lossy(), BAUD)
        .exclusive(true)
        .open()
        .map_err(|error| {
            let what = format!("it can't be opened ({error})");
            no(path, &what, "name a serial port that nobody else uses")
        })?;
    set(port.as_mut(), false).map_err(|error| {
        let what = format!("it has no modem lines ({error})");
        no(path, &what, "name a serial port that has them")
    })?;
    SerialLine::start(port, set, priority)
        .map(|line| Box::new(line) as Box<dyn Output>)
        .map_err(|error| no(path, &error, "no thread for it"))
}

struct GpioLine(Request);

impl Output for GpioLine {
    fn set(&mut self, high: bool) {
        let value = if high { Value::Active } else { Value::Inactive };
        let _ = self.0.set_lone_value(value);
    }
}

/// A file that holds `0` or `1`.
struct FileLine(File);

impl Output for FileLine {
    fn set(&mut self, high: bool) {
        let _ = self.0.write_all_at(if high { b"1" } else { b"0" }, 0);
    }
}

type SetLine = fn(&mut dyn SerialPort, bool) -> tokio_serial::Result<()>;

/// A line of a serial port, set by a thread that is woken for it: behind USB that waits for the
/// bus. A thread that hangs sets nothing, and the relay falls.
struct SerialLine {
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    high: AtomicBool,
    closing: AtomicBool,
}

impl SerialLine {
    fn start(
        mut port: Box<dyn SerialPort>,
        set: SetLine,
        priority: i32,
    ) -> std::io::Result<SerialLine> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("relay line".into())
            .spawn(move || {
                // Refused is fine: a relay that is pumped too slowly falls.
                let _ = realtime::set_fifo((priority - 1).max(1));
                let mut shown = false;
                while !own.closing.load(Ordering::Relaxed) {
                    let high = own.high.load(Ordering::Relaxed);
                    if high == shown {
                        std::thread::park();
                    } else {
                        let _ = set(port.as_mut(), high);
                        shown = high;
                    }
                }
            })?;
        Ok(SerialLine { thread, shared })
    }
}

impl Output for SerialLine {
    fn set(&mut self, high: bool) {
        self.shared.high.store(high, Ordering::Relaxed);
        self.thread.thread().unpark();
    }
}

impl Drop for SerialLine {
    fn drop(&mut self) {
        // Not waited for: it may hang in its device.
        self.shared.closing.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_can_not_be_had_is_told_in_one_line() {
        let lines = [
            RelayLine::Gpio {
                chip: "/dev/no-such-chip".into(),
                line: 4,
            },
            RelayLine::Rts("/dev/no-such-port".into()),
            RelayLine::Simulated("/no/such/folder/relay".into()),
        ];
        for line in lines {
            let error = open(&line, 1).err().unwrap();
            assert!(error.contains("no"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
