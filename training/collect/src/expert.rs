//! The scripted expert: sees where the cube is and says how the tool should move.
//!
//! Owns the demonstration's behaviour and its numbers. It is a function of the present alone
//! (measured tool, gripper, cube): the same sight always gives the same action, which is what a
//! policy without memory can learn. It steers the *measured* tool by moving the command, so a
//! servo that sags or lags is made up for. Never talks to the arm or the physics.

use std::f64::consts::PI;

/// How many waypoints an action chunk has.
pub(crate) const CHUNK: usize = 16;
/// Seconds between waypoints.
pub(crate) const STEP_SECS: f64 = 1.0 / 15.0;
/// Constant lean of the tool from straight down, outward, radians.
pub(crate) const TILT: f64 = 0.2618;
/// Gripper angle that takes the cube in between the jaws, radians.
pub(crate) const OPEN: f64 = 0.45;
/// Gripper angle asked for when closing: beyond the cube, inside the joint's limit.
pub(crate) const CLOSED: f64 = -0.17;

/// Rollout steps between two waypoints.
const SUBSTEPS: usize = 4;
/// Tool height at the grasp, metres.
const GRASP_HEIGHT: f64 = 0.0125;
/// Tool height while looking for the cube from afar, metres.
const APPROACH_HEIGHT: f64 = 0.06;
/// Tool height while carrying, and near the bin's walls, metres.
const CARRY_HEIGHT: f64 = 0.095;
/// No sideways motion with a cube below this height; full speed from `FREE_HEIGHT`.
const WALL_HEIGHT: f64 = 0.05;
const FREE_HEIGHT: f64 = 0.085;
/// Largest speeds: sideways, up and down (m/s), roll (rad/s).
const SIDE_SPEED: f64 = 0.16;
const LIFT_SPEED: f64 = 0.12;
const ROLL_SPEED: f64 = 1.8;
/// Roll from home beyond which another pair of the cube's faces is taken, rad.
const FAR_ROLL: f64 = 1.0;
/// Speed per error, 1/s: slow enough for the lag of servos and inference together.
const GAIN: f64 = 3.5;
/// How fast the gripper is told to move, rad/s.
const GRIPPER_SPEED: f64 = 2.4;
/// How fast it is taken to follow: late rather than early, or the tool leaves without the cube.
const GRIPPER_FOLLOWS: f64 = 1.3;
/// A held cube keeps the jaws within this of where it should, rad.
const HELD_WITHIN: f64 = 0.05;
/// The jaws count as told to close below this, rad.
const TOLD_TO_CLOSE: f64 = -0.08;
/// A cube that left the table is held even across its corners: these gripper angles.
const HELD_ASKEW: std::ops::Range<f64> = -0.08..0.16;
/// Centre above where it lies on the table, metres: the cube has left it.
const LIFTED: f64 = 0.008;
/// Jaws turned farther than this from the cube's faces do not close, rad.
const ASKEW: f64 = 0.5;

/// Where the tool is: position in the base frame (m) and roll (rad).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Tool {
    pub(crate) position: [f64; 3],
    pub(crate) roll: f64,
}

/// What stays the same within one scene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Layout {
    /// The pan axis, base frame, metres.
    pub(crate) pan_axis: [f64; 2],
    /// Middle of the bin, base frame, metres.
    pub(crate) bin: [f64; 2],
    /// Half the bin's inner width, metres.
    pub(crate) bin_half: f64,
    /// Half the cube's edge, metres.
    pub(crate) cube_half: f64,
    /// Where the tool rests.
    pub(crate) home: Tool,
    /// Gripper angle with the cube between the jaws.
    pub(crate) held_angle: f64,
    /// How the jaws' yaw changes with the roll: +1 or −1.
    pub(crate) yaw_per_roll: f64,
}

/// Everything the expert looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sight {
    /// The tool as measured.
    pub(crate) tool: Tool,
    /// Direction in which the jaws close, seen from above, measured.
    pub(crate) jaw_yaw: f64,
    /// Measured gripper angle.
    pub(crate) gripper: f64,
    /// Commanded gripper angle.
    pub(crate) gripper_command: f64,
    /// Middle of the cube, base frame.
    pub(crate) cube: [f64; 3],
    /// Its yaw, right modulo a quarter turn.
    pub(crate) cube_yaw: f64,
}

/// What the expert wants now: velocities of the tool and an angle of the gripper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wish {
    pub(crate) velocity: [f64; 3],
    pub(crate) roll_rate: f64,
    pub(crate) gripper: f64,
}

/// The expert for one scene.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expert {
    pub(crate) layout: Layout,
}

impl Expert {
    /// Whether the cube is in the bin.
    pub(crate) fn placed(&self, cube: [f64; 3]) -> bool {
        let bin = self.layout.bin;
        let half = self.layout.bin_half;
        (cube[0] - bin[0]).abs() < half && (cube[1] - bin[1]).abs() < half && cube[2] < 0.04
    }

    /// Whether the jaws hold the cube: they are kept apart though told to close. Judged by
    /// measurement, as the policy has to.
    pub(crate) fn held(&self, sight: &Sight) -> bool {
        let apart = distance(sight.tool.position, sight.cube);
        let squeezed = if sight.cube[2] > self.layout.cube_half + LIFTED {
            HELD_ASKEW.contains(&sight.gripper) && sight.gripper_command < sight.gripper - 0.05
        } else {
            (sight.gripper - self.layout.held_angle).abs() < HELD_WITHIN
                && sight.gripper_command < TOLD_TO_CLOSE
        };
        squeezed && apart < 0.03
    }

    /// What to do at this sight.
    pub(crate) fn wish(&self, sight: &Sight) -> Wish {
        let tool = sight.tool.position;
        let bin = self.layout.bin;
        let over_bin = flat_distance(tool, bin);
        if self.placed(sight.cube) {
            return self.go_home(sight);
        }
        let dropping = flat_distance(sight.cube, bin) < self.layout.bin_half && over_bin < 0.03;
        if (self.held(sight) && over_bin < 0.015 && tool[2] > 0.075)
            || (dropping && sight.gripper_command > CLOSED + 0.1)
        {
            return Wish {
                velocity: [0.0; 3],
                roll_rate: 0.0,
                gripper: OPEN,
            };
        }
        if self.held(sight) {
            return self.carry(sight, [bin[0], bin[1], CARRY_HEIGHT], None, CLOSED);
        }
        self.approach(sight)
    }

    fn go_home(&self, sight: &Sight) -> Wish {
        let home = self.layout.home;
        // Clear of the bin's walls before anything else.
        let near_bin = flat_distance(sight.tool.position, self.layout.bin) < 0.10;
        let height = if near_bin {
            home.position[2].max(CARRY_HEIGHT)
        } else {
            home.position[2]
        };
        self.carry(
            sight,
            [home.position[0], home.position[1], height],
            Some(home.roll),
            OPEN,
        )
    }

    /// Up, along a circle about the pan axis, and to a place: a straight line would cross
    /// ground that the arm cannot reach.
    fn carry(&self, sight: &Sight, goal: [f64; 3], roll: Option<f64>, gripper: f64) -> Wish {
        let tool = sight.tool.position;
        let free = ramp(tool[2], WALL_HEIGHT, FREE_HEIGHT);
        let (radius, azimuth) = self.polar(tool);
        let (goal_radius, goal_azimuth) = self.polar(goal);
        let along = wrap(goal_azimuth - azimuth, PI) * radius;
        let (out, along) = limit2(GAIN * (goal_radius - radius), GAIN * along, SIDE_SPEED);
        let (sin, cos) = azimuth.sin_cos();
        Wish {
            velocity: [
                free * (cos * out - sin * along),
                free * (sin * out + cos * along),
                limit(GAIN * (goal[2] - tool[2]), LIFT_SPEED),
            ],
            roll_rate: roll.map_or(0.0, |roll| {
                free * limit(GAIN * (roll - sight.tool.roll), ROLL_SPEED)
            }),
            gripper,
        }
    }

    fn approach(&self, sight: &Sight) -> Wish {
        let tool = sight.tool.position;
        let cube = sight.cube;
        let turn = self.turn(sight);
        let yaw = sight.jaw_yaw;
        let off = [cube[0] - tool[0], cube[1] - tool[1]];
        let across = off[0] * yaw.cos() + off[1] * yaw.sin();
        let beside = -off[0] * yaw.sin() + off[1] * yaw.cos();
        let above = tool[2] - GRASP_HEIGHT.max(cube[2] - self.layout.cube_half + 0.001);

        // The moving jaw drags the cube towards the fixed one, so a grasp under way tolerates
        // more than one about to begin.
        let closing = sight.gripper < OPEN - 0.1;
        let tolerance = if closing { 0.013 } else { 0.006 };
        let low = if closing { 0.008 } else { 0.003 };
        if across.abs() < tolerance
            && beside.abs() < tolerance
            && above.abs() < low
            && turn.abs() < if closing { ASKEW } else { 0.15 }
        {
            return Wish {
                velocity: [0.0; 3],
                roll_rate: 0.0,
                gripper: CLOSED,
            };
        }

        // A funnel: the height follows from how far off the jaws are.
        let error = across.hypot(beside).hypot(0.02 * turn);
        let near_bin = flat_distance(tool, self.layout.bin) < 0.10;
        let top = if near_bin {
            CARRY_HEIGHT
        } else {
            APPROACH_HEIGHT
        };
        let funnel = GRASP_HEIGHT + 2.0 * (error - 0.004).max(0.0);
        let wanted = funnel.min(top);
        // Too low for this error: rise before going sideways.
        let free = 1.0 - ramp(wanted - tool[2], 0.006, 0.025);
        let distance = off[0].hypot(off[1]);
        let mut velocity = if distance > 0.06 {
            let wish = self.carry(sight, [cube[0], cube[1], wanted], None, OPEN);
            // `carry` waits for its own height; here the funnel says when.
            let height = ramp(tool[2], WALL_HEIGHT, FREE_HEIGHT).max(1e-3);
            [wish.velocity[0] / height, wish.velocity[1] / height, 0.0]
        } else {
            let (x, y) = limit2(GAIN * off[0], GAIN * off[1], SIDE_SPEED);
            [x, y, 0.0]
        };
        velocity[0] *= free;
        velocity[1] *= free;
        velocity[2] = limit(GAIN * (wanted - tool[2]), LIFT_SPEED);
        // Half-closed jaws must not come down on the cube.
        if sight.gripper < OPEN - 0.12 && error < 0.05 {
            velocity[2] = velocity[2].max(0.0);
        }
        Wish {
            velocity,
            roll_rate: free * limit(GAIN * turn, ROLL_SPEED),
            gripper: OPEN,
        }
    }

    /// How far to roll so that the jaws close on two faces of the cube once the tool is above it.
    fn turn(&self, sight: &Sight) -> f64 {
        let (_, azimuth) = self.polar(sight.tool.position);
        let (_, goal_azimuth) = self.polar(sight.cube);
        let yaw = sight.jaw_yaw + wrap(goal_azimuth - azimuth, PI);
        let quarter = PI / 4.0;
        // Of the cube's four equal yaws the one nearest to where the jaws are, unless that
        // would take the wrist far from its middle.
        let turn = self.layout.yaw_per_roll * wrap(sight.cube_yaw - yaw, quarter);
        let from_middle = sight.tool.roll + turn - self.layout.home.roll;
        if from_middle.abs() > FAR_ROLL {
            turn - from_middle.signum() * 2.0 * quarter
        } else {
            turn
        }
    }

    /// The chunk a clean hand would execute from here: for every waypoint the change of the
    /// commanded tool (x, y, z, roll) since now and the absolute gripper angle. The measured
    /// tool is taken to move with the command.
    pub(crate) fn rollout(&self, sight: &Sight) -> [[f64; 5]; CHUNK] {
        let mut now = *sight;
        let mut moved = [0.0; 4];
        let mut chunk = [[0.0; 5]; CHUNK];
        for waypoint in &mut chunk {
            for _ in 0..SUBSTEPS {
                let wish = self.wish(&now);
                self.imagine(&mut now, &wish, STEP_SECS / SUBSTEPS as f64, &mut moved);
            }
            waypoint[4] = now.gripper_command;
            waypoint[..4].copy_from_slice(&moved);
        }
        chunk
    }

    /// Moves an imagined world by one step.
    fn imagine(&self, sight: &mut Sight, wish: &Wish, secs: f64, moved: &mut [f64; 4]) {
        let held = self.held(sight);
        let between = distance(sight.tool.position, sight.cube) < 0.02;
        let (_, before) = self.polar(sight.tool.position);
        for (axis, velocity) in wish.velocity.iter().enumerate() {
            let way = velocity * secs;
            moved[axis] += way;
            sight.tool.position[axis] += way;
            if held {
                sight.cube[axis] += way;
            }
        }
        moved[3] += wish.roll_rate * secs;
        sight.tool.roll += wish.roll_rate * secs;
        let (_, after) = self.polar(sight.tool.position);
        let turned = wrap(after - before, PI) + self.layout.yaw_per_roll * wish.roll_rate * secs;
        sight.jaw_yaw += turned;
        sight.gripper_command += limit(wish.gripper - sight.gripper_command, GRIPPER_SPEED * secs);
        let stop = if held || between && sight.gripper > self.layout.held_angle - HELD_WITHIN {
            sight.gripper.min(if held {
                f64::MAX
            } else {
                self.layout.held_angle
            })
        } else {
            CLOSED
        };
        let way = limit(
            sight.gripper_command - sight.gripper,
            GRIPPER_FOLLOWS * secs,
        );
        sight.gripper = (sight.gripper + way).max(stop);
        let open = sight.gripper > self.layout.held_angle + 0.15;
        let over_bin = flat_distance(sight.cube, self.layout.bin) < self.layout.bin_half;
        if open && over_bin {
            sight.cube[2] = self.layout.cube_half;
        }
    }

    fn polar(&self, point: [f64; 3]) -> (f64, f64) {
        let x = point[0] - self.layout.pan_axis[0];
        let y = point[1] - self.layout.pan_axis[1];
        (x.hypot(y), y.atan2(x))
    }
}

/// `angle` brought to within ±`half` by whole turns of `2 · half`.
pub(crate) fn wrap(angle: f64, half: f64) -> f64 {
    (angle + half).rem_euclid(2.0 * half) - half
}

fn limit(value: f64, most: f64) -> f64 {
    value.clamp(-most, most)
}

fn limit2(a: f64, b: f64, most: f64) -> (f64, f64) {
    let scale = most / a.hypot(b).max(most);
    (a * scale, b * scale)
}

/// 0 below `from`, 1 above `to`, straight between.
fn ramp(value: f64, from: f64, to: f64) -> f64 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

fn flat_distance(point: [f64; 3], to: [f64; 2]) -> f64 {
    (point[0] - to[0]).hypot(point[1] - to[1])
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1]).hypot(a[2] - b[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout {
            pan_axis: [0.0388, 0.0],
            bin: [0.13, -0.19],
            bin_half: 0.045,
            cube_half: 0.0125,
            home: Tool {
                position: [0.23, 0.0, 0.10],
                roll: 1.52,
            },
            held_angle: 0.0,
            yaw_per_roll: 1.0,
        }
    }

    /// Plays the expert in its own imagination.
    fn play(mut sight: Sight) -> Option<f64> {
        let expert = Expert { layout: layout() };
        let mut moved = [0.0; 4];
        for step in 0..1500 {
            if expert.placed(sight.cube) {
                return Some(f64::from(step) / 60.0);
            }
            let wish = expert.wish(&sight);
            expert.imagine(&mut sight, &wish, 1.0 / 60.0, &mut moved);
        }
        None
    }

    #[test]
    fn the_expert_places_every_cube_it_can_imagine() {
        for i in 0..12 {
            for j in 0..6 {
                let angle = -0.45 + 0.1 * f64::from(i);
                let radius = 0.13 + 0.021 * f64::from(j);
                let sight = Sight {
                    tool: layout().home,
                    jaw_yaw: 1.52,
                    gripper: OPEN,
                    gripper_command: OPEN,
                    cube: [0.0388 + radius * angle.cos(), radius * angle.sin(), 0.0125],
                    cube_yaw: 0.3 * f64::from(i - j),
                };
                let secs = play(sight);
                assert!(secs.is_some_and(|s| s < 15.0), "{angle} {radius}: {secs:?}");
            }
        }
    }

    #[test]
    fn a_rollout_starts_where_the_command_is() {
        let expert = Expert { layout: layout() };
        let sight = Sight {
            tool: layout().home,
            jaw_yaw: 1.52,
            gripper: OPEN,
            gripper_command: OPEN,
            cube: [0.2, 0.05, 0.0125],
            cube_yaw: 0.2,
        };
        let chunk = expert.rollout(&sight);
        assert!(chunk[0][..3].iter().all(|d| d.abs() < 0.012));
        assert_eq!(chunk[0][4], OPEN);
    }
}
