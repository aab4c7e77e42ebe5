//! The table of seams.

use std::time::Duration;

use surehand::cell::Joining;
use surehand::runner::chunks::Rules;

use crate::delays::{ALL, DELAYS};
use crate::rig::{Script, largest, rates, rms, run};

/// What a way of joining makes of chunks that disagree.
struct Row {
    /// How much the plan changes from one step to the next beyond what the policy itself moves by.
    seams: Vec<f64>,
    speed: f64,
    acceleration: f64,
}

fn row(script: &Script) -> Row {
    let run = run(script);
    let mut seams = run.seams();
    seams.sort_by(f64::total_cmp);
    // The way onto the first chunk is no seam.
    let [speeds, accelerations, _] = rates(&run.ticks[400..]);
    Row {
        seams,
        speed: largest(&speeds),
        acceleration: rms(&accelerations),
    }
}

impl Row {
    fn at(&self, share: f64) -> f64 {
        let last = self.seams.len() - 1;
        self.seams[(share * last as f64).round() as usize]
    }
}

#[test]
#[ignore = "prints the table of docs/chunks.md"]
fn table() {
    let usual = Script::of(Joining::CrossFade);
    println!("Successive chunks are {} rad apart.\n", usual.disagree);
    println!(
        "| joined by | inference takes | jump p50 | p99 | most | speed, most | acceleration, rms | without bridge |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let replaced = Rules {
        horizon: 0,
        ..usual.rules
    };
    let ways = ALL.map(|joining| (joining.word(), Script::of(joining).rules));
    let ways = ways.into_iter().chain([("nothing (replaced)", replaced)]);
    for (name, rules) in ways {
        for (delay_name, delay) in DELAYS {
            let script = Script {
                rules,
                delay,
                ..usual
            };
            let bridged = row(&script);
            let bare = row(&Script {
                crossfade: Duration::ZERO,
                ..script
            });
            println!(
                "| {name} | {delay_name} | {:.4} | {:.4} | {:.4} | {:.2} | {:.1} | {:.1} |",
                bridged.at(0.5),
                bridged.at(0.99),
                bridged.at(1.0),
                bridged.speed,
                bridged.acceleration,
                bare.acceleration,
            );
        }
    }
    let agreed = row(&Script {
        disagree: 0.0,
        ..usual
    });
    println!(
        "\nChunks that agree: jump at most {:.4} rad, speed {:.2} rad/s, acceleration {:.1} rad/s² rms.",
        agreed.at(1.0),
        agreed.speed,
        agreed.acceleration,
    );
}

#[test]
fn a_cross_fade_makes_small_jumps_and_appending_the_whole_one() {
    let most = |joining: Joining| row(&Script::of(joining)).at(1.0);
    let disagree = Script::of(Joining::Append).disagree;
    let appended = most(Joining::Append);
    assert!((appended - disagree).abs() < 0.2 * disagree, "{appended}");
    let faded = most(Joining::CrossFade);
    assert!(faded < 0.2 * disagree, "{faded}");
    let averaged = most(Joining::Ensemble);
    assert!(faded < averaged && averaged < appended, "{averaged}");
}
