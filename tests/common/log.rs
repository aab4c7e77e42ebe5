//! The audit log of a run, as a test looks at it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The whole lines of the last run in `runs` that came up.
pub fn lines(runs: &Path) -> Vec<Value> {
    lines_of(&runs.join("latest"))
}

/// The whole lines of the run in `folder`.
pub fn lines_of(folder: &Path) -> Vec<Value> {
    let log = folder.join("audit.jsonl");
    let text = std::fs::read_to_string(&log).unwrap_or_else(|error| panic!("{log:?}: {error}"));
    let whole = text.split_inclusive('\n').filter(|it| it.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// Waits until a line fulfils `wanted`; gives it.
pub fn wait(runs: &Path, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let all = lines(runs);
        if let Some(found) = all.iter().find(|line| wanted(line)) {
            return found.clone();
        }
        assert!(Instant::now() < deadline, "no line {what}: {all:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Numbers rise by one from 0, no time on the monotonic clock goes back.
pub fn assert_in_order(lines: &[Value]) {
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], index, "{line}");
    }
    for pair in lines.windows(2) {
        let at = |line: &Value| line["t_ns"].as_u64().expect("a time");
        assert!(at(&pair[0]) <= at(&pair[1]), "{pair:?}");
    }
}
