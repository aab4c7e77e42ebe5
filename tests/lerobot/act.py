"""An ACT of LeRobot's default architecture: checkpoint, package, `surehand run`, and the wire.

    pip install lerobot onnx onnxruntime
    python tests/lerobot/act.py [path/to/surehand]

Random weights, but for smooth positions of the chunk's steps. Its statistics make every observation
the same to the network, so that LeRobot's own post-processed actions are known beforehand; each goal
on the wire must be the one LeRobot would send at its time, to one count.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors

from workcell import ROOT, Workcell

CALIBRATION = json.loads((ROOT / "calibration/so101-sim.json").read_text())
JOINTS = list(CALIBRATION)
CAMERAS = ["overhead", "wrist"]
FPS, CHUNK = 30, 100
# The start pose of the cell below: degrees, and 0 to 100 of the gripper.
START = [0.0, -34.4, 34.4, 68.8, 89.9, 32.5]
# How far each joint goes, in the units of its actions.
SPREAD = 6.0
# Seconds after its pictures in which the first plan leads alone.
FADED, NEXT_PLAN = 0.5, 1.7


def checkpoint(folder):
    """Writes one, with its data set's info.json; gives LeRobot's own actions, [CHUNK, 6]."""
    torch.manual_seed(3)
    picture = PolicyFeature(FeatureType.VISUAL, (3, 96, 96))
    inputs = {"observation.state": PolicyFeature(FeatureType.STATE, (6,))}
    inputs |= {f"observation.images.{camera}": picture for camera in CAMERAS}
    config = ACTConfig(input_features=inputs,
                       output_features={"action": PolicyFeature(FeatureType.ACTION, (6,))},
                       chunk_size=CHUNK, n_action_steps=CHUNK,
                       pretrained_backbone_weights=None, device="cpu")
    policy = ACTPolicy(config)
    steps = torch.linspace(0, 1, CHUNK)[:, None]
    waves = torch.rand(1, config.dim_model) * 6
    with torch.no_grad():
        policy.model.decoder_pos_embed.weight.copy_(torch.sin(waves * steps + 6 * waves))

    def same(shape):
        flat = torch.ones(shape)
        return {"mean": 0 * flat, "std": 1e9 * flat, "min": -1e9 * flat, "max": 1e9 * flat}
    nothing = {key: torch.zeros(1, *it.shape) for key, it in inputs.items()}
    with torch.no_grad():
        bare = policy.predict_action_chunk(nothing)[0]
    deviation = SPREAD / (bare.max(0).values - bare.min(0).values)
    mean = torch.tensor(START) - deviation * bare[0]
    action = {"mean": mean, "std": deviation, "min": mean - 9, "max": mean + 9}
    stats = {"observation.state": same((6,)), "action": action}
    stats |= {f"observation.images.{camera}": same((3, 1, 1)) for camera in CAMERAS}
    before, after = make_pre_post_processors(config, dataset_stats=stats)
    for part in (policy, before, after):
        part.save_pretrained(folder)
    names = [f"{joint}.pos" for joint in JOINTS]
    feature = {"dtype": "float32", "shape": [6], "names": names}
    info = {"codebase_version": "v3.0", "robot_type": "so101_follower", "fps": FPS,
            "units": "degrees", "features": {"observation.state": feature, "action": feature}}
    (folder / "info.json").write_text(json.dumps(info))
    observation = {key: torch.rand(it.shape) for key, it in inputs.items()}
    with torch.no_grad():
        return after(policy.predict_action_chunk(before(observation)))[0].numpy()


def counts(actions):
    """As LeRobot turns an action into goals of its servos, before cutting to whole ones."""
    goals = []
    for joint, column in zip(JOINTS, actions.T):
        low, high = (CALIBRATION[joint][it] for it in ("range_min", "range_max"))
        if joint == "gripper":
            goals.append(np.clip(column, 0, 100) / 100 * (high - low) + low)
        else:
            goals.append(column * 4095 / 360 + (low + high) / 2)
    return np.array(goals).T


def job(package):
    """A job whose first plan lasts the whole run. A busy machine may take its time for it."""
    return f"""
[jobs.act]
package = "{package}"
episode_secs = 20
plan_hz = 0.5
start = {{ shoulder_pan = 0.0, shoulder_lift = -0.6, elbow_flex = 0.6, wrist_flex = 1.2, wrist_roll = 1.57, gripper = 0.45 }}
"""


def run(surehand, folder, job, seconds=6):
    """Time in seconds and six counts of each goal in the first `seconds` of the job."""
    with Workcell(surehand, folder) as workcell:
        cell = workcell.cell("sim", job)
        text = cell.read_text()
        cell.write_text(text.replace("max_plan_age_ms = 300", "max_plan_age_ms = 1000"))
        goals = workcell.goals_while_running(cell, seconds)
    ids = [CALIBRATION[joint]["id"] for joint in JOINTS]
    return [(at, [row[it] for it in ids]) for at, row in goals if all(it in row for it in ids)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("surehand", nargs="?", default=ROOT / "target/release/surehand")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "checkpoint").mkdir()
        reference = counts(checkpoint(folder / "checkpoint"))
        export = [sys.executable, ROOT / "training/export_lerobot.py", "--checkpoint",
                  folder / "checkpoint", "--package", folder / "package", "--info",
                  folder / "checkpoint/info.json", "--cases", "2"]
        report = subprocess.run(export, check=True, capture_output=True, text=True).stdout
        goals = run(options.surehand, folder, job(folder / "package"))
        # The checkpoint itself, its graph beside it, must do the same.
        (folder / "package/act.onnx").rename(folder / "checkpoint/act.onnx")
        again = run(options.surehand, folder, job(folder / "checkpoint"))
    moved = np.ptp(reference[:54], axis=0)
    result = {"parity": json.loads(report.splitlines()[-1])["in_deviations"], "moved_counts": moved.round(1).tolist()}
    for kind, sent in (("package", goals), ("checkpoint", again)):
        result[kind] = compared(reference, sent)
    print(json.dumps(result))
    worst = max(result[kind]["largest_difference"] for kind in ("package", "checkpoint"))
    if worst > 1.0:
        raise SystemExit(f"goals on the wire differ from LeRobot's by {worst} counts")


def compared(reference, goals):
    """The largest difference in counts from LeRobot's action of the same time, over the part of the
    first plan after its cross-fade. When its step 0 was due is found: where it fits best."""
    if len(goals) < 500:
        raise SystemExit(f"only {len(goals)} goals on the wire: the job did not run")
    times = np.array([at for at, _ in goals])
    sent = np.array([row for _, row in goals], float)

    def differences(begun):
        inside = (times >= begun + FADED) & (times <= begun + NEXT_PLAN)
        steps = (times[inside] - begun) * FPS
        there = [np.interp(steps, np.arange(CHUNK), column) for column in reference.T]
        # LeRobot cuts to whole counts.
        return np.abs(np.trunc(np.array(there).T) - sent[inside])
    begins = np.arange(times[0], times[-1] - NEXT_PLAN, 0.001)
    best = min(begins, key=lambda begun: differences(begun).mean())
    off = differences(best)
    return {"goals": len(off), "largest_difference": float(off.max()), "mean": float(off.mean()),
            "by_joint": off.max(0).round(2).tolist()}


if __name__ == "__main__":
    main()
