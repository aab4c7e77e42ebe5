//! Every fault to survive, by number: the reaction that is promised, how it is struck, and where it
//! is held to that.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use surehand::messages::Request;

use crate::common::Servos;
use crate::row::{Row, row};
use crate::strike::{After, Blow, Motion};

/// All of them.
pub fn rows() -> Vec<Row> {
    [processes(), policies(), line(), servos(), operators()]
        .into_iter()
        .flatten()
        .collect()
}

fn processes() -> Vec<Row> {
    vec![
        row(1, "runner killed", "stop 15")
            .struck("SIGKILL", Blow::Runner(Signal::KILL), "runner died", 15.0)
            .tested(&["stops.rs::a_killed_runner_stops_the_arm"]),
        row(2, "runner panics or aborts", "stop 15").struck(
            "SIGABRT",
            Blow::Runner(Signal::ABORT),
            "runner died",
            15.0,
        ),
        row(3, "runner frozen", "stop 45").struck(
            "SIGSTOP",
            Blow::Runner(Signal::STOP),
            "silent",
            45.0,
        ),
        row(
            4,
            "runner frozen, stopped, then it goes on",
            "nothing it sends moves the arm",
        )
        .tested(&["stops.rs::a_frozen_runner_stops_the_arm_and_moves_nothing_when_it_wakes"]),
        row(
            5,
            "inference deadlocks, the runner lives",
            "stop 45 after the plan ran out",
        )
        // The plan of the swinging policy lasts 1067 ms from its pictures.
        .struck(
            "planner thread held",
            Blow::HoldThread("planner"),
            "ran out",
            1067.0 + 45.0,
        )
        .while_it(Motion::Turning),
        row(
            6,
            "heartbeats without a fresh plan",
            "stop when the plan runs out",
        )
        .tested(&["processes.rs::heartbeats_without_plans_stop_the_arm_when_the_plan_is_over"]),
        row(7, "runner out of memory", "stop 15").struck(
            "no memory",
            Blow::NoMemory,
            "runner died",
            15.0,
        ),
        row(8, "SIGTERM or Ctrl-C in motion", "stop 10, torque stays on")
            .struck("SIGTERM", Blow::Runner(Signal::TERM), "", 10.0)
            .then(After::Ended)
            .struck("SIGINT", Blow::Runner(Signal::INT), "", 10.0)
            .then(After::Ended)
            .tested(&["processes.rs::a_second_ctrl_c_does_not_shorten_the_stop"]),
        row(
            9,
            "guard killed",
            "a new guard holds the port, latched, 500",
        )
        .struck("SIGKILL", Blow::Guard(Signal::KILL), "replaced", 500.0)
        .then(After::Replaced)
        .tested(&["stops.rs::a_killed_guard_leaves_a_safe_goal_and_is_replaced_latched"]),
        row(
            10,
            "guard and runner killed",
            "no more than the stopping distance",
        )
        .tested(&["processes.rs::both_killed_leave_an_arm_that_stops_by_itself"]),
        row(11, "guard frozen", "killed and replaced 500")
            .struck("SIGSTOP", Blow::Guard(Signal::STOP), "replaced", 500.0)
            .then(After::Replaced)
            .tested(&["stops.rs::a_frozen_guard_is_killed_and_replaced"]),
        row(
            12,
            "processor hogs on every core",
            "no tick missed that the machine does not cause",
        )
        .tested(&[
            "processes.rs::hogs_on_every_core_hold_up_no_wake_up_and_a_stop_has_its_cause",
            "processes.rs::hogs_that_hold_up_a_loop_without_priority_stop_the_arm",
        ]),
        row(13, "the loop stalled for 50 ms", "stop, no burst of frames")
            .struck(
                "guard stopped for 50 ms",
                Blow::StallGuard(Duration::from_millis(50)),
                "missed",
                15.0,
            )
            .tested(&["processes.rs::a_stalled_loop_writes_no_burst_of_goals"]),
        row(14, "wall clock set by an hour", "no effect")
            // The machine's own clock is left alone: what could read it is shown not to, and the log,
            // which does, is written with one that jumps.
            .tested(&[
                "processes.rs::the_wall_clock_is_read_by_nothing_that_controls",
                "journal.rs::a_wall_clock_set_by_an_hour_reorders_no_lines",
            ]),
        row(15, "suspend and resume", "latched on wake, no motion").tested(&[
            "processes.rs::everybody_frozen_together_wakes_up_latched_and_still",
            "pace.rs::ticks_of_a_suspended_machine_are_missed_though_its_clock_stood_still",
        ]),
        row(
            16,
            "inference late",
            "coasts on the plan, stop 10 after it ran out",
        )
        .tested(&["processes.rs::late_inference_coasts_on_the_plan"]),
    ]
}

fn policies() -> Vec<Row> {
    let camera = |name, fault| (name, Blow::Fault(fault));
    let mut broken = row(
        21,
        "camera unplugged, black, or of another size",
        "stop 150",
    );
    for (name, blow) in [
        camera(
            "unplugged",
            json!({"fault": "camera_drop", "camera": "wrist"}),
        ),
        camera("black", json!({"fault": "camera_black", "camera": "wrist"})),
        camera(
            "resized",
            json!({"fault": "camera_resize", "camera": "wrist", "width": 64, "height": 64}),
        ),
    ] {
        broken = broken
            .struck(name, blow, "camera wrist", 150.0)
            .while_it(Motion::Policy);
    }
    vec![
        row(
            17,
            "NaN, infinity or a wrong shape from the policy",
            "none of it on the wire, stop 10",
        )
        .tested(&[
            "policies.rs::nan_in_the_middle_of_a_swing_never_reaches_the_wire",
            "tests.rs::a_package_that_does_not_fit_the_cell_is_refused_in_one_line",
        ]),
        row(
            18,
            "target teleports by 180 degrees",
            "refused or re-timed, never a jump",
        )
        .tested(&["policies.rs::a_teleporting_target_never_makes_a_jump"]),
        row(19, "action beyond a limit", "clamped and counted").tested(&[
            "policies.rs::actions_beyond_a_limit_never_leave_it",
            "plans.rs::an_action_a_little_beyond_a_limit_is_clamped_and_counted",
        ]),
        row(20, "camera frozen", "stop 150")
            .struck(
                "frozen",
                Blow::Fault(json!({"fault": "camera_freeze", "camera": "wrist"})),
                "camera wrist",
                150.0,
            )
            .while_it(Motion::Policy),
        broken,
        row(
            22,
            "IK fails, or near a singularity",
            "slows, holds 10, stays inside the limits",
        )
        .tested(&[
            "policies.rs::poses_out_of_reach_slow_the_arm_down_and_never_take_it_beyond_its_limits",
            "paths.rs::a_path_too_fast_for_the_joints_is_kept_to_and_the_lag_is_counted",
            "paths.rs::at_the_edge_of_reach_the_arm_slows_down_and_stays_beside_its_path",
            "paths.rs::an_arm_that_falls_too_far_behind_stops_and_says_so",
            "plans.rs::plans_that_do_not_fit_are_refused_whole",
        ])
        .lacking("how soon it slows is held in virtual time, and not measured on the wire"),
        row(
            23,
            "self-collision or keep-out zone ahead",
            "stops with clearance left",
        )
        .tested(&[
            "policies.rs::a_wall_in_the_way_stops_the_arm_before_it",
            "space.rs::an_arm_stops_before_it_meets_something_and_may_go_back",
        ]),
        row(
            24,
            "policy, URDF, calibration or limits differ from the lock",
            "inhibit",
        )
        .tested(&[
            "approvals.rs::one_byte_of_anything_approved_that_is_another_keeps_the_arm_from_starting",
            "approvals.rs::a_file_more_or_less_in_a_package_is_another_package",
            "approvals.rs::a_cell_that_nobody_approved_runs_with_a_warning_and_not_at_all_with_locked",
        ]),
    ]
}

fn line() -> Vec<Row> {
    vec![
        row(25, "one bad checksum", "goes on, counted")
            .tested(&["faults.rs::dropped_and_damaged_replies_are_counted_and_survived"]),
        row(
            26,
            "one servo silent three times in a row",
            "stop 40, the others hold",
        )
        .struck(
            "silent",
            Blow::Fault(json!({"fault": "silence", "id": 2})),
            "shoulder_lift did not answer",
            40.0,
        )
        .then(After::Stopped)
        .tested(&["faults.rs::a_silent_servo_stops_the_others"]),
        row(27, "two servos with one id", "stop 40, inhibit")
            .struck(
                "in motion",
                Blow::Fault(json!({"fault": "duplicate_id", "id": 2, "as": 3})),
                "",
                40.0,
            )
            .then(After::Stopped)
            .tested(&["line.rs::an_arm_that_does_not_answer_as_it_should_is_not_started"]),
        row(28, "the adapter echoes", "filtered")
            .tested(&["line.rs::an_echoing_adapter_makes_no_difference"]),
        row(
            29,
            "adapter latency of 16 ms",
            "inhibit, naming the setting",
        )
        .tested(&["line.rs::an_arm_that_does_not_answer_as_it_should_is_not_started"]),
        row(30, "one reply 80 ms late", "never a cycle behind")
            .tested(&["faults.rs::a_late_reply_never_leaves_the_loop_a_cycle_behind"]),
        row(31, "port unplugged", "fault 20, replugging moves nothing")
            .struck(
                "unplugged",
                Blow::Fault(json!({"fault": "unplug"})),
                "serial port",
                20.0,
            )
            .then(After::PortLost)
            .tested(&["faults.rs::an_unplugged_port_is_a_stop_and_replugging_moves_nothing_until_the_operator_starts_again"]),
        row(32, "partial write, EAGAIN", "resynchronised, or fault 20")
            .tested(&["line.rs::a_line_that_takes_no_bytes_is_a_stop_and_comes_back_in_step"]),
        row(33, "a second program opens the port", "refused")
            .tested(&["line.rs::a_second_controller_is_told_that_the_port_is_taken"]),
        row(34, "garbage flood on the line", "right values only")
            .tested(&["line.rs::a_flood_of_noise_gives_right_values_or_a_stop"]),
    ]
}

fn servos() -> Vec<Row> {
    let struck = |row: Row, name, fault, cause, bound| {
        row.struck(name, Blow::Fault(fault), cause, bound)
            .then(After::Stopped)
    };
    let hot = struck(
        row(
            39,
            "over-temperature, under-voltage",
            "slow down, then stop 20",
        ),
        "over-temperature",
        json!({"fault": "overheat", "id": 3, "celsius": 78.0}),
        "elbow_flex",
        20.0,
    );
    vec![
        struck(
            row(
                35,
                "servo brown-out and reboot",
                "stop 20, inhibit until reconfigured",
            ),
            "brown-out",
            json!({"fault": "brownout", "id": 3}),
            "elbow_flex",
            20.0,
        )
        .tested(&["faults.rs::a_servo_that_restarts_stops_the_arm_and_is_fenced_in_again"]),
        struck(
            row(36, "encoder jumps", "stop 10"),
            "encoder jumps",
            json!({"fault": "encoder_jump", "id": 2, "counts": 800}),
            "shoulder_lift",
            10.0,
        ),
        row(
            37,
            "first reads fail, or read all zero",
            "inhibit, zero is never a goal",
        )
        .tested(&["line.rs::an_arm_that_does_not_answer_as_it_should_is_not_started"]),
        struck(
            row(
                38,
                "overload latched in one servo",
                "stop 20, may-sag alarm",
            ),
            "overload",
            json!({"fault": "overload", "id": 4}),
            "wrist_flex reports overload",
            20.0,
        )
        .tested(&["faults.rs::an_overloaded_servo_stops_the_arm"]),
        struck(
            hot,
            "under-voltage",
            json!({"fault": "voltage", "volts": 5.0}),
            "5.0 V",
            20.0,
        )
        .tested(&["ladder.rs::a_hot_servo_is_an_alarm_and_less_speed_before_it_is_a_stop"]),
        // The goal stands at the edge of its lead long before the following error is a cause.
        struck(
            row(
                40,
                "joint stalled for 300 ms",
                "stop 10 after it, torque lowered",
            ),
            "pan stalled",
            json!({"fault": "stall", "id": 1}),
            "shoulder_pan",
            310.0,
        )
        .tested(&[
            "ladder.rs::a_blocked_joint_is_pushed_no_more_and_has_its_torque_lowered_until_a_reset",
        ]),
        struck(
            row(
                41,
                "following error beyond its limit",
                "stop 10 after its time",
            ),
            "lift stalled",
            json!({"fault": "stall", "id": 2}),
            "shoulder_lift",
            700.0,
        ),
        row(
            42,
            "Dynamixel bus watchdog tripped",
            "found 20, cleared only when stopped",
        )
        .struck(
            "tripped",
            Blow::Fault(json!({"fault": "watchdog", "id": 2})),
            "bus watchdog of servo shoulder_lift has tripped",
            20.0,
        )
        .on(Servos::Dynamixel)
        .tested(&[
            "watchdog.rs::a_tripped_bus_watchdog_is_set_right_only_once_the_arm_stands",
            "watchdog.rs::a_bus_watchdog_that_was_not_tested_is_not_relied_on",
        ]),
    ]
}

fn operators() -> Vec<Row> {
    vec![
        row(
            43,
            "a forbidden register write by any code",
            "never on the wire",
        )
        .tested(&["line.rs::nothing_but_torque_goals_and_the_fence_is_ever_written"]),
        row(
            44,
            "emergency-stop input pressed, or its wire broken",
            "stop 10",
        )
        .tested(&[
            "inputs.rs::a_pressed_emergency_stop_stops_the_arm_until_it_is_released_and_reset",
            "inputs.rs::a_broken_wire_stops_the_arm",
        ]),
        row(
            45,
            "reset while the cause is present, or the button held",
            "refused",
        )
        .tested(&[
            "faults.rs::a_silent_servo_stops_the_others",
            "inputs.rs::a_pressed_emergency_stop_stops_the_arm_until_it_is_released_and_reset",
        ]),
        row(
            46,
            "reset, then nothing",
            "no motion, plans and filters are empty",
        )
        .tested(&[
            "stops.rs::signals_and_estop_stop_the_arm_with_torque_on",
            "modes.rs::a_paused_plan_does_not_go_on_when_started_again",
        ]),
        row(
            47,
            "operator's link lost in hold-to-run",
            "stop 100 after the last heartbeat",
        )
        .tested(&["inputs.rs::a_held_run_lasts_as_long_as_its_holder"]),
        row(48, "mode change in motion", "stop 10")
            .struck("pause", Blow::Ask(Request::Pause), "", 10.0)
            .then(After::Holding)
            .struck("estop", Blow::Ask(Request::Stop), "operator", 10.0)
            .tested(&["operators.rs::a_moving_arm_is_neither_released_nor_enabled_anew"]),
        row(
            49,
            "a limit edited while running",
            "refused, written to the audit log",
        )
        .tested(&[
            "operators.rs::a_limit_edited_while_running_changes_nothing",
            "records.rs::who_did_what_and_what_came_of_it_is_in_the_log",
            "records.rs::a_log_that_was_cut_off_is_read_as_far_as_it_goes",
        ]),
        row(
            50,
            "disk of the recorder full",
            "the job ends safely, new ones inhibited",
        )
        .tested(&[
            "records.rs::a_full_disk_stops_no_running_job_and_lets_no_new_one_begin",
            "records.rs::a_job_that_cannot_be_recorded_does_not_begin",
            "backlog.rs::what_has_no_room_in_memory_is_counted_where_it_would_stand",
        ]),
        row(
            51,
            "bus reply drops, 20 %",
            "moves correctly or stops, right values only",
        )
        .tested(&["line.rs::dropped_replies_give_right_values_or_a_stop"]),
        row(
            52,
            "two clients command at once",
            "one holds control, the other is told who",
        )
        .tested(&["operators.rs::the_second_who_commands_is_told_who_holds_control"]),
    ]
}
