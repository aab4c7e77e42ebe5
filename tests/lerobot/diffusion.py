"""A diffusion policy of LeRobot's: checkpoint, package, `surehand run`, and the wire.

    pip install "lerobot[diffusion]" onnx onnxruntime
    python tests/lerobot/diffusion.py [path/to/surehand]

Small, with random weights. The export is compared with PyTorch on observations recorded in the
simulated cell. Then another, to which every observation is the same, leads the arm: the numbers it
makes its actions of are drawn from the job's seed and each plan's id, and the goals on the wire must be
the actions that LeRobot makes of those very numbers: to two counts, for random weights turn back at
almost every step and the limiter rounds the corners, and far from those of other numbers.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import numpy as np
import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy
from lerobot.policies.factory import make_pre_post_processors
from PIL import Image

import act
from act import CAMERAS, JOINTS, START
from workcell import ROOT, Workcell

sys.path.append(str(ROOT / "training"))
from export_lerobot import Checkpoint  # noqa: E402

FPS, HORIZON, MOMENTS, EXECUTED, SEED = 10, 32, 2, 16, 2024
# How far each joint goes, in the units of its actions: so little that the limits round no corner.
SPREAD = 0.4
# Steps of a plan in which it leads alone, be inference slow before it or for it.
ALONE = (4, 8)
MASK = (1 << 64) - 1


def checkpoint(folder, blind):
    """Writes one, with its data set's info.json. A `blind` one sees every observation as the same."""
    torch.manual_seed(4)
    picture = PolicyFeature(FeatureType.VISUAL, (3, 96, 96))
    inputs = {"observation.state": PolicyFeature(FeatureType.STATE, (6,))}
    inputs |= {f"observation.images.{camera}": picture for camera in CAMERAS}
    config = DiffusionConfig(
        input_features=inputs, output_features={"action": PolicyFeature(FeatureType.ACTION, (6,))},
        n_obs_steps=MOMENTS, horizon=HORIZON, n_action_steps=EXECUTED, down_dims=(32, 64),
        num_train_timesteps=10, pretrained_backbone_weights=None, use_group_norm=True,
        use_separate_rgb_encoder_per_camera=False, crop_shape=(84, 84), device="cpu")
    policy = DiffusionPolicy(config)

    def flat(shape, low, high):
        ones = torch.ones(shape)
        return {"mean": ones * (low + high) / 2, "std": ones * (high - low) / 2, "min": ones * low,
                "max": ones * high}
    wide = 1e9 if blind else 180
    start = torch.tensor(START)
    ones = torch.ones(6) * SPREAD / 2
    stats = {"observation.state": flat((6,), -wide, wide),
             "action": {"mean": start, "std": ones, "min": start - ones, "max": start + ones}}
    for camera in CAMERAS:
        stats[f"observation.images.{camera}"] = flat((3, 1, 1), *((-1e9, 1e9) if blind else (0, 1)))
    before, after = make_pre_post_processors(config, dataset_stats=stats)
    for part in (policy, before, after):
        part.save_pretrained(folder)
    names = [f"{joint}.pos" for joint in JOINTS]
    feature = {"dtype": "float32", "shape": [6], "names": names}
    info = {"codebase_version": "v3.0", "robot_type": "so101_follower", "fps": FPS,
            "units": "degrees", "features": {"observation.state": feature, "action": feature}}
    (folder / "info.json").write_text(json.dumps(info))


def recorded(surehand, folder, count=8):
    """A file of what is seen of the arm while a hand turns it."""
    rows = {"observation.state": []} | {f"observation.images.{camera}": [] for camera in CAMERAS}
    with Workcell(surehand, folder) as workcell:
        for step in range(count):
            at = workcell.turn({"shoulder_pan": -0.5 + step / count, "shoulder_lift": -0.8})
            rows["observation.state"].append(np.degrees([at[joint] for joint in JOINTS]))
            for camera in CAMERAS:
                with urllib.request.urlopen(f"http://{workcell.http}/cameras/{camera}.jpg") as jpg:
                    rows[f"observation.images.{camera}"].append(
                        np.array(Image.open(io.BytesIO(jpg.read())).convert("RGB")))
    np.savez(folder / "recorded.npz", **{key: np.array(row) for key, row in rows.items()})
    return folder / "recorded.npz"


def export(folder, *more):
    """The package of the checkpoint in `folder`; what the export says of parity."""
    command = [sys.executable, ROOT / "training/export_lerobot.py", "--checkpoint", folder,
               "--package", folder / "package", "--info", folder / "info.json", *more]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said.splitlines()[-1])


def mix(state):
    """SplitMix64's finaliser."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def noise(seed, plan, shape):
    """What the controller draws for a plan: Box and Muller's numbers of SplitMix64."""
    step = 0x9E3779B97F4A7C15
    state = mix((seed + step) & MASK) ^ mix((plan * step) & MASK)
    count = int(np.prod(shape))
    units = []
    for _ in range(count + count % 2):
        state = (state + step) & MASK
        units.append(((mix(state) >> 11) + 0.5) / (1 << 53))
    radius = np.sqrt(-2 * np.log(units[::2]))
    angle = 2 * np.pi * np.array(units[1::2])
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return pairs.reshape(-1)[:count].reshape(shape).astype(np.float32)


def chunks(folder, plans):
    """LeRobot's own actions for those plans, as counts: [HORIZON - 1, 6] each."""
    read = Checkpoint(folder)
    seen = {key: torch.rand(read.rows(shape)) for key, shape in read.features.items()}
    made = {}
    for plan in plans:
        drawn = torch.from_numpy(noise(SEED, plan, read.noise))
        with torch.no_grad():
            made[plan] = act.counts(read.after(read.chunk(read.before(seen), drawn))[0].numpy())
    return made


def compared(plans, goals):
    """The largest difference in counts from LeRobot's actions of the same time, over the part of the
    plan in which it leads alone. Which of those executed that is, and when its step 0 was due, is
    found: where it fits best."""
    times = np.array([at for at, _ in goals])
    sent = np.array([row for _, row in goals], float)

    def differences(reference, begun):
        inside = (times >= begun + ALONE[0] / FPS) & (times <= begun + ALONE[1] / FPS)
        steps = (times[inside] - begun) * FPS
        # LeRobot cuts an action to whole counts; between two of them this controller goes straight.
        whole = np.trunc(reference).T
        there = [np.interp(steps, np.arange(len(reference)), column) for column in whole]
        return np.abs(np.array(there).T - sent[inside])
    begins = np.arange(times[0], times[-1] - ALONE[1] / FPS, 0.005)
    fits = {plan: min((differences(chunk, begun).mean(), begun) for begun in begins)
            for plan, chunk in plans.items()}
    (_, begun), plan = min((fit, plan) for plan, fit in fits.items())
    begun = min(begun + np.arange(-0.004, 0.005, 0.001),
                key=lambda begun: differences(plans[plan], begun).mean())
    off = differences(plans[plan], begun)
    # Most of these were never executed: plans of other numbers do not fit.
    others = float(np.median([mean for mean, _ in fits.values()]))
    return {"plan": plan, "goals": len(off), "largest_difference": float(off.max()),
            "mean": float(off.mean()), "mean_of_other_plans": others}


def job(package):
    return f"""
[jobs.diffusion]
package = "{package}"
episode_secs = 20
horizon_steps = 1
noise_seed = {SEED}
start = {{ shoulder_pan = 0.0, shoulder_lift = -0.6, elbow_flex = 0.6, wrist_flex = 1.2, wrist_roll = 1.57, gripper = 0.45 }}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("surehand", nargs="?", default=ROOT / "target/release/surehand")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        seeing, blind = Path(name) / "seeing", Path(name) / "blind"
        for folder in (seeing, blind):
            folder.mkdir()
            checkpoint(folder, blind=folder is blind)
        observations = recorded(options.surehand, seeing)
        parity = export(seeing, "--observations", observations)
        export(blind, "--cases", "2")
        goals = act.run(options.surehand, blind, job(blind / "package"))
        result = {"parity": parity, "wire": compared(chunks(blind, range(1, 13)), goals)}
    print(json.dumps(result))
    wire = result["wire"]
    if wire["largest_difference"] > 2.0 or wire["mean"] > wire["mean_of_other_plans"] / 2:
        raise SystemExit("goals on the wire are not LeRobot's")


if __name__ == "__main__":
    main()
