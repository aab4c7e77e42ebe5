//! What of a pose an arm can choose freely, by its Jacobian.
//!
//! Owns ranks over sampled configurations. Never knows an arm by name.

use nalgebra::{DMatrix, Matrix3, SMatrix, Vector3};

use super::sequence::Sequence;
use crate::chain::Chain;

/// What of a pose any target within reach may ask for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exact {
    /// Directions that the tool can be moved in, 0 to 3.
    pub translations: u8,
    /// Axes about which the tool can be turned with its position held, 0 to 3.
    pub rotations: u8,
    /// The axis about which it cannot be turned then, where there is one.
    pub bound: Bound,
}

/// The axis about which the position decides how the tool is turned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// There is none, or there are several.
    NoAxis,
    /// The same in the base's frame everywhere.
    OfBase([f64; 3]),
    /// The same in the tool's frame everywhere.
    OfTool([f64; 3]),
    /// It changes with the joints; of five joints with a first that turns upright, it is the turn
    /// about the upright that follows from the position.
    Varying,
}

impl Exact {
    /// The ranks that most configurations in `windows` have at least.
    pub(super) fn of<const N: usize>(
        chain: &Chain<N>,
        windows: &[[f64; 2]; N],
        length: f64,
    ) -> Exact {
        const SAMPLES: usize = 24;
        let mut sequence = Sequence::<N>::new(0, N);
        let (mut translations, mut rotations) = (0, 0);
        let mut bound: Option<[Vector3<f64>; 2]> = None;
        let (mut of_base, mut of_tool) = (true, true);
        for _ in 0..SAMPLES {
            let point = sequence.next();
            let mut joints = [0.0; N];
            for i in 0..N {
                let [lower, upper] = windows[i];
                joints[i] = lower + (upper - lower) * point[i];
            }
            let now = chain.linearise(&joints);
            let linear: SMatrix<f64, 3, N> = now.jacobian.fixed_rows::<3>(0) / length;
            let angular: SMatrix<f64, 3, N> = now.jacobian.fixed_rows::<3>(3).into_owned();
            let moves = rank(&DMatrix::from_column_slice(3, N, linear.as_slice()));
            // What turning is left with the position held: Jω (1 − Jp⁺ Jp).
            let held = DMatrix::from_column_slice(3, N, linear.as_slice());
            let Ok(inverse) = held.clone().pseudo_inverse(1e-6) else {
                continue;
            };
            let turn = DMatrix::from_column_slice(3, N, angular.as_slice());
            let left = &turn - &turn * inverse * held;
            let turns = rank(&left);
            if (moves, turns) > (translations, rotations) {
                (translations, rotations) = (moves, turns);
                (bound, of_base, of_tool) = (None, true, true);
            }
            if (moves, turns) == (translations, rotations) && turns == 2 {
                let squares = &left * left.transpose();
                let squares = Matrix3::from_iterator(squares.iter().copied());
                let eigen = squares.symmetric_eigen();
                let axis: Vector3<f64> = eigen
                    .eigenvectors
                    .column(eigen.eigenvalues.imin())
                    .into_owned();
                let seen = [axis, now.tool.rotation.tr_mul(&axis)];
                let [base, tool] = *bound.get_or_insert(seen);
                of_base &= base.dot(&seen[0]).abs() > 1.0 - 1e-6;
                of_tool &= tool.dot(&seen[1]).abs() > 1.0 - 1e-6;
            }
        }
        let bound = match bound {
            None => Bound::NoAxis,
            Some([base, _]) if of_base => Bound::OfBase(base.into()),
            Some([_, tool]) if of_tool => Bound::OfTool(tool.into()),
            Some(_) => Bound::Varying,
        };
        Exact {
            translations,
            rotations,
            bound,
        }
    }

    /// Whether a whole pose may be asked for.
    #[must_use]
    pub fn is_whole_pose(&self) -> bool {
        (self.translations, self.rotations) == (3, 3)
    }
}

fn rank(matrix: &DMatrix<f64>) -> u8 {
    let values = matrix.clone().singular_values();
    let counted = values.iter().filter(|value| **value > 1e-4).count();
    u8::try_from(counted).unwrap_or(u8::MAX)
}
