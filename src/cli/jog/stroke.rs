//! One motion while a key is held: speed gained and lost smoothly along one axis, as plans.
//!
//! Owns how far along it is. Each plan ends at rest by itself soon after it was sent, so that motion
//! goes on only while plans keep coming; and each begins on the course of the one before. Pure: time
//! is an argument.

use crate::messages::{MAX_WAYPOINTS, Plan};
use crate::units::{JointVec, MonoTime, Rad};

use super::axes::{Axes, Axis, Pace};

/// Between two waypoints.
const STEP_NS: u32 = 20_000_000;
const STEP: f64 = 0.02;
/// A plan goes on for so long before it brakes, and stands for so long at its end.
const AHEAD: usize = 20;
const STANDS: usize = 15;
/// A single press goes as far as this much time at full speed would, seconds.
const PRESS: f64 = 0.1;

/// Where a stroke is on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    gone: f64,
    speed: f64,
}

/// One motion along an axis.
#[derive(Debug, Clone)]
pub(super) struct Stroke {
    pub(super) axis: Axis,
    direction: f64,
    pub(super) from: JointVec<Rad>,
    pace: Pace,
    /// How far it may go, and how far it goes.
    most: f64,
    room: f64,
    begun: MonoTime,
    steps: u64,
    place: Place,
}

impl Stroke {
    /// One press from a pose at rest: a step of its own; `None` where there is no room for any.
    pub(super) fn press(
        axes: &Axes,
        axis: Axis,
        direction: f64,
        share: f64,
        from: &JointVec<Rad>,
        now: MonoTime,
    ) -> Option<Stroke> {
        let most = axes.room(axis, direction, from);
        let fastest = axes.pace(axis, from);
        let pace = Pace {
            speed: share * fastest.speed,
            gain: fastest.gain,
        };
        (most > 0.0).then(|| Stroke {
            axis,
            direction,
            from: *from,
            pace,
            most,
            room: most.min(PRESS * pace.speed),
            begun: now,
            steps: 0,
            place: Place {
                gone: 0.0,
                speed: 0.0,
            },
        })
    }

    /// From now on it goes as far as there is room: whether that is news.
    pub(super) fn go_on(&mut self) -> bool {
        let news = self.room < self.most;
        self.room = self.most;
        news
    }

    /// The plan from `now` on.
    pub(super) fn plan(&mut self, axes: &Axes, id: u64, now: MonoTime) -> Plan {
        while self.due(self.steps + 1) <= now {
            self.place = self.next(self.place, self.pace.speed);
            self.steps += 1;
        }
        let mut place = self.place;
        let mut ways = vec![self.direction * place.gone];
        for _ in 0..AHEAD {
            place = self.next(place, self.pace.speed);
            ways.push(self.direction * place.gone);
        }
        while place.speed > 0.0 && ways.len() + STANDS < MAX_WAYPOINTS {
            place = self.next(place, 0.0);
            ways.push(self.direction * place.gone);
        }
        ways.extend([self.direction * place.gone; STANDS]);
        Plan {
            id,
            captured_at: now,
            start: self.due(self.steps),
            step_ns: STEP_NS,
            waypoints: axes.waypoints(self.axis, &self.from, &ways),
        }
    }

    /// How far it should be at `now`, from the last plan on.
    pub(super) fn gone(&self, now: MonoTime) -> f64 {
        let mut place = self.place;
        let mut step = self.steps;
        while self.due(step + 1) <= now && step < self.steps + AHEAD as u64 {
            place = self.next(place, self.pace.speed);
            step += 1;
        }
        place.gone
    }

    /// Whether it is at the end of its way at `now`.
    pub(super) fn is_over(&self, now: MonoTime) -> bool {
        self.room - self.gone(now) < 1e-6
    }

    /// Whether the end of its way is all the room there is.
    pub(super) fn is_at_limit(&self, now: MonoTime) -> bool {
        self.most - self.gone(now) < 1e-6
    }

    /// How far behind it the arm is, with its command at `joints`.
    pub(super) fn behind(&self, axes: &Axes, joints: &JointVec<Rad>, now: MonoTime) -> f64 {
        let gone = axes.gone(self.axis, &self.from, joints);
        gone.map_or(0.0, |gone| self.gone(now) - self.direction * gone)
    }

    /// Its speed at its fastest, radians or metres a second.
    pub(super) fn speed(&self) -> f64 {
        self.pace.speed
    }

    fn due(&self, step: u64) -> MonoTime {
        MonoTime(self.begun.0 + step * u64::from(STEP_NS))
    }

    fn next(&self, place: Place, wanted: f64) -> Place {
        let left = (self.room - place.gone).max(0.0);
        // What is left after this step must do for braking from the speed at its end.
        let gain = self.pace.gain;
        let before_end = gain * ((STEP * STEP + 2.0 * left / gain).sqrt() - STEP);
        let change = gain * STEP;
        let speed = wanted
            .min(before_end)
            .clamp(place.speed - change, place.speed + change)
            .max(0.0);
        let way = (0.5 * (place.speed + speed) * STEP).min(left);
        Place {
            gone: place.gone + way,
            // Where it is pressed against the end nothing is left of it.
            speed: if left - way > 0.0 { speed } else { 0.0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::ArmModel;
    use crate::cell::{Cell, Overrides};
    use crate::cli::jog::axes::Table;
    use crate::messages::Waypoints;

    const T: MonoTime = MonoTime(5_000_000_000);

    fn axes() -> Axes {
        let cell = concat!(env!("CARGO_MANIFEST_DIR"), "/cells/sim.toml");
        let cell = Cell::load(cell.as_ref(), &Overrides::default()).unwrap();
        let model: ArmModel = cell.load_arm().unwrap().model;
        Axes::of(model)
    }

    fn pose() -> JointVec<Rad> {
        [0.0, -0.6, 0.6, 1.0, 0.0, 0.3]
            .map(Rad)
            .into_iter()
            .collect()
    }

    fn press(axis: Axis, direction: f64) -> Option<Stroke> {
        Stroke::press(&axes(), axis, direction, 0.5, &pose(), T)
    }

    fn of_joint(plan: &Plan, joint: usize) -> Vec<f64> {
        let Waypoints::Joint(points) = &plan.waypoints else {
            panic!("a joint's plan is of joints");
        };
        points.iter().map(|it| it.get(joint).unwrap().0).collect()
    }

    #[test]
    fn a_press_goes_a_step_and_its_plan_ends_at_rest() {
        let mut stroke = press(Axis::Joint(0), 1.0).unwrap();
        let plan = stroke.plan(&axes(), 1, T);
        let way = of_joint(&plan, 0);
        assert_eq!(way.first(), Some(&0.0));
        assert!(
            (way.last().unwrap() - PRESS * stroke.speed()).abs() < 1e-4,
            "{way:?}"
        );
        assert!(way.windows(2).all(|pair| pair[1] >= pair[0]));
        assert!(
            way[way.len() - STANDS..]
                .windows(2)
                .all(|pair| pair[0] == pair[1])
        );
        assert!(stroke.is_over(T.offset_secs(1.0)) && !stroke.is_at_limit(T.offset_secs(1.0)));
    }

    #[test]
    fn plans_of_one_stroke_lie_on_one_course() {
        let mut stroke = press(Axis::Joint(1), 1.0).unwrap();
        stroke.go_on();
        let axes = axes();
        let first = stroke.plan(&axes, 1, T);
        let second = stroke.plan(&axes, 2, T.offset_secs(0.21));
        assert_eq!(second.start, T.offset_secs(0.2));
        let (first, second) = (of_joint(&first, 1), of_joint(&second, 1));
        assert!(
            first[10..=20]
                .iter()
                .zip(&second)
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
        // Speed and its change are what they may be.
        let most = stroke.speed() * STEP;
        assert!(
            first
                .windows(2)
                .all(|pair| pair[1] - pair[0] <= most + 1e-12)
        );
    }

    #[test]
    fn a_held_key_ends_at_the_limit_and_there_is_no_stroke_beyond() {
        let axes = axes();
        let mut stroke = press(Axis::Joint(0), 1.0).unwrap();
        stroke.go_on();
        let mut at = T;
        for _ in 0..400 {
            at = at.offset_secs(0.1);
            stroke.plan(&axes, 1, at);
        }
        assert!(stroke.is_at_limit(at));
        let limit = axes.model.limits().get(0).unwrap().upper.0;
        assert!((stroke.gone(at) - limit).abs() < 0.01);
        let mut there = pose();
        there.as_mut_slice()[0] = Rad(limit);
        assert!(Stroke::press(&axes, Axis::Joint(0), 1.0, 0.5, &there, T).is_none());
        assert!(Stroke::press(&axes, Axis::Joint(0), -1.0, 0.5, &there, T).is_some());
    }

    #[test]
    fn no_point_of_the_arm_goes_faster_than_reduced_speed() {
        let axes = axes();
        let secs = 1e-4;
        for axis in axes.table(Table::Joints) {
            let pace = axes.pace(axis, &pose());
            let Axis::Joint(joint) = axis else {
                panic!("a joint");
            };
            let mut after = pose();
            after.as_mut_slice()[joint].0 += pace.speed * secs;
            let tool = |pose: &JointVec<Rad>| axes.model.forward(pose).tool.translation;
            let speed = (tool(&after) - tool(&pose())).norm() / secs;
            assert!(
                speed <= crate::cli::jog::axes::REDUCED + 1e-3,
                "{axis:?}: {speed}"
            );
        }
    }

    #[test]
    fn the_tool_goes_along_one_axis_with_tilt_and_roll_kept() {
        let axes = axes();
        let mut stroke = press(Axis::Along(1), -1.0).unwrap();
        let plan = stroke.plan(&axes, 1, T);
        let Waypoints::Tool(points) = &plan.waypoints else {
            panic!("a five-joint arm is led by tilt and roll");
        };
        let (first, last) = (points.first().unwrap(), points.last().unwrap());
        assert!(last.position[1] < first.position[1] - 0.005);
        assert_eq!(
            (first.position[0], first.tilt, first.roll),
            (last.position[0], last.tilt, last.roll)
        );
        assert_eq!(first.gripper, 0.3);
    }
}
