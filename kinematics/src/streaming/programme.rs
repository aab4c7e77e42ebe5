//! A small convex quadratic programme with a bound on either side of every variable.
//!
//! Owns the search for the active set. Never allocates, never takes more than a fixed number of
//! rounds, and whatever happens its answer is inside the bounds.
//!
//! The optimum of `½ xᵀHx − gᵀx` within `least ≤ x ≤ most` is found by block principal pivoting
//! (Júdice and Pires 1994; Kunisch and Rendl 2003): all variables on the wrong side change sides at
//! once, and when that does not lead nearer, one at a time by least index, which must end. It begins
//! at the active set of the tick before, and a search that a tick had no time to end goes on in the
//! next in the same manner: begun anew each time, it could go in a circle for ever.

/// Rounds in which all wrong variables may change at once without fewer of them.
const PATIENCE: u32 = 1;
/// Most rounds; what is not found by then is looked for from there in the next tick.
const ROUNDS: u32 = 3;

/// Which variables are on which bound, and how far the search for that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActiveSet<const N: usize> {
    sides: [Side; N],
    /// Of the variables that were on the wrong side in a round of this search, the fewest.
    fewest: usize,
    /// Rounds that may still change all wrong variables at once.
    patience: u32,
}

/// Where a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Between its bounds.
    Free,
    /// On the lower.
    Least,
    /// On the upper.
    Most,
}

impl<const N: usize> ActiveSet<N> {
    /// No variable is on a bound.
    pub(crate) const fn free() -> ActiveSet<N> {
        ActiveSet {
            sides: [Side::Free; N],
            fewest: N + 1,
            patience: PATIENCE,
        }
    }

    /// Whether any variable is on a bound.
    pub(crate) fn is_any(&self) -> bool {
        self.sides.iter().any(|side| *side != Side::Free)
    }

    /// What comes next is another problem, though its active set may be the same.
    pub(crate) fn look_anew(&mut self) {
        (self.fewest, self.patience) = (N + 1, PATIENCE);
    }

    /// Moves `wrong` variables, all or the first, to where they belong; whether there were any.
    #[inline]
    fn change(&mut self, wrong: &[Option<Side>; N]) -> bool {
        let count = wrong.iter().flatten().count();
        if count == 0 {
            self.look_anew();
            return false;
        }
        if count < self.fewest {
            (self.fewest, self.patience) = (count, PATIENCE);
        } else {
            self.patience = self.patience.saturating_sub(1);
        }
        for (side, to) in self.sides.iter_mut().zip(wrong) {
            if let Some(to) = to {
                *side = *to;
                if self.patience == 0 {
                    break;
                }
            }
        }
        true
    }
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
    /// The optimum between `least` and `most`, looked for from the active set of the last time.
    #[inline]
    pub(crate) fn solve(
        &self,
        least: &[f64; N],
        most: &[f64; N],
        active: &mut ActiveSet<N>,
    ) -> [f64; N] {
        let mut x = [0.0; N];
        for _ in 0..ROUNDS {
            x = self.with(least, most, &active.sides);
            let wrong = self.wrong(&x, least, most, &active.sides);
            if !active.change(&wrong) {
                return x;
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
            let sides = before.map(|side| match side {
                0 => Side::Free,
                1 => Side::Least,
                _ => Side::Most,
            });
            let mut active = ActiveSet { sides, ..ActiveSet::free() };
            let solved = (0..TICKS).any(|_| {
                let x = programme.solve(&least, &most, &mut active);
                assert!((0..6).all(|i| (least[i]..=most[i]).contains(&x[i])), "{x:?}");
                is_optimum(&programme, &least, &most, &x)
            });
            prop_assert!(solved, "{active:?}");
        }
    }

    /// More ticks than a search takes: one of a million such programmes takes 14.
    const TICKS: u32 = 64;

    /// Whether no variable can go down from where it is without leaving its bounds.
    fn is_optimum(
        programme: &Programme<6>,
        least: &[f64; 6],
        most: &[f64; 6],
        x: &[f64; 6],
    ) -> bool {
        (0..6).all(|i| {
            let slope = programme.slope(i, x);
            (slope > -1e-8 || x[i] >= most[i]) && (slope < 1e-8 || x[i] <= least[i])
        })
    }

    #[test]
    fn a_search_that_a_tick_could_not_end_is_not_begun_anew_in_the_next() {
        let rows = [
            [
                0.938_407_918,
                0.034_696_556,
                0.0,
                -0.200_501_346,
                -0.186_622_367,
                0.687_135_063,
            ],
            [0.0; 6],
            [
                0.674_662_014,
                -0.452_616_745,
                -0.751_191_923,
                0.528_909_217,
                0.0,
                0.499_958_369,
            ],
            [0.0, 0.752_283_568, 0.0, 0.0, -0.858_032_754, 0.0],
            [
                -0.566_430_899,
                -0.625_838_435,
                -0.576_780_28,
                0.0,
                -0.515_818_582,
                0.722_272_724,
            ],
            [
                0.0,
                -0.512_445_602,
                -0.729_143_304,
                0.485_325_434,
                -0.638_860_082,
                0.815_466_833,
            ],
        ];
        let linear = [
            -0.513_594_541,
            0.0,
            -1.126_754_981,
            -1.729_199_681,
            0.0,
            -0.977_230_596,
        ];
        let centre = [
            -0.842_904_722,
            -0.381_124_657,
            -0.185_158_828,
            0.323_146_488,
            -0.226_488_699,
            0.055_647_405,
        ];
        let width = [
            0.817_429_748,
            0.804_048_137,
            0.076_847_801,
            0.211_454_393,
            0.995_273_513,
            0.981_291_26,
        ];
        let programme = programme(rows, linear);
        let least = std::array::from_fn(|i| centre[i] - width[i]);
        let most = std::array::from_fn(|i| centre[i] + width[i]);
        let sides = [
            Side::Least,
            Side::Least,
            Side::Free,
            Side::Most,
            Side::Least,
            Side::Least,
        ];
        let mut active = ActiveSet {
            sides,
            ..ActiveSet::free()
        };
        let solved = (0..TICKS).any(|_| {
            let x = programme.solve(&least, &most, &mut active);
            is_optimum(&programme, &least, &most, &x)
        });
        assert!(solved, "{active:?}");
    }
}
