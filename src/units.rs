//! Units as types, and the fixed-size vector of one value a joint.
//!
//! Owns the names of physical quantities at module edges. Inside the maths, raw `f64` is fine;
//! what crosses a module boundary says what it is. Never holds conversions that need a
//! calibration: those are [`crate::arm::calibration`].

use serde::{Deserialize, Serialize};

/// The most joints (servos, the gripper included) one arm may have.
pub const MAX_JOINTS: usize = 8;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $repr);
    };
}

quantity!(
    /// An angle in radians.
    Rad(f64)
);
quantity!(
    /// An angular velocity in radians a second.
    RadPerSec(f64)
);
quantity!(
    /// An angular acceleration in radians a second squared.
    RadPerSec2(f64)
);
quantity!(
    /// An angular jerk in radians a second cubed.
    RadPerSec3(f64)
);
quantity!(
    /// An encoder position in counts, as the servo reports it (homing offset applied).
    Counts(i32)
);
quantity!(
    /// A temperature in degrees Celsius.
    Celsius(f64)
);
quantity!(
    /// A voltage in volts.
    Volts(f64)
);

/// A moment on `CLOCK_MONOTONIC`, in nanoseconds. The control core gets it as an argument.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MonoTime(pub u64);

impl MonoTime {
    /// Nanoseconds from `earlier` to `self`, zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: MonoTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds from `other` to `self`, negative when `other` is later.
    #[must_use]
    pub fn secs_from(self, other: MonoTime) -> f64 {
        if self >= other {
            self.since(other) as f64 * 1e-9
        } else {
            -(other.since(self) as f64 * 1e-9)
        }
    }

    /// `self` moved by `secs` seconds, backwards when negative; saturates at the clock's ends.
    #[must_use]
    pub fn offset_secs(self, secs: f64) -> MonoTime {
        let ns = (secs * 1e9) as i64;
        MonoTime(self.0.saturating_add_signed(ns))
    }
}

/// One value a joint, in the arm's joint order, without allocation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JointVec<T> {
    len: u8,
    values: [T; MAX_JOINTS],
}

impl<T: Copy + Default> Default for JointVec<T> {
    fn default() -> Self {
        JointVec {
            len: 0,
            values: [T::default(); MAX_JOINTS],
        }
    }
}

impl<T: Copy + Default> JointVec<T> {
    /// `len` copies of `value`; `len` is cut at [`MAX_JOINTS`].
    #[must_use]
    pub fn repeat(value: T, len: usize) -> Self {
        (0..len).map(|_| value).collect()
    }

    /// The values of `slice`; `None` when it is longer than [`MAX_JOINTS`].
    #[must_use]
    pub fn from_slice(slice: &[T]) -> Option<Self> {
        (slice.len() <= MAX_JOINTS).then(|| slice.iter().copied().collect())
    }

    /// Appends a value; `Err` gives it back when the vector is full.
    ///
    /// # Errors
    /// When [`MAX_JOINTS`] values are already held.
    pub fn push(&mut self, value: T) -> Result<(), T> {
        match self.values.get_mut(usize::from(self.len)) {
            Some(slot) => {
                *slot = value;
                self.len += 1;
                Ok(())
            }
            None => Err(value),
        }
    }

    /// `f` of every value.
    #[must_use]
    pub fn map<U: Copy + Default>(&self, f: impl FnMut(T) -> U) -> JointVec<U> {
        self.iter().copied().map(f).collect()
    }

    /// `f` of every pair of values, as long as the shorter of the two.
    #[must_use]
    pub fn zip_with<U: Copy, V: Copy + Default>(
        &self,
        other: &JointVec<U>,
        mut f: impl FnMut(T, U) -> V,
    ) -> JointVec<V> {
        self.iter()
            .zip(other.iter())
            .map(|(a, b)| f(*a, *b))
            .collect()
    }
}

impl<T: Copy> JointVec<T> {
    /// How many joints there are.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.len).min(MAX_JOINTS)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values in joint order.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        self.values.get(..self.len()).unwrap_or(&[])
    }

    /// The values in joint order, to change in place.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        let len = self.len();
        self.values.get_mut(..len).unwrap_or(&mut [])
    }

    /// The value of joint `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<T> {
        self.as_slice().get(index).copied()
    }

    /// Iterates in joint order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.as_slice().iter()
    }

    /// Iterates in joint order, to change in place.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.as_mut_slice().iter_mut()
    }
}

/// Collects at most [`MAX_JOINTS`] values; what is beyond is dropped.
impl<T: Copy + Default> FromIterator<T> for JointVec<T> {
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        let mut vec = JointVec::default();
        for value in iter {
            if vec.push(value).is_err() {
                break;
            }
        }
        vec
    }
}

impl<'a, T: Copy> IntoIterator for &'a JointVec<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Some of an arm's joints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JointSet(u8);

impl JointSet {
    /// The first `joints` joints.
    #[must_use]
    pub fn all(joints: usize) -> JointSet {
        let mut all = JointSet::default();
        (0..joints).for_each(|joint| all.insert(joint));
        all
    }

    /// Adds joint `index`; one beyond [`MAX_JOINTS`] is none.
    pub fn insert(&mut self, index: usize) {
        self.0 |= Self::bit(index);
    }

    /// Takes joint `index` out.
    pub fn remove(&mut self, index: usize) {
        self.0 &= !Self::bit(index);
    }

    /// Whether joint `index` is one of them.
    #[must_use]
    pub fn contains(self, index: usize) -> bool {
        self.0 & Self::bit(index) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// These and those.
    #[must_use]
    pub fn union(self, other: JointSet) -> JointSet {
        JointSet(self.0 | other.0)
    }

    /// Their indices, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_JOINTS).filter(move |index| self.contains(*index))
    }

    fn bit(index: usize) -> u8 {
        if index < MAX_JOINTS { 1 << index } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_joint_vec_gives_the_value_back() {
        let mut vec = JointVec::repeat(1, MAX_JOINTS);
        assert_eq!(vec.push(2), Err(2));
        assert_eq!(vec.len(), MAX_JOINTS);
    }

    #[test]
    fn a_set_of_joints_holds_what_was_put_in_and_nothing_else() {
        let mut set = JointSet::all(3);
        set.remove(1);
        set.insert(MAX_JOINTS);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 2]);
        assert!(set.contains(2) && !set.contains(1) && !set.contains(MAX_JOINTS));
        assert!(JointSet::all(MAX_JOINTS).contains(MAX_JOINTS - 1));
    }

    #[test]
    fn time_differences_keep_their_sign() {
        let (a, b) = (MonoTime(1_000_000), MonoTime(3_000_000));
        assert_eq!(b.secs_from(a), 0.002);
        assert_eq!(a.secs_from(b), -0.002);
        assert_eq!(a.since(b), 0);
        assert_eq!(b.offset_secs(-0.002), a);
    }
}
