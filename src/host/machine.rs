//! Kernel, processors, swap and disk.

use std::path::Path;

use super::{Host, Item};

/// Less room than this for recordings is worth a word, bytes.
const ROOM: u64 = 1 << 30;

/// The kernel and the processors; `cpu` is the one the cell keeps for its loop.
#[must_use]
pub fn items(host: &Host, cpu: Option<usize>, locked: bool) -> Vec<Item> {
    let mut items = vec![kernel(host), processors(host, cpu)];
    items.push(governor(host));
    items.extend(swap(host, locked));
    items
}

fn kernel(host: &Host) -> Item {
    let release = host
        .read("/proc/sys/kernel/osrelease")
        .unwrap_or_else(|| "of unknown release".into());
    if host.read("/sys/kernel/realtime").as_deref() == Some("1") {
        return Item::good("kernel", format!("Linux {release}, PREEMPT_RT"));
    }
    let has = |path: &str, word: &str| host.read(path).is_some_and(|text| text.contains(word));
    // Such a kernel can be told to let a call of any program be interrupted; most are told not to.
    let remedy = if has("/proc/version", "PREEMPT_DYNAMIC") && !has("/proc/cmdline", "preempt=full")
    {
        "measure with `surehand bench`; `preempt=full` on the kernel's command line shortens it, a \
         real-time kernel (Debian: linux-image-rt-amd64) more"
    } else {
        "measure with `surehand bench`; a real-time kernel (Debian: linux-image-rt-amd64) holds it down"
    };
    Item::warning(
        "kernel",
        format!(
            "Linux {release} without PREEMPT_RT: on a busy machine a tick may be late by milliseconds"
        ),
        remedy,
    )
}

fn processors(host: &Host, cpu: Option<usize>) -> Item {
    const ITEM: &str = "processors";
    let online = host
        .read("/sys/devices/system/cpu/online")
        .map(|list| numbers(&list))
        .unwrap_or_default();
    let isolated = host
        .read("/sys/devices/system/cpu/isolated")
        .map(|list| numbers(&list))
        .unwrap_or_default();
    let count = format!("{} online", online.len());
    match cpu {
        Some(cpu) if !online.contains(&cpu) => Item::error(
            ITEM,
            format!("the cell keeps processor {cpu} for its loop, which is not online"),
            "correct `loop.cpu` in the cell file",
        ),
        Some(cpu) if !isolated.contains(&cpu) => Item::warning(
            ITEM,
            format!(
                "{count}; processor {cpu} is kept for the loop by the cell, and other work still runs on it"
            ),
            format!("add isolcpus={cpu} to the kernel's command line"),
        ),
        Some(cpu) => Item::good(ITEM, format!("{count}, {cpu} kept for the loop alone")),
        None if online.len() == 1 => Item::warning(
            ITEM,
            "one alone: inference and the control loop share it",
            "use a machine with two or more",
        ),
        None => Item::good(ITEM, count),
    }
}

fn governor(host: &Host) -> Item {
    const ITEM: &str = "processor speed";
    let mut slow = Vec::new();
    let mut seen = 0;
    for name in host.names("/sys/devices/system/cpu") {
        let file = format!("/sys/devices/system/cpu/{name}/cpufreq/scaling_governor");
        if let Some(governor) = host.read(&file) {
            seen += 1;
            if governor != "performance" {
                slow.push(format!("{name} {governor}"));
            }
        }
    }
    match (seen, slow.is_empty()) {
        (0, _) => Item::good(ITEM, "not governed by this kernel"),
        (_, true) => Item::good(ITEM, "governor performance"),
        (_, false) => Item::warning(
            ITEM,
            format!("governors save power: {}", slow.join(", ")),
            "set them to performance: `sudo cpupower frequency-set -g performance`",
        ),
    }
}

fn swap(host: &Host, locked: bool) -> Option<Item> {
    let swaps = host.read("/proc/swaps")?;
    // The first line is a heading.
    let used: Vec<&str> = swaps.lines().skip(1).collect();
    Some(match (used.is_empty(), locked) {
        (true, _) => Item::good("swap", "none"),
        (false, true) => Item::good("swap", "there is some, but the loop's memory stays in"),
        (false, false) => Item::warning(
            "swap",
            "there is some, and memory can't be locked: a tick may wait for the disk",
            "grant locked memory (above), or `sudo swapoff -a`",
        ),
    })
}

/// Room for what is recorded of runs in `folder`, which need not be there yet.
#[must_use]
pub fn disk(folder: &Path) -> Item {
    const ITEM: &str = "disk";
    let there = folder.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(Path::new("."));
    match rustix::fs::statvfs(there) {
        Err(error) => Item::warning(
            ITEM,
            format!("{} can't be looked at ({error})", folder.display()),
            "choose another folder for recordings with --runs",
        ),
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let what = format!(
                "{:.1} GiB free for {}",
                free as f64 / ROOM as f64,
                folder.display()
            );
            if free < ROOM {
                Item::warning(ITEM, what, "make room, or record elsewhere with --runs")
            } else {
                Item::good(ITEM, what)
            }
        }
    }
}

/// The numbers of a kernel's list such as `0-2,5`.
fn numbers(list: &str) -> Vec<usize> {
    let mut all = Vec::new();
    for part in list
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            all.extend(first..=last);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::State;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::at(root.path());
        (root, host)
    }

    fn state_of(items: &[Item], name: &str) -> State {
        items.iter().find(|item| item.item == name).unwrap().state
    }

    #[test]
    fn lists_of_processors_are_read() {
        assert_eq!(numbers("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(numbers(""), [0usize; 0]);
        assert_eq!(numbers("3"), [3]);
    }

    #[test]
    fn a_prepared_machine_is_good_in_everything() {
        let (_root, host) = host(&[
            ("proc/sys/kernel/osrelease", "6.12.0-rt\n"),
            ("sys/kernel/realtime", "1\n"),
            ("sys/devices/system/cpu/online", "0-3\n"),
            ("sys/devices/system/cpu/isolated", "3\n"),
            (
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                "performance\n",
            ),
            ("proc/swaps", "Filename Type Size Used Priority\n"),
        ]);
        let items = items(&host, Some(3), true);
        let wrong = items.iter().find(|item| item.state != State::Good);
        assert_eq!(wrong, None);
    }

    #[test]
    fn a_kernel_that_can_be_told_to_be_interrupted_is_said_how() {
        let version = (
            "proc/version",
            "Linux version 6.12 #1 SMP PREEMPT_DYNAMIC\n",
        );
        let advice = |files: &[(&str, &str)]| {
            let (_root, host) = host(files);
            kernel(&host).remedy.unwrap_or_default()
        };
        assert!(advice(&[version]).contains("preempt=full"));
        let told = ("proc/cmdline", "quiet preempt=full\n");
        assert!(!advice(&[version, told]).contains("preempt=full"));
        assert!(!advice(&[]).contains("preempt=full"));
    }

    #[test]
    fn an_ordinary_machine_is_told_what_to_change() {
        let (_root, host) = host(&[
            ("sys/devices/system/cpu/online", "0\n"),
            (
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                "powersave\n",
            ),
            (
                "proc/swaps",
                "Filename Type Size Used Priority\n/swap file 1 0 -2\n",
            ),
        ]);
        let found = items(&host, None, false);
        for name in ["kernel", "processors", "processor speed", "swap"] {
            assert_eq!(state_of(&found, name), State::Warning, "{name}");
        }
        let pinned = items(&host, Some(0), false);
        assert_eq!(state_of(&pinned, "processors"), State::Warning);
        let absent = items(&host, Some(4), false);
        assert_eq!(state_of(&absent, "processors"), State::Error);
    }
}
