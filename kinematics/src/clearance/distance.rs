//! Where two shapes are nearest to each other.
//!
//! Owns the points on segments, and their distance from boxes and planes. Metres, all in one frame.
//!
//! Real time: arithmetic only.

use nalgebra::Vector3;

use crate::frame::Frame;

/// A point on each of two segments, the nearest there are (Ericson, *Real-Time Collision Detection*,
/// 2005, 5.1.9); of parallel ones some.
#[inline]
pub(super) fn of_segments(
    (a, b): (&Vector3<f64>, &Vector3<f64>),
    (c, d): (&Vector3<f64>, &Vector3<f64>),
) -> (Vector3<f64>, Vector3<f64>) {
    let (one, other, between) = (b - a, d - c, a - c);
    let (aa, cc) = (one.norm_squared(), other.norm_squared());
    let (ac, ar, cr) = (one.dot(&other), one.dot(&between), other.dot(&between));
    let share = |above: f64, below: f64| {
        if below > 0.0 {
            (above / below).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    let across = aa * cc - ac * ac;
    let mut s = if across > 1e-12 * aa * cc {
        share(ac * cr - ar * cc, across)
    } else {
        share(-ar, aa)
    };
    let t = share(ac * s + cr, cc);
    s = share(ac * t - ar, aa);
    // The second of two points is the nearest to the first of any; once more for the ends.
    let t = share(ac * s + cr, cc);
    (a + one * s, c + other * t)
}

/// The point of a segment that is nearest to a box, or deepest in it, with the distance from the box
/// (negative inside) and how that changes when the segment moves; the box is `half` to either side of the
/// origin of `frame`.
#[inline]
pub(super) fn from_box(
    (from, to): (&Vector3<f64>, &Vector3<f64>),
    frame: &Frame,
    half: &Vector3<f64>,
) -> (Vector3<f64>, f64, Vector3<f64>) {
    let seen = |point: &Vector3<f64>| frame.rotation.tr_mul(&(point - frame.translation));
    let (a, b) = (seen(from), seen(to));
    let along = b - a;
    let excess = |share: f64| {
        let point = a + along * share;
        point - point.sup(&-half).inf(half)
    };
    // The squared distance is convex along the segment, its slope linear between the places where it
    // crosses the planes of the faces.
    let slope = |share: f64| excess(share).dot(&along);
    let (mut low, mut high) = (0.0, 1.0);
    for i in 0..3 {
        for side in [-half[i], half[i]] {
            let crossing = (side - a[i]) / along[i];
            if crossing > low && crossing < high {
                if slope(crossing) < 0.0 {
                    low = crossing;
                } else {
                    high = crossing;
                }
            }
        }
    }
    let (down, up) = (slope(low), slope(high));
    let share = if down >= 0.0 {
        low
    } else if up <= 0.0 {
        high
    } else {
        low + (high - low) * down / (down - up)
    };
    let away = excess(share);
    let distance = away.norm();
    if distance > 1e-12 {
        let direction = frame.rotation * (away / distance);
        return (from + (to - from) * share, distance, direction);
    }
    let (share, depth, face) = deepest(&a, &along, half);
    (from + (to - from) * share, depth, frame.rotation * face)
}

/// Of a segment that enters a box: the share of it where it is deepest, its distance from the nearest
/// face there (negative), and the direction in which that grows. The greatest of six linear functions
/// is convex, so the least of it is at an end or where two of them cross; there it grows with the mean
/// of the two that is level along the segment.
fn deepest(
    a: &Vector3<f64>,
    along: &Vector3<f64>,
    half: &Vector3<f64>,
) -> (f64, f64, Vector3<f64>) {
    let faces = [0, 1, 2].map(|i| [(i, -1.0), (i, 1.0)]);
    let faces = faces.as_flattened();
    let over = |(i, side): (usize, f64), share: f64| side * (a[i] + along[i] * share) - half[i];
    let depth = |share: f64| {
        let depths = faces.iter().map(|face| over(*face, share));
        depths.fold(f64::NEG_INFINITY, f64::max)
    };
    let (mut best, mut least) = (0.0, depth(0.0));
    let mut consider = |share: f64| {
        // Written so that what is no number is not considered.
        if share > 0.0 && share <= 1.0 {
            let here = depth(share);
            if here < least {
                (best, least) = (share, here);
            }
        }
    };
    consider(1.0);
    for one in faces {
        for other in faces {
            let rise = one.1 * along[one.0] - other.1 * along[other.0];
            consider((over(*other, 0.0) - over(*one, 0.0)) / rise);
        }
    }
    let (mut falling, mut rising) = (None, None);
    let mut normal = Vector3::zeros();
    for face in faces {
        if over(*face, best) < least - 1e-9 {
            continue;
        }
        let mut out = Vector3::zeros();
        out[face.0] = face.1;
        let slope = face.1 * along[face.0];
        normal = out;
        if slope < 0.0 {
            falling = Some((slope, out));
        } else if slope > 0.0 {
            rising = Some((slope, out));
        }
    }
    if best < 1.0
        && best > 0.0
        && let (Some((down, one)), Some((up, other))) = (falling, rising)
    {
        normal = (one * up - other * down) / (up - down);
    }
    (best, least, normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;
    use proptest::prelude::*;

    fn outside(point: &Vector3<f64>, frame: &Frame, half: &Vector3<f64>) -> f64 {
        let point = frame.rotation.tr_mul(&(point - frame.translation));
        let over = point.abs() - half;
        if over.max() <= 0.0 {
            return over.max();
        }
        over.map(|it| it.max(0.0)).norm()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_points_of_two_segments_are_nearer_than_the_nearest(
            ends in prop::array::uniform4(prop::array::uniform3(-1.0..1.0f64)),
            kind in 0..4_u8,
        ) {
            let [a, mut b, c, mut d] = ends.map(Vector3::from);
            match kind {
                0 => b = a,
                1 => d = c + (b - a) * 0.7,
                2 => d = c,
                _ => {}
            }
            let (p, q) = of_segments((&a, &b), (&c, &d));
            let least = (p - q).norm();
            for i in 0..=60 {
                for j in 0..=60 {
                    let p = a + (b - a) * (f64::from(i) / 60.0);
                    let q = c + (d - c) * (f64::from(j) / 60.0);
                    prop_assert!((p - q).norm() >= least - 1e-9);
                }
            }
        }

        #[test]
        fn no_point_of_a_segment_is_nearer_to_a_box_or_deeper_in_it(
            ends in prop::array::uniform2(prop::array::uniform3(-1.0..1.0f64)),
            half in prop::array::uniform3(0.05..0.6f64),
            turn in prop::array::uniform3(-3.0..3.0f64),
            point in any::<bool>(),
        ) {
            let [a, mut b] = ends.map(Vector3::from);
            if point {
                b = a;
            }
            let half = Vector3::from(half);
            let frame = Frame {
                rotation: Rotation3::new(Vector3::from(turn)).into_inner(),
                translation: Vector3::new(0.1, -0.05, 0.02),
            };
            let (nearest, distance, direction) = from_box((&a, &b), &frame, &half);
            prop_assert!((outside(&nearest, &frame, &half) - distance).abs() < 1e-9);
            if distance > 0.0 {
                prop_assert!((direction.norm() - 1.0).abs() < 1e-9);
                let on = outside(&(nearest + direction * 1e-6), &frame, &half);
                prop_assert!(on >= distance + 1e-6 - 1e-9);
            }
            for i in 0..=400 {
                let there = outside(&(a + (b - a) * (f64::from(i) / 400.0)), &frame, &half);
                prop_assert!(there >= distance - 1e-9, "{there} {distance}");
            }
        }
    }
}
