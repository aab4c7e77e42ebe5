//! What is shown of the arm while it is jogged: joints against their limits, the tool, the keys.
//!
//! Owns the words. Never asks anybody for anything.

use super::axes::{Axes, Axis, Table};
use super::hand::{MINUS, PLUS};
use crate::messages::Telemetry;

/// Nearer than this to a limit is at it, radians.
const AT_LIMIT: f64 = 0.01;

/// Everything the picture shows.
pub(super) struct Shown<'a> {
    pub(super) cell: &'a str,
    pub(super) axes: &'a Axes,
    pub(super) tick: &'a Telemetry,
    pub(super) table: Table,
    /// Share of the reduced speed.
    pub(super) share: f64,
    /// The axis that moves.
    pub(super) moves: Option<Axis>,
    /// Why the arm stands, and what to do.
    pub(super) why: &'a str,
}

/// Its lines.
pub(super) fn lines(shown: &Shown<'_>) -> Vec<String> {
    let mut lines = vec![
        format!(
            "jog {}: {}{}   speed {:.0} % of reduced speed",
            shown.cell,
            shown.tick.mode,
            shown.why,
            100.0 * shown.share
        ),
        String::new(),
    ];
    for (table, heading) in [
        (Table::Joints, "  keys  joint                now   limits"),
        (Table::Tool, "  keys  tool                 now"),
    ] {
        lines.push(heading.to_owned());
        for (index, axis) in shown.axes.table(table).into_iter().enumerate() {
            let keys = match (table == shown.table, PLUS.get(index), MINUS.get(index)) {
                (true, Some(plus), Some(minus)) => format!("{plus} {minus}"),
                _ => "   ".to_owned(),
            };
            let moves = if shown.moves == Some(axis) && table == shown.table {
                "▸"
            } else {
                " "
            };
            lines.push(format!("{moves} {keys}   {}", row(shown, axis, table)));
        }
        lines.push(String::new());
    }
    lines.push("hold a key: the arm moves; let go: it stands. One press is one step.".to_owned());
    lines.push("Space, Esc: stop   Enter: torque on   Tab: joints or tool   + -: speed".to_owned());
    lines.push("Shift-L: let the arm go limp   Ctrl-C: end".to_owned());
    lines
}

fn row(shown: &Shown<'_>, axis: Axis, table: Table) -> String {
    let name = shown.axes.name(axis);
    let at = shown.axes.at(axis, &shown.tick.measured);
    let number = match (axis, at) {
        (_, None) => String::new(),
        (Axis::Along(_), Some(at)) => format!("{:>8.1} mm", 1e3 * at),
        (_, Some(at)) => format!("{:>8.1}°", at.to_degrees()),
    };
    let limits = match (axis, table) {
        (Axis::Joint(joint), Table::Joints) => {
            let limits = shown.axes.model.limits().get(joint).unwrap_or_default();
            let command = shown.tick.command.get(joint).unwrap_or_default().0;
            let met = if command <= limits.lower.0 + AT_LIMIT {
                "  at its lower limit"
            } else if command >= limits.upper.0 - AT_LIMIT {
                "  at its upper limit"
            } else {
                ""
            };
            format!(
                "   {:.1}° … {:.1}°{met}",
                limits.lower.0.to_degrees(),
                limits.upper.0.to_degrees()
            )
        }
        (Axis::Joint(_) | Axis::Along(_) | Axis::Tilt | Axis::Roll | Axis::Turn(_), _) => {
            String::new()
        }
    };
    format!("{name:<16}{number}{limits}")
}
