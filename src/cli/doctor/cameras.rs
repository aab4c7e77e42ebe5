//! The cameras: how many pictures a second, and how old the newest one gets.

use std::time::Duration;

use crate::camera::Cameras;
use crate::cell::Cell;
use crate::host::Item;
use crate::runner::Setup;

/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(3);
/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(2);

/// What one camera did while it was watched.
#[derive(Default)]
struct Seen {
    first: Option<u64>,
    last: u64,
    oldest: Duration,
}

/// What is to be said of the cameras of `setup`.
pub(super) fn items(setup: &Setup) -> Vec<Item> {
    if setup.cell.cameras.is_empty() {
        return Vec::new();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(watch(setup)),
        Err(error) => vec![Item::error(
            "cameras",
            format!("they can't be watched ({error})"),
            "end what uses up this machine's files or threads",
        )],
    }
}

async fn watch(setup: &Setup) -> Vec<Item> {
    let cameras = match setup.start_cameras().await {
        Ok(cameras) => cameras,
        Err(error) => return vec![Item::error("cameras", error.to_string(), "then ask again")],
    };
    let mut seen: Vec<Seen> = (0..cameras.len()).map(|_| Seen::default()).collect();
    let began = tokio::time::Instant::now();
    while began.elapsed() < WATCHED {
        for (index, seen) in seen.iter_mut().enumerate() {
            look(&cameras, index, seen);
        }
        tokio::time::sleep(LOOK).await;
    }
    (setup.cell.cameras.iter().zip(&seen))
        .map(|(camera, seen)| judge(&camera.name, camera.max_age, seen, &setup.cell))
        .collect()
}

fn look(cameras: &Cameras, index: usize, seen: &mut Seen) {
    if let Some(frame) = cameras.latest(index) {
        let age = cameras.now().since(frame.captured_at);
        seen.oldest = seen.oldest.max(Duration::from_nanos(age));
        seen.first.get_or_insert(frame.sequence);
        seen.last = frame.sequence;
    }
}

fn judge(name: &str, max_age: Duration, seen: &Seen, cell: &Cell) -> Item {
    let item = format!("camera {name}");
    let pictures = seen.last.saturating_sub(seen.first.unwrap_or(seen.last));
    let rate = pictures as f64 / WATCHED.as_secs_f64();
    let oldest = seen.oldest.as_secs_f64() * 1e3;
    let what = format!("{rate:.1} pictures a second, the newest at most {oldest:.0} ms old");
    if seen.oldest <= max_age {
        return Item::good(item, what);
    }
    let may = max_age.as_secs_f64() * 1e3;
    Item::error(
        item,
        format!("{what}; the cell stops at {may:.0} ms"),
        format!(
            "give it more light (a long exposure makes it slow) or a smaller picture, or raise its max_age_ms in {}",
            cell.file.display()
        ),
    )
}
