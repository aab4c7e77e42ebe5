//! Lines on their way to a file that may not take them now.
//!
//! Owns a bounded queue: when it is full the oldest line is lost, and a line in its place says so.
//! Never opens a file, never waits.

use std::collections::VecDeque;

/// Lines that are kept while the file takes none: some hundred kilobytes.
pub(super) const ROOM: usize = 2000;

/// One line, its newline at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the log.
    pub(super) seq: u64,
    pub(super) t_ns: u64,
    /// On the wall clock.
    pub(super) time: String,
    pub(super) text: String,
}

impl Line {
    /// A line for `event`; `more` is a JSON object with the rest of it.
    pub(super) fn new(seq: u64, t_ns: u64, time: String, event: &str, more: &str) -> Line {
        // The members of the object follow those that every line has.
        let rest = more.strip_prefix('{').filter(|rest| rest.len() > 1);
        let (comma, rest) = rest.map_or(("", "}"), |rest| (",", rest));
        let text = format!(
            r#"{{"seq":{seq},"t_ns":{t_ns},"time":"{time}","event":"{event}"{comma}{rest}"#
        ) + "\n";
        Line {
            seq,
            t_ns,
            time,
            text,
        }
    }
}

/// Lines that were lost since one was last written.
#[derive(Debug)]
struct Lost {
    first: u64,
    lines: u64,
    /// The newest of them, whose number and time the note of the loss gets.
    last: Line,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Line>,
    lost: Option<Lost>,
    lost_in_all: u64,
    /// The line that is being written, and how much of it is in the file: it is never dropped, or
    /// the file would have a torn line in the middle.
    current: Option<(Vec<u8>, usize)>,
}

impl Backlog {
    /// Puts `line` last; the oldest one gives way when there is no room.
    pub(super) fn push(&mut self, line: Line) {
        if self.waiting.len() >= ROOM
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.lost_in_all += 1;
            let (first, lines) = match &self.lost {
                Some(lost) => (lost.first, lost.lines),
                None => (oldest.seq, 0),
            };
            self.lost = Some(Lost {
                first,
                lines: lines + 1,
                last: oldest,
            });
        }
        self.waiting.push_back(line);
    }

    /// Lines that are not in the file.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() + usize::from(self.current.is_some())
    }

    /// Lines that will never be.
    pub(super) fn lost(&self) -> u64 {
        self.lost_in_all
    }

    /// What is to be written next: the rest of a line. `None` when everything is in the file.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        if self.current.is_none() {
            let text = match self.lost.take() {
                Some(lost) => {
                    let Line {
                        seq, t_ns, time, ..
                    } = lost.last;
                    let Lost { first, lines, .. } = lost;
                    let more = format!(r#"{{"first_seq":{first},"lines":{lines}}}"#);
                    Line::new(seq, t_ns, time, "lost", &more).text
                }
                None => self.waiting.pop_front()?.text,
            };
            self.current = Some((text.into_bytes(), 0));
        }
        let (text, written) = self.current.as_ref()?;
        text.get(*written..)
    }

    /// `bytes` of what was next are in the file.
    pub(super) fn written(&mut self, bytes: usize) {
        self.current = self.current.take().and_then(|(text, written)| {
            let written = written + bytes;
            (written < text.len()).then_some((text, written))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// A disk with so many bytes left.
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
    }

    impl Disk {
        /// Takes what it has room for.
        fn take(&mut self, backlog: &mut Backlog) {
            while let Some(rest) = backlog.next() {
                let taken = rest.len().min(self.room);
                if taken == 0 {
                    return;
                }
                self.room -= taken;
                self.bytes.extend_from_slice(&rest[..taken]);
                backlog.written(taken);
            }
        }
    }

    fn line(seq: u64) -> Line {
        Line::new(seq, 10 * seq, "then".into(), "test", "{\"ä\":1}")
    }

    fn sequence(disk: &Disk) -> Vec<(u64, String)> {
        let text = std::str::from_utf8(&disk.bytes).unwrap();
        text.lines()
            .map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                let event = line["event"].as_str().unwrap();
                (line["seq"].as_u64().unwrap(), event.to_owned())
            })
            .collect()
    }

    #[test]
    fn a_line_has_its_members_in_order() {
        assert_eq!(
            line(3).text,
            "{\"seq\":3,\"t_ns\":30,\"time\":\"then\",\"event\":\"test\",\"ä\":1}\n"
        );
        let bare = Line::new(0, 0, "then".into(), "end", "{}").text;
        assert!(bare.ends_with("\"event\":\"end\"}\n"), "{bare}");
    }

    #[test]
    fn a_full_disk_loses_nothing_that_fits_in_memory_and_tears_no_line() {
        let mut backlog = Backlog::default();
        let mut disk = Disk {
            bytes: Vec::new(),
            room: 100,
        };
        for seq in 0..50 {
            backlog.push(line(seq));
            disk.take(&mut backlog);
        }
        assert!(backlog.waiting() > 40);
        disk.room = usize::MAX;
        disk.take(&mut backlog);
        let expected: Vec<_> = (0..50).map(|seq| (seq, "test".to_owned())).collect();
        assert_eq!(sequence(&disk), expected);
        assert_eq!((backlog.waiting(), backlog.lost()), (0, 0));
    }

    #[test]
    fn what_has_no_room_in_memory_is_counted_where_it_would_stand() {
        let mut backlog = Backlog::default();
        let mut disk = Disk {
            bytes: Vec::new(),
            room: 70,
        };
        let all = ROOM as u64 + 10;
        for seq in 0..all {
            backlog.push(line(seq));
            disk.take(&mut backlog);
        }
        disk.room = usize::MAX;
        disk.take(&mut backlog);
        let found = sequence(&disk);
        // The first is whole, the second begun; then a gap that says how long it is.
        let begun = found.iter().position(|(_, event)| event == "lost").unwrap();
        let text = String::from_utf8(disk.bytes).unwrap();
        let lost: Value = serde_json::from_str(text.lines().nth(begun).unwrap()).unwrap();
        assert_eq!(lost["first_seq"], begun as u64);
        assert_eq!(lost["lines"], backlog.lost());
        assert_eq!(lost["seq"], begun as u64 + backlog.lost() - 1);
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(found.len() as u64, all - backlog.lost() + 1);
        assert_eq!(found.last(), Some(&(all - 1, "test".to_owned())));
    }
}
