//! A small convex quadratic programme with a bound on either side of every variable.
//!
//! Owns the search for the active set. Never allocates, never takes more than a fixed number of
//! rounds, and whatever happens its answer is inside the bounds.
//!
//! The optimum of `½ xᵀHx − gᵀx` within `least ≤ x ≤ most` is found by block principal pivoting
//! (Júdice and Pires 1994; Kunisch and Rendl 2003): all variables on the wrong side change sides at
//! once, and when that does not lead nearer, one at a time by least index, which must end. It begins
//! at the active set of the tick before.

/// Rounds in which all wrong variables may change at once without fewer of them.
const PATIENCE: u32 = 1;
/// Most rounds; what is not found by then is looked for from there in the next tick.
const ROUNDS: u32 = 3;

/// Where a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Between its bounds.
    Free,
    /// On the lower.
    Least,
    /// On the upper.
    Most,
}

/// `½ xᵀHx − gᵀx`; only the lower triangle of `hessian` is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Programme<const N: usize> {
    pub(crate) hessian: [[f64; N]; N],
    pub(crate) linear: [f64; N],
}

/// `L·D·Lᵀ`, `L` below the diagonal and `1/D` on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Factors<const N: usize>([[f64; N]; N]);

impl<const N: usize> Programme<N> {
    /// The optimum between `least` and `most`, with the active set in `sides` before and after.
    #[inline]
    pub(crate) fn solve(
        &self,
        least: &[f64; N],
        most: &[f64; N],
        sides: &mut [Side; N],
    ) -> [f64; N] {
        let (mut fewest, mut patience) = (N + 1, PATIENCE);
        let mut x = [0.0; N];
        for _ in 0..ROUNDS {
            x = self.with(least, most, sides);
            let wrong = self.wrong(&x, least, most, sides);
            let count = wrong.iter().flatten().count();
            if count == 0 {
                return x;
            }
            if count < fewest {
                fewest = count;
                patience = PATIENCE;
            } else {
                patience = patience.saturating_sub(1);
            }
            for (side, to) in sides.iter_mut().zip(wrong) {
                if let Some(to) = to {
                    *side = to;
                    if patience == 0 {
                        break;
                    }
                }
            }
        }
        for joint in 0..N {
            x[joint] = x[joint].max(least[joint]).min(most[joint]);
        }
        x
    }

    /// Where each variable that is on the wrong side belongs.
    #[inline]
    fn wrong(
        &self,
        x: &[f64; N],
        least: &[f64; N],
        most: &[f64; N],
        sides: &[Side; N],
    ) -> [Option<Side>; N] {
        let mut wrong = [None; N];
        for i in 0..N {
            wrong[i] = match sides[i] {
                Side::Free if x[i] < least[i] => Some(Side::Least),
                Side::Free if x[i] > most[i] => Some(Side::Most),
                Side::Free => None,
                Side::Least => (self.slope(i, x) < 0.0 && most[i] > least[i]).then_some(Side::Free),
                Side::Most => (self.slope(i, x) > 0.0 && most[i] > least[i]).then_some(Side::Free),
            };
        }
        wrong
    }

    /// The derivative by variable `i`.
    fn slope(&self, i: usize, x: &[f64; N]) -> f64 {
        let mut slope = -self.linear[i];
        for j in 0..N {
            slope += self.hessian[i.max(j)][i.min(j)] * x[j];
        }
        slope
    }

    /// The optimum with the variables of `sides` held on their bounds.
    #[inline]
    fn with(&self, least: &[f64; N], most: &[f64; N], sides: &[Side; N]) -> [f64; N] {
        if sides.iter().all(|side| *side == Side::Free) {
            return Factors::of(&self.hessian).solve(&self.linear);
        }
        let (mut hessian, mut linear) = (self.hessian, self.linear);
        for i in 0..N {
            let held = match sides[i] {
                Side::Free => continue,
                Side::Least => least[i],
                Side::Most => most[i],
            };
            for j in 0..N {
                if sides[j] == Side::Free {
                    linear[j] -= self.hessian[i.max(j)][i.min(j)] * held;
                }
                hessian[i.max(j)][i.min(j)] = 0.0;
            }
            hessian[i][i] = 1.0;
            linear[i] = held;
        }
        Factors::of(&hessian).solve(&linear)
    }
}

impl<const N: usize> Factors<N> {
    /// Of a positive definite matrix, of which the lower triangle is read.
    #[inline]
    pub(crate) fn of(hessian: &[[f64; N]; N]) -> Factors<N> {
        let mut l = *hessian;
        for j in 0..N {
            // Rounding alone can bring a pivot to zero: the damping keeps it above.
            let inverse = 1.0 / l[j][j].max(f64::MIN_POSITIVE.sqrt());
            for i in j + 1..N {
                let factor = l[i][j] * inverse;
                for k in j + 1..=i {
                    l[i][k] -= factor * l[k][j];
                }
            }
            for row in l.iter_mut().skip(j + 1) {
                row[j] *= inverse;
            }
            l[j][j] = inverse;
        }
        Factors(l)
    }

    #[inline]
    pub(crate) fn solve(&self, right: &[f64; N]) -> [f64; N] {
        let l = &self.0;
        let mut x = *right;
        for i in 0..N {
            for k in 0..i {
                x[i] -= l[i][k] * x[k];
            }
        }
        for i in 0..N {
            x[i] *= l[i][i];
        }
        for i in (0..N).rev() {
            for k in i + 1..N {
                x[i] -= l[k][i] * x[k];
            }
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `H = AᵀA + ε`, so that it is positive definite.
    fn programme(rows: [[f64; 6]; 6], linear: [f64; 6]) -> Programme<6> {
        let mut hessian = [[0.0; 6]; 6];
        for (i, row) in hessian.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                *entry = rows.iter().map(|row| row[i] * row[j]).sum();
            }
            row[i] += 1e-3;
        }
        Programme { hessian, linear }
    }

    proptest! {
        #[test]
        fn the_answer_is_inside_and_no_allowed_direction_leads_down(
            rows in prop::array::uniform6(prop::array::uniform6(-1.0..1.0f64)),
            linear in prop::array::uniform6(-3.0..3.0f64),
            centre in prop::array::uniform6(-1.0..1.0f64),
            width in prop::array::uniform6(0.0..1.0f64),
            before in prop::array::uniform6(0..3u8),
        ) {
            let programme = programme(rows, linear);
            let mut least = centre;
            let mut most = centre;
            for i in 0..6 {
                least[i] -= width[i];
                most[i] += width[i];
            }
            let mut sides = before.map(|side| match side {
                0 => Side::Free,
                1 => Side::Least,
                _ => Side::Most,
            });
            let mut x = programme.solve(&least, &most, &mut sides);
            for _ in 0..5 {
                x = programme.solve(&least, &most, &mut sides);
            }
            for i in 0..6 {
                let slope = programme.slope(i, &x);
                prop_assert!(x[i] >= least[i] && x[i] <= most[i]);
                prop_assert!(slope > -1e-8 || x[i] >= most[i], "{i} {slope}");
                prop_assert!(slope < 1e-8 || x[i] <= least[i], "{i} {slope}");
            }
        }
    }
}
