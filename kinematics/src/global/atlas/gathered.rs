//! The entries of an atlas that may be near a target, nearest first.
//!
//! Owns a fixed number of them: of more the farthest are dropped. Never knows what is in an entry.

/// An entry that may be near.
#[derive(Debug, Clone, Copy)]
pub(in crate::global) struct Candidate {
    /// Squared difference of the keys.
    pub(in crate::global) distance: f32,
    pub(super) entry: u32,
}

/// The candidates of one look, `M` at most.
#[derive(Debug, Clone, Copy)]
pub(in crate::global) struct Gathered<const M: usize> {
    pub(in crate::global) found: [Candidate; M],
    pub(in crate::global) len: usize,
    /// That of the farthest once there are as many as there can be.
    bar: f32,
}

impl<const M: usize> Gathered<M> {
    pub(in crate::global) fn none() -> Gathered<M> {
        Gathered {
            found: [Candidate {
                distance: f32::INFINITY,
                entry: 0,
            }; M],
            len: 0,
            bar: f32::INFINITY,
        }
    }

    #[inline(always)]
    pub(super) fn add(&mut self, candidate: Candidate) {
        if let Some(slot) = self.found.get_mut(self.len) {
            *slot = candidate;
            self.len += 1;
            return;
        }
        if candidate.distance < self.bar {
            self.replace_farthest(candidate);
        }
    }

    /// Full: the farthest goes.
    fn replace_farthest(&mut self, candidate: Candidate) {
        let (mut at, mut farthest, mut next) = (0, -1.0, -1.0);
        for (i, it) in self.found.iter().enumerate() {
            if it.distance > farthest {
                next = farthest;
                (at, farthest) = (i, it.distance);
            } else if it.distance > next {
                next = it.distance;
            }
        }
        if candidate.distance < farthest
            && let Some(slot) = self.found.get_mut(at)
        {
            *slot = candidate;
            farthest = candidate.distance.max(next);
        }
        self.bar = farthest;
    }

    /// Takes the nearest out.
    #[inline(always)]
    pub(in crate::global) fn take_nearest(&mut self) -> Option<Candidate> {
        let found = self.found.get(..self.len)?;
        let mut nearest = 0;
        let mut distance = f32::INFINITY;
        for (i, candidate) in found.iter().enumerate() {
            if candidate.distance < distance {
                (nearest, distance) = (i, candidate.distance);
            }
        }
        let taken = *found.get(nearest)?;
        self.len -= 1;
        self.found.swap(nearest, self.len);
        Some(taken)
    }
}
