"""Makes a policy package of a LeRobot checkpoint, and reports that both give the same actions.

    pip install lerobot onnx onnxruntime
    python export_lerobot.py --checkpoint pretrained_model --package policies/mine \
        --info path/to/dataset/meta/info.json [--observations recorded.npz]

The graph takes and gives normalised values; statistics go into a file of the package. A checkpoint
holds neither the names of its joints nor its rate: both come from its data set's `info.json`.

`--observations` is a file of numpy's with an array a feature, one row an observation, as LeRobot has
them before its processors: joints in the data set's units, pictures as RGB, 0 to 255 or 0 to 1.
Without it, observations are drawn from the statistics. The report compares LeRobot's own processors
and policy in PyTorch with this package's graph in ONNX Runtime and its normalisation.
"""

import argparse
import datetime
import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from safetensors.numpy import load_file, save_file

STATE, ACTION = "observation.state", "action"
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


class Wrapped(torch.nn.Module):
    """The policy as a function of its tensors."""

    def __init__(self, policy, features):
        super().__init__()
        self.policy, self.features = policy, features

    def forward(self, *tensors):
        return self.policy.predict_action_chunk(dict(zip(self.features, tensors)))


class Checkpoint:
    """What is read of it."""

    def __init__(self, folder):
        self.folder = folder
        if not (folder / "config.json").exists():
            refuse(f"{folder} has no config.json", "name the checkpoint's pretrained_model folder")
        self.config = PreTrainedConfig.from_pretrained(folder)
        self.config.device = "cpu"
        steps = getattr(self.config, "n_obs_steps", 1)
        if steps != 1:
            refuse(f"it sees {steps} moments at once", "train with n_obs_steps 1")
        self.policy = get_policy_class(self.config.type).from_pretrained(folder,
                                                                          config=self.config)
        self.policy.eval()
        self.before, self.after = make_pre_post_processors(
            self.config, pretrained_path=str(folder),
            preprocessor_overrides={"device_processor": {"device": "cpu"}})
        self.features = {key: tuple(it.shape) for key, it in self.config.input_features.items()}
        self.statistics = self.normaliser("policy_preprocessor.json", "normalizer_processor")
        self.action_statistics = self.normaliser("policy_postprocessor.json",
                                                 "unnormalizer_processor")

    def normaliser(self, file, kind):
        """Statistics by feature and name, and the way each kind of feature is normalised."""
        steps = json.loads((self.folder / file).read_text())["steps"]
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

    def mode(self, feature):
        _, modes = self.statistics
        kind = "ACTION" if feature == ACTION else "STATE" if feature == STATE else "VISUAL"
        return modes.get(kind, "identity")


def export_graph(checkpoint, path):
    inputs = tuple(torch.zeros(1, *shape) for shape in checkpoint.features.values())
    wrapped = Wrapped(checkpoint.policy, list(checkpoint.features)).eval()
    with torch.no_grad():
        chunk = wrapped(*inputs).shape[1]
    with warnings.catch_warnings():
        # Sizes are fixed in the graph, as tracing says at every place where one is.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(wrapped, inputs, path, input_names=list(checkpoint.features),
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
    return {
        "format": "policy_package",
        "version": "1.0",
        "policy": {"name": checkpoint.config.type},
        "model": {
            "n_obs_steps": 1,
            "runner": {"type": "action_chunking", "chunk_size": chunk},
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
    for case in range(cases):
        raw = {feature: torch.from_numpy(row[case]) for feature, row in rows.items()}
        with torch.no_grad():
            chunk = checkpoint.policy.predict_action_chunk(checkpoint.before(raw))
            theirs = checkpoint.after(chunk).numpy()
        feed = {}
        for feature, row in rows.items():
            numbers = row[case : case + 1]
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
