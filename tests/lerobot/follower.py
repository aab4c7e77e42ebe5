"""LeRobot's own followers and this controller on the same simulated arm, with each other's calibration.

    pip install "lerobot[feetech,dynamixel]"
    python tests/lerobot/follower.py [path/to/surehand]

SO-101 on Feetech servos, then Koch's servos (two XL430-W250, four XL330-M288) in the same arm. With
the calibration that we exported, and then with one that LeRobot's own routine measured on an arm
whose horns sit anyhow: in a sweep of poses, what `get_observation` says in degrees is held against
what our guard measures and against the truth of the simulator, and the goals of `send_action`
against what was asked for. Both must agree to a tenth of a degree. Takes three minutes.
"""

import argparse
import builtins
import contextlib
import json
import math
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

from lerobot.motors import motors_bus
from lerobot.robots.koch_follower import KochFollower, KochFollowerConfig
from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig

from workcell import ROOT, Workcell

JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
# The most that angles may differ, degrees. LeRobot's own degrees are 360/4095 of a turn a count from
# the middle of 0…4095, which is up to 0.08° off at the ends of a joint that turns all the way
# round; half a count is 0.04°.
AGREED, OF_LEROBOT = 0.1, 0.13
ARMS = {
    "so101": (SO101Follower, SO101FollowerConfig, "sim", None),
    "koch": (KochFollower, KochFollowerConfig, "sim-dynamixel",
             ["XL430-W250"] * 2 + ["XL330-M288"] * 4),
}
# Clear of the table and of itself.
SAFE = dict(zip(JOINTS, [0.0, -1.2, 0.6, 0.0, 0.0, 0.785]))
# Where the horns sit in the second part: counts at a joint's zero.
HORNS = [1500, 2600, 1990, 1200, 3100, 1750]
# By then a servo that was given power answers.
BOOTED = 0.3
JOB = """
[jobs.stand]
package = "{root}/tests/packages/joint_hold"
episode_secs = 2
start = {{ shoulder_pan = 0.2, shoulder_lift = -1.0, elbow_flex = 0.8, wrist_flex = 0.4, wrist_roll = 0.3, gripper = 0.5 }}
"""


def limits():
    """Least and greatest angle of each joint, rad."""
    found = {}
    for joint in ElementTree.parse(ROOT / "urdf/so101.urdf").iter("joint"):
        if (limit := joint.find("limit")) is not None:
            found[joint.get("name")] = (float(limit.get("lower")), float(limit.get("upper")))
    return found


LIMITS = limits()


def sweep():
    """Poses in which every joint goes from one end to the other."""
    at = {name: [low + (high - low) * step / 8 for step in range(9)]
          for name, (low, high) in LIMITS.items()}
    for step in range(9):
        free = ["shoulder_pan", "wrist_flex", "wrist_roll", "gripper"]
        yield SAFE | {name: at[name][step] for name in free}
    for lift in at["shoulder_lift"][:5]:
        yield SAFE | {"shoulder_lift": lift}
    for elbow in at["elbow_flex"][2:]:
        yield SAFE | {"elbow_flex": elbow}


def from_lerobot(observation, calibration):
    """LeRobot's numbers of joints as angles of the URDF, degrees: its zero is the middle of the
    range, and its gripper is 0 to 100 of it."""
    angles = {}
    for name in JOINTS:
        value, joint = observation[f"{name}.pos"], calibration[name]
        whole = (joint.range_min, joint.range_max) == (0, 4095)
        middle = 0.0 if whole else math.degrees(sum(LIMITS[name]) / 2)
        if name == "gripper":
            value = (value / 100 - 0.5) * (joint.range_max - joint.range_min) * 360 / 4096
        angles[name] = middle + value
    return angles


def to_lerobot(angles, calibration):
    """The other way round."""
    action = {}
    for name in JOINTS:
        joint = calibration[name]
        whole = (joint.range_min, joint.range_max) == (0, 4095)
        value = angles[name] - (0.0 if whole else math.degrees(sum(LIMITS[name]) / 2))
        if name == "gripper":
            value = 100 * (value * 4096 / 360 / (joint.range_max - joint.range_min) + 0.5)
        action[f"{name}.pos"] = value
    return action


class Worst:
    """The largest difference of each kind, with joint and pose."""

    def __init__(self):
        self.of = {}

    def see(self, kind, some, others):
        for name in JOINTS:
            apart = abs(some[name] - others[name])
            if apart >= self.of.get(kind, (0.0,))[0]:
                self.of[kind] = (round(apart, 4), name, round(others[name], 2))


def compare(workcell, robot, cell):
    """Measures a sweep of poses with both, then lets LeRobot lead the arm through some."""
    worst = Worst()
    for pose in sweep():
        robot.bus.port_handler.openPort()
        robot.bus.disable_torque()
        workcell.turn(pose)
        observed = from_lerobot(robot.get_observation(), robot.calibration)
        robot.bus.port_handler.closePort()
        with workcell.guard(cell) as status:
            ours = {joint["name"]: math.degrees(joint["position"])
                    for joint in status()["joints"]}
        truth = {name: math.degrees(at) for name, at in workcell.settled().items()}
        worst.see("lerobot_ours", observed, ours)
        worst.see("lerobot_truth", observed, truth)
        worst.see("ours_truth", ours, truth)
    robot.bus.port_handler.openPort()
    robot.bus.disable_torque()
    workcell.turn(SAFE)
    workcell.hands("let_go")
    stand(robot.bus)
    robot.bus.enable_torque()
    for step in range(1, 9):
        angles = {name: math.degrees(SAFE[name]) + 4.0 * step * (-1 if name == "gripper" else 1)
                  for name in JOINTS}
        robot.send_action(to_lerobot(angles, robot.calibration))
        time.sleep(0.3)
        goals = {name: math.degrees(joint["goal"]) for name, joint in workcell.joints().items()}
        worst.see("lerobots_goals", goals, angles)
    workcell.settled()
    robot.bus.disable_torque()
    robot.bus.port_handler.closePort()
    return worst.of


def follower(kind, workcell, calibrations):
    """LeRobot's follower on the arm, with the calibration in this folder if there is one."""
    robot, config, _, _ = ARMS[kind]
    return robot(config(port=str(workcell.pty), id="arm", calibration_dir=calibrations,
                        use_degrees=True))


def stand(bus):
    """Makes each goal where the joint is: LeRobot turns torque on without, and an arm jumps to an
    old one."""
    bus.sync_write("Goal_Position", bus.sync_read("Present_Position", normalize=False),
                   normalize=False)


def scene(folder, models):
    """The scene with these servos."""
    text = (ROOT / "sim/scenes/pick_cube.toml").read_text()
    text = text.replace("../../urdf", f"{ROOT}/urdf")
    parts = text.split("[[arm.servos]]\n")
    for index, model in enumerate(models, start=1):
        # Dynamixel's add the offset that Feetech's take off.
        before, _, after = parts[index].partition("homing_offset = ")
        offset, _, rest = after.partition("\n")
        parts[index] = f'model = "{model}"\n{before}homing_offset = {-int(offset)}\n{rest}'
    path = folder / "scene.toml"
    path.write_text("[[arm.servos]]\n".join(parts))
    return path


def with_ours(kind, workcell, folder):
    """LeRobot with the calibration that we exported: it must ask nothing."""
    cell = workcell.cell(ARMS[kind][2], JOB.format(root=ROOT), without=["parking"])
    workcell.run("calibrate", cell, "--export", folder / "ours/arm.json")
    robot = follower(kind, workcell, folder / "ours")
    robot.bus.connect()
    stand(robot.bus)
    robot.bus.disconnect()
    with mock.patch.object(builtins, "input", side_effect=AssertionError("it asks to calibrate")):
        robot.connect()
    robot.bus.disable_torque()
    robot.bus.port_handler.closePort()
    return compare(workcell, robot, cell)


def calibrated_by_lerobot(kind, workcell, folder):
    """LeRobot's own routine on an arm with other horns, a person's hands moving it."""
    for name, horn in zip(JOINTS, HORNS):
        workcell.hands("mount", joint=name, encoder_at_zero=horn)
    time.sleep(BOOTED)
    robot = follower(kind, workcell, folder / "theirs")
    done = threading.Event()

    def answers(question):
        if "middle" in question:
            workcell.turn({name: sum(LIMITS[name]) / 2 if name != "wrist_roll" else 0.0
                           for name in JOINTS})
            threading.Thread(target=move).start()
        return ""

    def move():
        """Every joint from stop to stop, the arm out of the table's way."""
        workcell.turn(SAFE)
        for name in ["shoulder_pan", "wrist_roll", "gripper", "wrist_flex"]:
            for to in [*LIMITS[name], SAFE[name]]:
                workcell.turn({name: to})
        low, high = LIMITS["elbow_flex"]
        for pose in [{"elbow_flex": low}, {"shoulder_lift": LIMITS["shoulder_lift"][1]}, SAFE,
                     {"elbow_flex": high}, {"shoulder_lift": LIMITS["shoulder_lift"][0]}, SAFE]:
            workcell.turn(pose)
        done.set()

    def enter_pressed():
        if done.is_set():
            stand(robot.bus)
        return done.is_set()
    with contextlib.redirect_stdout(None), \
            mock.patch.object(builtins, "input", side_effect=answers), \
            mock.patch.object(motors_bus, "enter_pressed", side_effect=enter_pressed):
        robot.connect()
    robot.bus.disable_torque()
    robot.bus.port_handler.closePort()
    return robot


def with_theirs(kind, workcell, folder):
    """This controller with a calibration that LeRobot measured."""
    robot = calibrated_by_lerobot(kind, workcell, folder)
    cell = workcell.cell(ARMS[kind][2], JOB.format(root=ROOT), without=["parking"],
                         calibration=folder / "imported.json")
    workcell.run("calibrate", cell, "--import", folder / "theirs/arm.json", answers="yes\n")
    verified = workcell.run("calibrate", cell, "--verify")[-1]
    worst = compare(workcell, robot, cell)
    workcell.run("check", cell)
    done = workcell.run("run", cell, "--episodes", 1, "--socket", folder / "run", "--runs",
                        folder / "runs")[-1]
    assert verified["ok"] and done["stops"] == 0, (verified, done)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("surehand", nargs="?", default=ROOT / "target/release/surehand")
    parser.add_argument("--arm", choices=list(ARMS), action="append")
    options = parser.parse_args()
    result, wrong = {}, []
    for kind in options.arm or ARMS:
        for part in (with_ours, with_theirs):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                (folder / "ours").mkdir()
                models = ARMS[kind][3]
                with Workcell(options.surehand, folder,
                              models and scene(folder, models)) as workcell:
                    if models:
                        # What both kinds of servos bear, from their power-up on.
                        workcell.ask("/faults", {"fault": "voltage", "volts": 6.6})
                        workcell.hands("power", on=False)
                        workcell.hands("power", on=True)
                        time.sleep(BOOTED)
                    worst = part(kind, workcell, folder)
            result[f"{kind} {part.__name__}"] = worst
            wrong += [f"{kind} {part.__name__}: {what} by {it[0]}° at {it[1]}"
                      for what, it in worst.items()
                      if it[0] > (OF_LEROBOT if what == "lerobot_truth" else AGREED)]
            print(json.dumps({f"{kind} {part.__name__}": worst}), flush=True)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
