//! `surehand ik`: joints for a table of poses, by the kinematics alone; no arm is asked.
//!
//! Owns the command line, the answer's table and the verdict. Reading the targets is its
//! submodule's, solving is the kinematics'.

use std::io::Write;
use std::path::PathBuf;

use nalgebra::{Unit, Vector3};
use serde_json::json;
use surehand_kinematics::{Answer, Bound, Description, Exact, Frame, Model, Options, Solver, Task};

use super::{Exit, Failure, Outcome, output};
use crate::realtime;

mod targets;

use targets::Target;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The arm's URDF.
    #[arg(long, value_name = "FILE")]
    urdf: PathBuf,
    /// The link that targets are given in.
    #[arg(long, value_name = "LINK")]
    base: String,
    /// The link that is to get there.
    #[arg(long, value_name = "LINK")]
    tip: String,
    /// A CSV file with a header: x,y,z (metres) and qx,qy,qz,qw of each target, and seed0, seed1 …
    /// (radians or metres) where --near is given; `-` is standard input. Other columns are left
    /// alone.
    #[arg(long, value_name = "CSV")]
    targets: PathBuf,
    /// What of a target counts.
    #[arg(long, value_enum, default_value_t = Which::Pose)]
    task: Which,
    /// The tip's axis that --task axis is about.
    #[arg(long, value_name = "X,Y,Z", value_delimiter = ',', num_args = 1, allow_hyphen_values = true, default_values_t = [0.0, 0.0, 1.0])]
    axis: Vec<f64>,
    /// Of several solutions give the one nearest to the seed columns, not the first found.
    #[arg(long)]
    near: bool,
    /// Of the starting points: the same seed gives the same answers.
    #[arg(long, default_value_t = Options::default().seed)]
    seed: u64,
}

/// The tasks by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Position and orientation.
    Pose,
    /// Position alone.
    Position,
    /// Position, and one axis of the tip along that of the target.
    Axis,
}

pub(super) fn run(args: &Args, json: bool) -> Outcome {
    let file = args.urdf.display().to_string();
    let text = std::fs::read_to_string(&args.urdf).map_err(|error| {
        Failure::configuration(format!(
            "{file}: cannot be read ({error}); give the path of a URDF file as --urdf"
        ))
    })?;
    let arm =
        Description::read(&file, &text, &args.base, &args.tip).map_err(Failure::configuration)?;
    match arm.len() {
        1 => Batch::<1>::solve(args, &arm, json),
        2 => Batch::<2>::solve(args, &arm, json),
        3 => Batch::<3>::solve(args, &arm, json),
        4 => Batch::<4>::solve(args, &arm, json),
        5 => Batch::<5>::solve(args, &arm, json),
        6 => Batch::<6>::solve(args, &arm, json),
        7 => Batch::<7>::solve(args, &arm, json),
        8 => Batch::<8>::solve(args, &arm, json),
        // A description has 1 to 8.
        joints => Err(Failure::configuration(format!(
            "{file}: {joints} joints are not solved"
        ))),
    }
}

impl Args {
    fn task(&self) -> Result<Task, Failure> {
        Ok(match self.task {
            Which::Pose => Task::Pose,
            Which::Position => Task::Position,
            Which::Axis => {
                let axis = <[f64; 3]>::try_from(self.axis.as_slice()).ok();
                let axis = axis.and_then(|axis| Unit::try_new(Vector3::from(axis), 1e-9));
                let axis = axis.filter(|axis| axis.iter().all(|it| it.is_finite()));
                let axis = axis.ok_or_else(|| {
                    Failure::configuration(format!(
                        "--axis {:?} is no direction: give three numbers, not all 0",
                        self.axis
                    ))
                })?;
                Task::PositionAndAxis { axis }
            }
        })
    }
}

/// One target and what came of it.
struct Solved<const N: usize> {
    answer: Answer<N>,
    micros: f64,
}

/// All targets of an arm of `N` joints.
struct Batch<const N: usize> {
    model: Model<N>,
    exact: Exact,
    solved: Vec<Solved<N>>,
}

impl<const N: usize> Batch<N> {
    fn solve(args: &Args, arm: &Description, json: bool) -> Outcome {
        let Some(model) = arm.model::<N>() else {
            return Err(Failure::configuration("the chain has another length"));
        };
        let targets = targets::read::<N>(&args.targets, args.near)?;
        let options = Options {
            seed: args.seed,
            ..Options::default()
        };
        let solver = Solver::new(&model, args.task()?, options).map_err(Failure::configuration)?;
        let mut solved = Vec::with_capacity(targets.len());
        for Target { pose, seed, line } in &targets {
            let one = timed(&solver, pose, seed.as_ref()).map_err(|error| {
                Failure::configuration(format!("{}:{line}: {error}", args.targets.display()))
            })?;
            solved.push(one);
        }
        let batch = Batch {
            exact: solver.exact(),
            model,
            solved,
        };
        if json {
            batch.document();
        } else {
            batch.table()?;
            batch.verdict();
        }
        Ok(Exit::Done)
    }

    fn count(&self) -> usize {
        let solved = self.solved.iter();
        solved.filter(|one| one.answer.unreached.is_none()).count()
    }

    /// Microseconds a solve: half of them, 99 %, 99.9 % and all were not slower.
    fn micros(&self) -> [f64; 4] {
        let mut all: Vec<f64> = self.solved.iter().map(|one| one.micros).collect();
        all.sort_by(f64::total_cmp);
        let last = all.len().saturating_sub(1);
        [0.5, 0.99, 0.999, 1.0].map(|share| {
            let at = (share * last as f64).round() as usize;
            all.get(at).copied().unwrap_or_default()
        })
    }

    /// The contract's columns.
    fn table(&self) -> Result<(), Failure> {
        let mut text = String::from("ok,iterations,micros,pos_err,rot_err");
        for joint in 0..N {
            text += &format!(",q{joint}");
        }
        text.push('\n');
        for Solved { answer, micros } in &self.solved {
            text += &format!(
                "{},{},{micros:.2},{:.3e},{:.3e}",
                u8::from(answer.unreached.is_none()),
                answer.iterations,
                answer.residual.position,
                answer.residual.angle
            );
            for joint in answer.joints {
                text += &format!(",{joint:.9}");
            }
            text.push('\n');
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(
                Failure::configuration(format!("the answers can't be written: {error}")),
            ),
            _ => Ok(()),
        }
    }

    /// A line for a person, beside the table.
    fn verdict(&self) {
        let (solved, of) = (self.count(), self.solved.len());
        let [p50, p99, _, max] = self.micros();
        eprintln!(
            "{solved} of {of} solved for {N} joints ({}); µs p50 {p50:.1}, p99 {p99:.1}, max {max:.1}",
            able(self.exact),
        );
        let mut reasons: Vec<String> = (self.solved.iter())
            .filter_map(|one| one.answer.unreached)
            .map(|reason| reason.to_string())
            .collect();
        reasons.sort_unstable();
        for same in reasons.chunk_by(|a, b| a == b) {
            if let Some(reason) = same.first() {
                eprintln!("{} not solved: {reason}", same.len());
            }
        }
    }

    fn document(&self) {
        let answers = self.solved.iter().map(|Solved { answer, micros }| {
            json!({
                "ok": answer.unreached.is_none(),
                "iterations": answer.iterations,
                "micros": micros,
                "pos_err": answer.residual.position,
                "rot_err": answer.residual.angle,
                "reason": answer.unreached.map(|reason| reason.to_string()),
                "joints": answer.joints.to_vec(),
            })
        });
        let [p50, p99, p999, max] = self.micros();
        output::json(&json!({
            "joints": self.model.names.to_vec(),
            "able": able(self.exact),
            "solved": self.count(),
            "of": self.solved.len(),
            "micros": {"p50": p50, "p99": p99, "p999": p999, "max": max},
            "answers": answers.collect::<Vec<_>>(),
        }));
    }
}

/// Solves, and takes the time: that of this thread on the processor, or on the clock where that is
/// less, for reading the former takes a system call.
fn timed<const N: usize>(
    solver: &Solver<N>,
    pose: &Frame,
    seed: Option<&[f64; N]>,
) -> Result<Solved<N>, surehand_kinematics::InputError> {
    let on_processor = realtime::thread_time();
    let began = realtime::now();
    let answer = std::hint::black_box(solver.solve(std::hint::black_box(pose), seed)?);
    let nanos = realtime::now().since(began);
    let nanos = nanos.min(realtime::thread_time().since(on_processor));
    Ok(Solved {
        answer,
        micros: nanos as f64 / 1e3,
    })
}

/// What the arm can do of a pose, in words.
fn able(exact: Exact) -> String {
    if exact.is_whole_pose() {
        return "any pose".into();
    }
    let bound = match exact.bound {
        Bound::NoAxis => "",
        Bound::OfBase(_) => "; the turn about an axis of the base follows from the position",
        Bound::OfTool(_) => "; the turn about an axis of the tip follows from the position",
        Bound::Varying => "; the turn about a moving axis follows from the position",
    };
    format!(
        "{} of 3 directions and {} of 3 turns{bound}",
        exact.translations, exact.rotations
    )
}
