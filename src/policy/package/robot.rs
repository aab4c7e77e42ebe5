//! The robot a policy was trained for: its state, its actions, their units and their timing.

use super::node::Node;
use crate::policy::finding::Findings;

/// Actions a second where a manifest does not say: the usual rate of LeRobot data sets.
const DEFAULT_RATE_HZ: f64 = 30.0;

/// What the numbers of joints mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Radians.
    Si,
    /// Degrees from the middle of the calibrated range; the gripper 0…100.
    Degrees,
    /// −100…100 of the calibrated range; the gripper 0…100.
    Percent,
}

/// One direction in the base frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Forwards.
    X,
    /// To the left.
    Y,
    /// Up.
    Z,
}

impl Axis {
    /// Its index in a vector.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Axis::X => 0,
            Axis::Y => 1,
            Axis::Z => 2,
        }
    }
}

/// One value of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateEntry {
    /// A joint's measured position.
    Position(String),
    /// A joint's command less its measured position: how hard it is loaded.
    Lag(String),
    /// The tool point by the measured joints, metres in the base frame.
    Tool(Axis),
    /// How fast a joint turns, rad/s whatever the units.
    Velocity(String),
    /// Value of the action before, as the graph gave it; 0 at first.
    LastAction(usize),
    /// Always 0: a place for something this arm has not.
    Nothing,
}

/// What the value of a joint in an action means. The gripper's is always where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JointAction {
    /// Where it should be.
    Position,
    /// How far from where it was commanded to be when the pictures were taken.
    Offset,
    /// How fast it should turn from there, units a second.
    Velocity,
}

/// The values of a tool action.
pub const TOOL_COLUMNS: [&str; 5] = ["tool.x", "tool.y", "tool.z", "tool.roll", "gripper.pos"];
/// A value of an action that means nothing to this arm.
pub const UNUSED: &str = "-";

/// Where a package speaks of state and action, for findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Of the state.
    pub state: String,
    /// Of the action.
    pub action: String,
}

/// What one action says.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionLayout {
    /// A value a joint.
    Joint {
        /// Their names in order, or `None` for the arm's own order.
        order: Option<Vec<String>>,
        /// What each value means.
        meaning: JointAction,
    },
    /// A pose of the tool, relative to the pose commanded when the pictures were taken; the
    /// gripper absolute.
    Tool {
        /// The columns of x, y, z, roll and gripper.
        columns: [usize; 5],
        /// The tool's lean, radians, the same for every action.
        tilt_rad: f64,
    },
}

/// When actions are due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Actions a second.
    pub rate_hz: f64,
    /// Action 0 is due this many steps after the pictures were taken.
    pub first_step: f64,
}

/// The robot as the manifest describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Robot {
    /// Its type, as the manifest names it.
    pub kind: String,
    /// The state's values; `None` for the position of every joint in the arm's own order.
    pub state: Option<Vec<StateEntry>>,
    /// How many values the state has, where the manifest says.
    pub state_width: Option<usize>,
    /// Units of the state.
    pub state_units: Units,
    /// What an action says.
    pub action: ActionLayout,
    /// How many values an action has, where the manifest says.
    pub action_width: Option<usize>,
    /// Units of the actions.
    pub action_units: Units,
    /// Units of the gripper in them.
    pub gripper_units: Units,
    /// When actions are due.
    pub timing: Timing,
    /// Where the package says all this.
    pub places: Places,
}

impl ActionLayout {
    /// Positions of the joints called `order`.
    pub(super) fn positions(order: Option<Vec<String>>) -> ActionLayout {
        ActionLayout::Joint {
            order,
            meaning: JointAction::Position,
        }
    }
}

impl Robot {
    /// How many joints the manifest implies, if it does.
    pub(super) fn joints(&self) -> Option<usize> {
        match &self.state {
            Some(entries) => {
                let positions = entries
                    .iter()
                    .filter(|entry| matches!(entry, StateEntry::Position(_)))
                    .count();
                (positions > 0).then_some(positions)
            }
            None => self.state_width,
        }
    }
}

/// The robot of a manifest; what it does not say is what SO-101 packages usually mean.
pub(super) fn read(root: &Node<'_>, findings: &mut Findings) -> Robot {
    let mut robot = Robot {
        kind: String::new(),
        state: None,
        state_width: None,
        state_units: Units::Percent,
        action: ActionLayout::positions(None),
        action_width: None,
        action_units: Units::Percent,
        gripper_units: Units::Percent,
        timing: Timing {
            rate_hz: DEFAULT_RATE_HZ,
            first_step: 0.0,
        },
        places: Places {
            state: "manifest.json: hardware.robots[0].state".into(),
            action: "manifest.json: hardware.robots[0].action".into(),
        },
    };
    let robots = root
        .get("hardware")
        .and_then(|hardware| hardware.get("robots"));
    let list = robots.as_ref().map(|node| node.list(findings));
    let node = match list.as_deref() {
        None | Some([]) => {
            findings.warning(
                "manifest.json: hardware.robots",
                "no robot is described: joints are taken in the arm's order, −100…100, 30 actions a second",
                "describe the robot with state, action, units and rate_hz",
            );
            return robot;
        }
        Some([node]) => node,
        Some(several) => {
            findings.error(
                "manifest.json: hardware.robots",
                format!("it describes {} robots", several.len()),
                "give a package for one robot",
            );
            return robot;
        }
    };
    if let Some(kind) = node.get("type").and_then(|kind| kind.text(findings)) {
        robot.kind = kind.to_owned();
    }
    if let Some(state) = node.get("state") {
        robot.state_units = units(&state, findings);
        robot.state_width = width(&state, findings);
        robot.state = state.get("order").map(|order| entries(&order, findings));
        counts_agree(
            &state,
            robot.state.as_ref().map(Vec::len),
            robot.state_width,
            findings,
        );
    }
    match node.get("action") {
        None => findings.warning(
            node.place(),
            "it has no action: joints in the arm's order are assumed",
            "describe the action with shape, order, units and rate_hz",
        ),
        Some(action) => {
            robot.action_units = units(&action, findings);
            robot.gripper_units = robot.action_units;
            robot.action_width = width(&action, findings);
            robot.timing = timing(&action, findings);
            let order = action.get("order").map(|order| order.texts(findings));
            let length = order.as_ref().map(Vec::len);
            counts_agree(&action, length, robot.action_width, findings);
            if let Some(layout) = layout(&action, order, robot.action_units, findings) {
                robot.action = layout;
            }
        }
    }
    robot
}

fn units(node: &Node<'_>, findings: &mut Findings) -> Units {
    let Some(units) = node.get("units") else {
        return Units::Percent;
    };
    match units.text(findings) {
        Some("si") => Units::Si,
        Some("degrees") => Units::Degrees,
        Some("percent") | None => Units::Percent,
        Some(other) => {
            let what = format!("{other:?} are no units");
            findings.error(units.place(), what, "write si, degrees or percent");
            Units::Percent
        }
    }
}

fn width(node: &Node<'_>, findings: &mut Findings) -> Option<usize> {
    let shape = node.get("shape")?;
    match shape.shape(findings)?.as_slice() {
        [width] => Some(*width),
        other => {
            let what = format!("it has {} sizes", other.len());
            findings.error(shape.place(), what, "give one size: how many values it has");
            None
        }
    }
}

fn counts_agree(
    node: &Node<'_>,
    order: Option<usize>,
    width: Option<usize>,
    findings: &mut Findings,
) {
    if let (Some(order), Some(width)) = (order, width)
        && order != width
    {
        findings.error(
            node.place(),
            format!("order names {order} values, shape says {width}"),
            "make them agree",
        );
    }
}

fn entries(order: &Node<'_>, findings: &mut Findings) -> Vec<StateEntry> {
    let names = order.texts(findings);
    let entries: Vec<StateEntry> = names.iter().map(|name| entry(name)).collect();
    for name in names.iter().filter(|name| name.ends_with(".vel")) {
        findings.error(
            order.place(),
            format!("{name:?} is a velocity, and those are not known here"),
            "train without joint velocities",
        );
    }
    for (index, entry) in entries.iter().enumerate() {
        if entries.iter().take(index).any(|other| other == entry) {
            let what = format!("{:?} is named twice", names.get(index).unwrap_or(&""));
            findings.error(order.place(), what, "name each value once");
        }
    }
    entries
}

impl StateEntry {
    /// The value called `name`: `<joint>`, `<joint>.pos`, `<joint>.lag`, `<joint>.vel`,
    /// `tool.x|y|z`, or `-` for none.
    #[must_use]
    pub fn named(name: &str) -> StateEntry {
        match name.rsplit_once('.') {
            Some((joint, "vel")) => StateEntry::Velocity(joint.to_owned()),
            _ if name == UNUSED => StateEntry::Nothing,
            _ => entry(name),
        }
    }
}

fn entry(name: &str) -> StateEntry {
    match name {
        "tool.x" => return StateEntry::Tool(Axis::X),
        "tool.y" => return StateEntry::Tool(Axis::Y),
        "tool.z" => return StateEntry::Tool(Axis::Z),
        _ => {}
    }
    match name.rsplit_once('.') {
        Some((joint, "pos")) => StateEntry::Position(joint.to_owned()),
        Some((joint, "lag")) => StateEntry::Lag(joint.to_owned()),
        _ => StateEntry::Position(name.to_owned()),
    }
}

fn timing(action: &Node<'_>, findings: &mut Findings) -> Timing {
    let mut timing = Timing {
        rate_hz: DEFAULT_RATE_HZ,
        first_step: 0.0,
    };
    match action.get("rate_hz") {
        None => findings.warning(
            action.place(),
            format!("it has no rate_hz: {DEFAULT_RATE_HZ} actions a second are assumed"),
            "add the rate of the training data, or the arm moves at the wrong speed",
        ),
        Some(node) => match node.number(findings) {
            Some(rate) if (1.0..=1000.0).contains(&rate) => timing.rate_hz = rate,
            Some(rate) => {
                let what = format!("it is {rate}");
                findings.error(node.place(), what, "make it 1 to 1000 actions a second");
            }
            None => {}
        },
    }
    if let Some(node) = action.get("first_step") {
        match node.number(findings) {
            Some(step) if (0.0..=100.0).contains(&step) => timing.first_step = step,
            Some(step) => {
                let what = format!("it is {step}");
                findings.error(node.place(), what, "make it 0 to 100 steps");
            }
            None => {}
        }
    }
    timing
}

fn layout(
    action: &Node<'_>,
    order: Option<Vec<&str>>,
    units: Units,
    findings: &mut Findings,
) -> Option<ActionLayout> {
    let space = match action.get("space") {
        None => "joint",
        Some(node) => match node.text(findings)? {
            space @ ("joint" | "tool") => space,
            other => {
                let what = format!("{other:?} is no space");
                findings.error(node.place(), what, "write joint or tool");
                return None;
            }
        },
    };
    if space == "tool" {
        return tool_layout(action, &order.unwrap_or_default(), units, findings);
    }
    if let Some(node) = action.get("relative_to") {
        findings.error(
            node.place(),
            "joint actions are absolute here",
            "remove relative_to, or train on absolute joint positions",
        );
    }
    let Some(order) = order else {
        return Some(ActionLayout::positions(None));
    };
    let mut joints: Vec<String> = Vec::new();
    for name in order {
        let joint = name.strip_suffix(".pos").unwrap_or(name);
        if joints.iter().any(|other| other == joint) {
            let what = format!("{joint:?} is named twice");
            findings.error(action.place(), what, "name each joint once");
        }
        joints.push(joint.to_owned());
    }
    Some(ActionLayout::positions(Some(joints)))
}

fn tool_layout(
    action: &Node<'_>,
    order: &[&str],
    units: Units,
    findings: &mut Findings,
) -> Option<ActionLayout> {
    if units != Units::Si {
        findings.error(
            action.place(),
            "tool actions need \"units\": \"si\"",
            "give metres and radians",
        );
    }
    let relative = action.get("relative_to");
    if relative.as_ref().and_then(|node| node.text(findings)) != Some("command") {
        findings.error(
            relative
                .as_ref()
                .map_or(action.place(), |node| node.place()),
            "tool actions are relative to the commanded pose",
            "write \"relative_to\": \"command\"",
        );
    }
    let mut columns = [0; 5];
    for (slot, name) in columns.iter_mut().zip(TOOL_COLUMNS) {
        match order.iter().position(|other| *other == name) {
            Some(index) => *slot = index,
            None => {
                findings.error(
                    action.place(),
                    format!("its order lacks {name:?}"),
                    "name tool.x, tool.y, tool.z, tool.roll and gripper.pos",
                );
                return None;
            }
        }
    }
    if order.len() != TOOL_COLUMNS.len() {
        findings.error(
            action.place(),
            format!("its order has {} names, a tool action has 5", order.len()),
            "name tool.x, tool.y, tool.z, tool.roll and gripper.pos, each once",
        );
    }
    let tilt = action.need("tilt_rad", findings)?;
    let tilt_rad = tilt.number(findings)?;
    if !(-1.6..=1.6).contains(&tilt_rad) {
        let what = format!("it is {tilt_rad}");
        findings.error(tilt.place(), what, "make it −1.6 to 1.6 radians");
    }
    Some(ActionLayout::Tool { columns, tilt_rad })
}
