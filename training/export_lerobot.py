"""Makes a policy package of a LeRobot checkpoint, and reports that both give the same actions.

    pip install "lerobot[diffusion]" onnx onnxruntime
    python export_lerobot.py --checkpoint pretrained_model --package policies/mine \
        --info path/to/dataset/meta/info.json [--observations recorded.npz]

The graph takes and gives normalised values; statistics go into a file of the package. A checkpoint
holds neither the names of its joints nor its rate: both come from its data set's `info.json`.

A diffusion policy's graph takes the numbers it begins with, and those that it adds on its way, as one
input `noise`; the controller draws them from the job's seed. It gives all actions from the present one
on, of which the first `n_action_steps` are meant to be executed. A policy that looks at several moments
takes them as rows, oldest first.

`--observations` is a file of numpy's with an array a feature, one row an observation, as LeRobot has
them before its processors: joints in the data set's units, pictures as RGB, 0 to 255 or 0 to 1.
Without it, observations are drawn from the statistics. The report compares LeRobot's own processors
and policy in PyTorch with this package's graph in ONNX Runtime and its normalisation.
"""

import argparse
import contextlib
import datetime
import hashlib
import json
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import onnxruntime
import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from safetensors.numpy import load_file, save_file

STATE, ACTION, IMAGES = "observation.state", "action", "observation.images"
# Largest difference that is rounding, in deviations of an action.
ROUNDING = 1e-3
# What a normalising step of LeRobot adds to a deviation, and how it treats a range of nothing.
EPSILON = 1e-8
STEPS_THAT_CHANGE_NOTHING = {"to_batch_processor", "device_processor",
                             "rename_observations_processor"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", required=True, type=Path)
    parser.add_argument("--package", required=True, type=Path, help="folder to write")
    parser.add_argument("--info", type=Path, help="the data set's meta/info.json")
    parser.add_argument("--units", choices=["degrees", "percent", "si"], default="degrees",
                        help="of the joints, the gripper being 0 to 100 (LeRobot's SO arms: degrees)")
    parser.add_argument("--observations", type=Path, help="recorded ones, to compare on")
    parser.add_argument("--cases", type=int, default=32, help="observations to draw without them")
    return parser.parse_args()


def refuse(what, remedy):
    raise SystemExit(f"export_lerobot: {what}; {remedy}")


class Diffusion:
    """How a diffusion policy is asked: with all the numbers it would draw."""

    def __init__(self, policy):
        self.policy, config = policy, policy.config
        self.shape = (config.horizon, config.action_feature.shape[0])
        # All from the present action on: those after n_action_steps are a reserve.
        config.n_action_steps = config.horizon - config.n_obs_steps + 1

    def draws(self, batch):
        """How many sets of numbers one chunk takes: the first, and those added on the way."""
        with self.drawing(None) as counted:
            self.ask(batch, torch.zeros(1, *self.shape))
        return 1 + counted.call_count

    @contextlib.contextmanager
    def drawing(self, noise):
        """The scheduler takes what it adds from `noise`, after its first row; zeros without it."""
        from diffusers.schedulers import scheduling_ddim, scheduling_ddpm
        rows = iter(range(1, 1 << 20))

        def draw(shape, **_):
            row = next(rows)
            return torch.zeros(shape) if noise is None else noise[row : row + 1]
        with mock.patch.object(scheduling_ddpm, "randn_tensor", side_effect=draw) as drawn, \
                mock.patch.object(scheduling_ddim, "randn_tensor", drawn):
            yield drawn

    def chunk(self, batch, noise):
        with self.drawing(noise):
            return self.ask(batch, noise[:1])

    def ask(self, batch, noise):
        """A chunk for these moments: older LeRobots' policies take them from their own queues alone."""
        if cameras := list(self.policy.config.image_features):
            batch = batch | {IMAGES: torch.stack([batch[key] for key in cameras], dim=-4)}
        return self.policy.diffusion.generate_actions(batch, noise=noise)


class Wrapped(torch.nn.Module):
    """The policy as a function of its tensors: its features, then its noise if it takes any."""

    def __init__(self, checkpoint):
        super().__init__()
        self.policy, self.features = checkpoint.policy, list(checkpoint.features)
        self.chunk = checkpoint.chunk

    def forward(self, *tensors):
        return self.chunk(dict(zip(self.features, tensors)), *tensors[len(self.features) :])


class Checkpoint:
    """What is read of it."""

    def __init__(self, folder):
        self.folder = folder
        if not (folder / "config.json").exists():
            refuse(f"{folder} has no config.json", "name the checkpoint's pretrained_model folder")
        self.config = PreTrainedConfig.from_pretrained(folder)
        self.config.device = "cpu"
        self.statistics = self.normaliser("policy_preprocessor.json", "normalizer_processor")
        self.action_statistics = self.normaliser("policy_postprocessor.json",
                                                 "unnormalizer_processor")
        self.moments = getattr(self.config, "n_obs_steps", 1)
        self.policy = get_policy_class(self.config.type).from_pretrained(folder,
                                                                          config=self.config)
        self.policy.eval()
        self.executed = self.config.n_action_steps
        self.before, self.after = make_pre_post_processors(
            self.config, pretrained_path=str(folder),
            preprocessor_overrides={"device_processor": {"device": "cpu"}})
        self.features = {key: tuple(it.shape) for key, it in self.config.input_features.items()}
        self.diffusion = Diffusion(self.policy) if self.config.type == "diffusion" else None
        if self.moments != 1 and not self.diffusion:
            refuse(f"it sees {self.moments} moments at once",
                   "only diffusion policies of several moments can be exported")
        self.noise = None
        if self.diffusion:
            nothing = {key: torch.zeros(self.rows(shape)) for key, shape in self.features.items()}
            self.noise = (self.diffusion.draws(self.with_time(nothing)), *self.diffusion.shape)

    def normaliser(self, file, kind):
        """Statistics by feature and name, and the way each kind of feature is normalised."""
        steps = json.loads((self.folder / file).read_text())["steps"]
        if any(it["registry_name"] == "tokenizer_processor" for it in steps):
            refuse(f"{self.config.type} reads words, which {file} turns into tokens with a tokeniser "
                   "that is not in the checkpoint", "run it on a policy server")
        unknown = {it["registry_name"] for it in steps} - STEPS_THAT_CHANGE_NOTHING - {kind}
        if unknown:
            refuse(f"{file} has steps that no graph holds: {', '.join(sorted(unknown))}",
                   "only policies that are normalised and nothing else can be exported")
        for step in steps:
            if step["registry_name"] == kind:
                values = {}
                for key, value in load_file(self.folder / step["state_file"]).items():
                    feature, _, name = key.rpartition(".")
                    values.setdefault(feature, {})[name] = value.astype(np.float32).reshape(-1)
                modes = {it: mode.lower() for it, mode in step["config"]["norm_map"].items()}
                return values, modes
        refuse(f"{file} does not normalise", "copy the whole checkpoint")

    def rows(self, shape):
        """The sizes of an input that shows `shape`."""
        return (1, self.moments, *shape) if self.moments > 1 else (1, *shape)

    def with_time(self, batch):
        """As a diffusion policy wants it: with the moments, though there is one."""
        return batch if self.moments > 1 else {key: it[:, None] for key, it in batch.items()}

    def chunk(self, batch, *noise):
        """A chunk of LeRobot's own, normalised."""
        if self.diffusion:
            return self.diffusion.chunk(self.with_time(batch), *noise)
        return self.policy.predict_action_chunk(batch)

    def mode(self, feature):
        _, modes = self.statistics
        kind = "ACTION" if feature == ACTION else "STATE" if feature == STATE else "VISUAL"
        return modes.get(kind, "identity")


def cut(picture, size):
    """The middle of a picture as torchvision cuts it, its place fixed in the graph."""
    down, across = (round((int(whole) - part) / 2) for whole, part in zip(picture.shape[-2:], size))
    return picture[..., down : down + size[0], across : across + size[1]]


def export_graph(checkpoint, path):
    inputs = tuple(torch.zeros(checkpoint.rows(shape)) for shape in checkpoint.features.values())
    names = list(checkpoint.features)
    if checkpoint.noise:
        inputs, names = (*inputs, torch.zeros(checkpoint.noise)), [*names, "noise"]
    wrapped = Wrapped(checkpoint).eval()
    with torch.no_grad():
        chunk = wrapped(*inputs).shape[1]
    with warnings.catch_warnings(), mock.patch("torchvision.transforms.functional.center_crop", cut):
        # Sizes are fixed in the graph, as tracing says at every place where one is.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(wrapped, inputs, path, input_names=names,
                          output_names=[ACTION], opset_version=17, dynamo=False)
    onnx.checker.check_model(onnx.load(path))
    return chunk


def camera(feature):
    return feature.rpartition("images.")[2]


def joints(info, feature, width):
    """The order of joints, where the data set says it."""
    names = info.get("features", {}).get(feature, {}).get("names")
    if isinstance(names, dict):
        names = next(iter(names.values()))
    if names is None:
        return None
    if len(names) != width:
        refuse(f"{feature} has {width} values, info.json names {len(names)}",
               "give the info.json of the data set it was trained on")
    return list(names)


def manifest(checkpoint, info, args, chunk, graph, metadata):
    width = checkpoint.config.output_features[ACTION].shape[0]
    by_mode = {}
    for feature in checkpoint.features:
        by_mode.setdefault(checkpoint.mode(feature), []).append(feature)
    action = {"shape": [width], "units": args.units, "rate_hz": info["fps"]}
    state = {"units": args.units}
    if STATE in checkpoint.features:
        state["shape"] = list(checkpoint.features[STATE])
        order = joints(info, STATE, state["shape"][0])
        state.update({"order": order} if order else {})
    order = joints(info, ACTION, width)
    action.update({"order": order} if order else {})
    normalise = [{"type": "normalize", "mode": mode, "artifact": "stats.safetensors",
                  "features": features} for mode, features in by_mode.items()
                 if mode != "identity"]
    denormalise = {"type": "denormalize", "mode": checkpoint.mode(ACTION),
                   "artifact": "stats.safetensors", "features": [ACTION]}
    runner = {"type": "action_chunking", "chunk_size": chunk}
    if checkpoint.executed < chunk:
        runner["n_action_steps"] = checkpoint.executed
    return {
        "format": "policy_package",
        "version": "1.0",
        "policy": {"name": checkpoint.config.type},
        "model": {
            "n_obs_steps": checkpoint.moments,
            "runner": runner,
            "artifacts": {"onnx": graph},
            "preprocessors": [{"type": "to_float_tensor"}, *normalise],
            "postprocessors": [] if checkpoint.mode(ACTION) == "identity" else [denormalise],
        },
        "hardware": {
            "robots": [{"name": "main", "type": info.get("robot_type") or "unknown",
                        "state": state, "action": action}],
            "cameras": [{"name": camera(feature), "shape": list(shape), "dtype": "uint8"}
                        for feature, shape in checkpoint.features.items() if feature != STATE],
        },
        "metadata": metadata,
    }


def drawn(checkpoint, cases):
    """Observations from the statistics, two deviations about the mean."""
    random = np.random.default_rng(0)
    values, _ = checkpoint.statistics
    rows = {}
    for feature, shape in checkpoint.features.items():
        if feature == STATE:
            mean, std = values[feature]["mean"], values[feature]["std"]
            rows[feature] = random.uniform(mean - 2 * std, mean + 2 * std, (cases, *shape))
        else:
            rows[feature] = random.random((cases, *shape))
    return {feature: row.astype(np.float32) for feature, row in rows.items()}


def recorded(checkpoint, path):
    """As they were recorded; pictures become planes of 0 to 1."""
    rows = {}
    with np.load(path) as file:
        for feature, shape in checkpoint.features.items():
            if feature not in file:
                refuse(f"{path} has no {feature}", "record every feature of the checkpoint")
            row = file[feature]
            if feature != STATE:
                if row.dtype == np.uint8:
                    row = row / 255.0
                if row.shape[1:] != shape:
                    row = np.moveaxis(row, -1, 1)
            if row.shape[1:] != shape:
                refuse(f"{path}: {feature} is {row.shape[1:]}, the policy takes {shape}",
                       "record it in that size")
            rows[feature] = row.astype(np.float32)
    return rows


def scaled(values, mode, numbers, back=False):
    """As the package's manifest says, either way."""
    if mode == "identity":
        return numbers
    if mode == "mean_std":
        scale, offset = values["std"] + (0 if back else EPSILON), values["mean"]
    else:
        low, high = (values[it] for it in (("min", "max") if mode == "min_max" else
                                           ("q01", "q99")))
        span = np.where(high == low, EPSILON, high - low)
        scale, offset = (high - low if back else span) / 2, (high + low) / 2
        offset = offset if back else low + span / 2
    return numbers * scale + offset if back else (numbers - offset) / scale


def parity(checkpoint, graph, rows):
    """Largest differences over `rows`: in the action's units, and in its deviations."""
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    values, _ = checkpoint.statistics
    action_values, _ = checkpoint.action_statistics
    deviation = np.maximum(action_values.get(ACTION, {}).get("std", np.float32(1)), 1e-6)
    worst, relative = 0.0, 0.0
    cases = len(next(iter(rows.values())))
    random = np.random.default_rng(1)
    for case in range(cases):
        # The moments before, the first again and again where there are none.
        seen = [max(case - ago, 0) for ago in reversed(range(checkpoint.moments))]
        seen = {feature: row[seen].reshape(checkpoint.rows(row.shape[1:]))
                for feature, row in rows.items()}
        noise, feed = [], {}
        if checkpoint.noise:
            feed["noise"] = random.standard_normal(checkpoint.noise, np.float32)
            noise = [torch.from_numpy(feed["noise"])]
        with torch.no_grad():
            raw = {feature: torch.from_numpy(numbers) for feature, numbers in seen.items()}
            chunk = checkpoint.chunk(checkpoint.before(raw), *noise)
            theirs = checkpoint.after(chunk).numpy()
        for feature, numbers in seen.items():
            own = values.get(feature, {})
            if feature != STATE:
                own = {name: it.reshape(3, 1, 1) for name, it in own.items()}
            feed[feature] = scaled(own, checkpoint.mode(feature), numbers).astype(np.float32)
        ours = session.run(None, feed)[0]
        ours = scaled(action_values.get(ACTION, {}), checkpoint.mode(ACTION), ours, back=True)
        worst = max(worst, float(np.abs(ours - theirs).max()))
        relative = max(relative, float((np.abs(ours - theirs) / deviation).max()))
    return {"cases": cases, "largest_difference": worst, "in_deviations": relative}


def main():
    args = arguments()
    checkpoint = Checkpoint(args.checkpoint)
    if not args.info:
        refuse("a checkpoint names neither its joints nor its rate",
               "give --info, the meta/info.json of the data set it was trained on")
    info = json.loads(args.info.read_text())
    if "fps" not in info:
        refuse(f"{args.info} has no fps", "give the data set's own meta/info.json")
    args.package.mkdir(parents=True, exist_ok=True)
    graph = args.package / f"{checkpoint.config.type}.onnx"
    chunk = export_graph(checkpoint, graph)
    values = {**checkpoint.statistics[0], ACTION: checkpoint.action_statistics[0].get(ACTION, {})}
    kept = {f"{feature}/{name}": value for feature, all_of_it in values.items()
            for name, value in all_of_it.items() if name != "count"}
    save_file(kept, args.package / "stats.safetensors")
    rows = (recorded(checkpoint, args.observations) if args.observations
            else drawn(checkpoint, args.cases))
    report = parity(checkpoint, graph, rows)
    report["observations"] = "recorded" if args.observations else "drawn from the statistics"
    metadata = {
        "created_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "created_by": "training/export_lerobot.py",
        "parity": report,
        "sha256": {graph.name: hashlib.sha256(graph.read_bytes()).hexdigest()},
    }
    text = manifest(checkpoint, info, args, chunk, graph.name, metadata)
    (args.package / "manifest.json").write_text(json.dumps(text, indent=1) + "\n")
    print(json.dumps({"package": str(args.package), "bytes": graph.stat().st_size, **report}))
    if report["in_deviations"] > ROUNDING:
        raise SystemExit(f"{graph}: it differs from LeRobot by {report['in_deviations']} "
                         f"deviations of an action, above {ROUNDING}")


if __name__ == "__main__":
    main()
