//! Every joint's axis in the base frame: what levers and links are reckoned from.

use nalgebra::Vector3;

use super::{Chain, sweep};
use crate::frame::Frame;

/// Where the tool is, and the axis that each variable turns about or slides along.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axes<const N: usize> {
    /// The tool in the base frame.
    pub tool: Frame,
    /// Directions of unit length, base frame, base first.
    pub directions: [Vector3<f64>; N],
    /// A point on each: the joint's origin, base frame, metres.
    pub points: [Vector3<f64>; N],
}

impl<const N: usize> Chain<N> {
    /// The axes at positions `q` (radians or metres, base first); where several joints follow a
    /// variable that of the first.
    #[inline]
    #[must_use]
    pub fn axes(&self, q: &[f64; N]) -> Axes<N> {
        let Some(coupled) = &self.coupled else {
            let swept = sweep(&self.first, &self.stages, q, N, &self.tip);
            return Axes {
                tool: swept.tool,
                directions: swept.directions.map(Vector3::from),
                points: swept.points.map(Vector3::from),
            };
        };
        let swept = coupled.sweep(&self.first, q, &self.tip);
        let mut axes = Axes {
            tool: swept.tool,
            directions: [Vector3::zeros(); N],
            points: [Vector3::zeros(); N],
        };
        // From the last to the first: the first one stays.
        for joint in (0..coupled.len).rev() {
            let variable = coupled.drivers[joint].variable;
            axes.directions[variable] = swept.directions[joint].into();
            axes.points[variable] = swept.points[joint].into();
        }
        axes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use crate::Description;

    #[test]
    fn levers_about_the_axes_are_the_jacobian() {
        let text = include_str!("../../tests/wild.urdf");
        let arm = Description::read("wild.urdf", text, "base", "tip").unwrap();
        let chain = arm.model::<7>().unwrap().chain;
        let q = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 0.7];
        let (axes, now) = (chain.axes(&q), chain.linearise(&q));
        assert_eq!(axes.tool, now.tool);
        for joint in (0..7).filter(|_| chain.is_plain()) {
            let column = now.jacobian.column(joint);
            let turns = column.fixed_rows::<3>(3).norm() > 0.5;
            let moves = if turns {
                axes.directions[joint].cross(&(now.tool.translation - axes.points[joint]))
            } else {
                axes.directions[joint]
            };
            assert!(
                (moves - column.fixed_rows::<3>(0)).norm() < 1e-12,
                "{joint}"
            );
        }
    }
}
