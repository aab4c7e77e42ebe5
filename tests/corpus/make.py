"""Makes the corpus of policy packages beside this file, and verdicts.json: what must be said of each.

    python -m venv venv && venv/bin/pip install numpy==2.* onnx==1.23.* safetensors==0.8.*
    venv/bin/python tests/corpus/make.py

They are committed; run this to change them. Packages as their users have them and as they get
broken, in two dialects: `policy_package` 1.0, and a LeRobot checkpoint with its graph beside it. No
graph here is learned: each gives zeros.
"""

import copy
import json
import pathlib
import shutil

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
SIDE, CHUNK = 16, 8
VERDICTS = {}


def graph(path, inputs, output=(1, CHUNK, 6), called="action", kind=TensorProto.FLOAT, more=(),
          listed=False, external=False):
    """Zeros of shape `output` that every input goes into."""
    nodes, sums = [], []
    for index, (tensor, shape) in enumerate(inputs.items()):
        axes = list(range(len(shape)))
        nodes.append(helper.make_node("ReduceMean", [tensor], [f"mean{index}"], axes=axes,
                                      keepdims=0))
        nodes.append(helper.make_node("Mul", [f"mean{index}", "nothing"], [f"none{index}"]))
        sums.append(f"none{index}")
    numbers = np.float64 if kind == TensorProto.DOUBLE else np.float32
    fixed = [size if isinstance(size, int) else 1 for size in output]
    weights = [numpy_helper.from_array(np.zeros((), numbers), "nothing"),
               numpy_helper.from_array(np.array(fixed, np.int64), "shape")]
    nodes.append(helper.make_node("Sum", sums, ["all"]))
    nodes.append(helper.make_node("Expand", ["all", "shape"], [called]))
    for other in more:
        nodes.append(helper.make_node("Identity", [called], [other]))
    takes = [helper.make_tensor_value_info(key, kind, shape) for key, shape in inputs.items()]
    if listed:
        # As files before IR version 4 had to.
        takes += [helper.make_tensor_value_info(it.name, it.data_type, it.dims) for it in weights]
    gives = [helper.make_tensor_value_info(it, kind, output) for it in (called, *more)]
    model = helper.make_model(helper.make_graph(nodes, "zeros", takes, gives, weights),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                              producer_name="make.py")
    if external:
        onnx.save(model, path, save_as_external_data=True, location="weights.bin",
                  size_threshold=0)
    else:
        path.write_bytes(model.SerializeToString())


def stats(path, separator="/", image=(3,), **changed):
    """Statistics of state, action and pictures; `changed` by key with _ for the separators."""
    of = {"observation.state": 6, "action": 6, "observation.images.top": None}
    values = {}
    for feature, width in of.items():
        shape = (width,) if width else image
        flat = np.ones(shape, np.float32)
        ramp = np.arange(1, flat.size + 1, dtype=np.float32).reshape(shape)
        for name, value in {"mean": ramp, "std": 2 * flat, "min": -10 * flat, "max": 10 * flat,
                            "q01": -9 * flat, "q99": 9 * flat}.items():
            values[f"{feature}{separator}{name}"] = value
    for key, value in changed.items():
        feature, _, name = key.rpartition("__")
        full = f"{feature.replace('_', '.')}{separator}{name}"
        if value is None:
            del values[full]
        else:
            values[full] = np.asarray(value)
    save_file(values, path)


def write(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def case(name, *, wrong=None, warnings=()):
    """A new folder. `wrong` is (where, words of what) of its error; without it, it is usable."""
    folder = HERE / name
    folder.mkdir()
    verdict = {"ok": wrong is None, "warnings": list(warnings)}
    if wrong:
        verdict["where"], verdict["what"] = wrong
    VERDICTS[name] = verdict
    return folder


# ── policy_package 1.0 ────────────────────────────────────────────────────────────────────────

TOP = {"state": (1, 6), "images": (1, 3, SIDE, SIDE)}


def manifest():
    return {
        "format": "policy_package",
        "version": "1.0",
        "policy": {"name": "act"},
        "model": {
            "n_obs_steps": 1,
            "runner": {"type": "single_pass"},
            "artifacts": {"onnx": "act.onnx"},
            "preprocessors": [
                {"type": "to_float_tensor"},
                {"type": "normalize", "mode": "mean_std", "artifact": "stats.safetensors",
                 "features": ["state"]},
            ],
            "postprocessors": [
                {"type": "denormalize", "mode": "mean_std", "artifact": "stats.safetensors",
                 "features": ["action"]},
            ],
        },
        "hardware": {
            "robots": [{
                "name": "main", "type": "SO-101",
                "state": {"shape": [6], "order": JOINTS, "units": "percent"},
                "action": {"shape": [6], "order": JOINTS, "units": "percent", "rate_hz": 30},
            }],
            "cameras": [{"name": "top", "shape": [3, SIDE, SIDE], "dtype": "uint8"}],
        },
    }


def package(name, change=lambda m: None, *, inputs=None, wrong=None, warnings=(), statistics=None,
            **drawn):
    folder = case(name, wrong=wrong, warnings=warnings)
    text = manifest()
    change(text)
    graph(folder / "act.onnx", inputs or TOP, **drawn)
    stats(folder / "stats.safetensors", **(statistics or {}))
    write(folder / "manifest.json", text)
    return folder


def put(path, value):
    """A change of the manifest: the value at a dotted path."""
    def change(text):
        *way, last = [int(it) if it.isdigit() else it for it in path.split(".")]
        for key in way:
            text = text[key]
        if value is None:
            del text[last]
        else:
            text[last] = value
    return change


def both(*changes):
    def change(text):
        for each in changes:
            each(text)
    return change


ACTION, STATE = "hardware.robots.0.action", "hardware.robots.0.state"


def modes(mode):
    return both(put("model.preprocessors.1.mode", mode), put("model.postprocessors.0.mode", mode))


def good_packages():
    package("studio")
    package("two_cameras",
            put("hardware.cameras", [{"name": it, "shape": [3, SIDE, SIDE]}
                                     for it in ("top", "wrist")]),
            inputs={"state": (1, 6), "images.top": (1, 3, SIDE, SIDE),
                    "images.wrist": (1, 3, SIDE, SIDE)})
    package("action_chunking", put("model.runner", {"type": "action_chunking"}))
    package("chunking_by_class_path",
            put("model.runner", {"class_path": "physicalai.inference.runners.ActionChunking",
                                 "init_args": {"chunk_size": CHUNK}}))
    package("single_pass_with_chunk",
            put("model.runner", {"type": "single_pass", "chunk_size": CHUNK}))
    package("artifact_called_model", put("model.artifacts", {"model": "act.onnx"}))
    package("parts_by_class_path", both(
        put("model.preprocessors", [{
            "class_path": "physicalai.inference.preprocessors.StatsNormalizer",
            "init_args": {"mode": "mean_std", "stats_path": "stats.safetensors",
                          "features": ["observation.state"]}}]),
        put("model.postprocessors", [{
            "class_path": "physicalai.inference.postprocessors.StatsDenormalizer",
            "init_args": {"mode": "mean_std", "stats_path": "stats.safetensors",
                          "features": ["action"]}}])))
    package("names_of_lerobot", inputs={"observation.state": (1, 6),
                                        "observation.images.top": (1, 3, SIDE, SIDE)})
    package("min_max", modes("min_max"))
    package("quantiles", modes("quantiles"))
    package("identity", modes("identity"))
    package("masked", statistics={"action__mask": np.array([1, 1, 1, 1, 1, 0], np.uint8)})
    package("statistics_of_doubles", statistics={"action__mean": np.zeros(6)})
    package("no_normalisation", both(put("model.preprocessors", []),
                                     put("model.postprocessors", [])))
    package("radians", both(put(f"{ACTION}.units", "si"), put(f"{STATE}.units", "si")))
    package("degrees", both(put(f"{ACTION}.units", "degrees"), put(f"{STATE}.units", "degrees")))
    package("loads_and_tool_in_the_state",
            both(put(STATE, {"order": [f"{it}.pos" for it in JOINTS] + ["gripper.lag", "tool.z"],
                             "units": "si"}),
                 put("model.preprocessors", [])),
            inputs={**TOP, "state": (1, 8)})
    package("tool_actions",
            both(put(ACTION, {"shape": [5], "units": "si", "space": "tool", "rate_hz": 30,
                              "relative_to": "command", "tilt_rad": 0.1,
                              "order": ["tool.x", "tool.y", "tool.z", "tool.roll",
                                        "gripper.pos"]}),
                 put("model.postprocessors", [])),
            output=(1, CHUNK, 5))
    package("one_action_at_a_time", output=(1, 6))
    package("sizes_known_at_run_time", inputs={"state": ("batch", 6),
                                               "images": ("batch", 3, "h", "w")})
    package("weights_among_the_inputs", listed=True)
    package("two_outputs_one_called_action", more=("latent",))
    package("state_alone", put("hardware.cameras", []), inputs={"state": (1, 6)})
    package("unknown_keys", put("licence", {"name": "CC-BY-4.0"}),
            warnings=["manifest.json: licence"])
    package("no_robot", put("hardware.robots", []), warnings=["manifest.json: hardware.robots"])
    package("no_rate", put(f"{ACTION}.rate_hz", None),
            warnings=["manifest.json: hardware.robots[0].action"])
    package("a_camera_nobody_looks_through",
            put("hardware.cameras", [{"name": "top", "shape": [3, SIDE, SIDE]},
                                     {"name": "side", "shape": [3, SIDE, SIDE]}]),
            inputs={"state": (1, 6), "images.top": (1, 3, SIDE, SIDE)},
            warnings=["manifest.json: hardware.cameras"])


def bad_packages():
    def bad(name, change=lambda m: None, *, where, what, **more):
        return package(name, change, wrong=(f"manifest.json: {where}".removesuffix(": "), what),
                       **more)

    bad("artifact_missing", put("model.artifacts.onnx", "absent.onnx"),
        where="model.artifacts.onnx", what="absent.onnx")
    bad("version_99", put("version", "99.0"), where="version", what="99.0")
    bad("seven_actions_for_six_joints",
        both(put(ACTION, {"shape": [7], "units": "percent", "rate_hz": 30}),
             put("model.postprocessors", [])),
        where="hardware.robots[0].action", what="7 values", output=(1, CHUNK, 7))
    bad("another_format", put("format", "zip"), where="format", what="zip")
    bad("no_model", put("model", None), where="model", what="missing")
    bad("unknown_runner", put("model.runner", {"type": "magic"}), where="model.runner.type",
        what="magic")
    bad("a_class_path_that_is_code",
        put("model.runner", {"class_path": "os.system", "init_args": {"command": "true"}}),
        where="model.runner.class_path", what="os.system")
    bad("unknown_preprocessor", put("model.preprocessors", [{"type": "tokenize"}]),
        where="model.preprocessors[0].type", what="tokenize")
    bad("a_path_that_climbs_out", put("model.artifacts.onnx", "../studio/act.onnx"),
        where="model.artifacts.onnx", what="inside the package")
    bad("an_absolute_path", put("model.artifacts.extra", "/etc/hostname"),
        where="model.artifacts.extra", what="inside the package")
    folder = bad("a_link_that_leaves", put("model.artifacts.onnx", "out.onnx"),
                 where="model.artifacts.onnx", what="leaves the package")
    (folder / "out.onnx").symlink_to("../studio/act.onnx")
    bad("another_chunk", put("model.runner", {"type": "action_chunking", "chunk_size": 50}),
        where="model.runner.chunk_size", what="it is 50")
    bad("two_moments", put("model.n_obs_steps", 2), where="model.n_obs_steps", what="it is 2")
    bad("another_state", put(STATE, {"shape": [7], "units": "percent"}),
        where="hardware.robots[0].state", what="7 values")
    bad("a_camera_not_described", where="hardware.cameras", what="wrist",
        inputs={"state": (1, 6), "images.wrist": (1, 3, SIDE, SIDE)})
    bad("two_robots", lambda m: m["hardware"]["robots"].append(
        copy.deepcopy(m["hardware"]["robots"][0])), where="hardware.robots", what="2 robots")
    bad("a_joint_twice", put(f"{ACTION}.order", JOINTS[:5] + ["wrist_roll"]),
        where="hardware.robots[0].action", what="wrist_roll")
    bad("no_time_between_actions", put(f"{ACTION}.rate_hz", 0),
        where="hardware.robots[0].action.rate_hz", what="it is 0")
    bad("unknown_units", put(f"{ACTION}.units", "furlongs"),
        where="hardware.robots[0].action.units", what="furlongs")
    bad("velocities_in_the_state", put(f"{STATE}.order", JOINTS[:5] + ["gripper.vel"]),
        where="hardware.robots[0].state.order", what="gripper.vel")
    bad("a_statistic_is_missing", where="model.preprocessors[1]", what="is missing",
        statistics={"observation_state__std": None})
    bad("a_statistic_is_no_number", where="model.postprocessors[0]", what="not finite",
        statistics={"action__mean": np.full(6, np.nan, np.float32)})
    bad("a_statistic_is_too_short", where="model.postprocessors[0]", what="5 values",
        statistics={"action__mean": np.zeros(5, np.float32)})
    bad("minimum_above_maximum", modes("min_max"), where="model.postprocessors[0]",
        what="makes no sense", statistics={"action__min": np.full(6, 99, np.float32)})

    def odd(name, where, what, **more):
        return package(name, wrong=(where, what), **more)

    odd("half_precision", "graph: state", "not float32", kind=TensorProto.DOUBLE)
    odd("outputs_without_a_name", "act.onnx", "called action", called="a", more=("b",))
    odd("a_batch_of_four", "graph: action", "batch is 4", output=(4, CHUNK, 6))
    odd("a_chunk_beyond_reason", "graph: action", "10000 actions", output=(1, 10000, 6))
    odd("an_input_nothing_feeds", "graph: tokens", "nothing here can feed",
        inputs={**TOP, "tokens": (1, 12)})
    odd("pictures_in_another_order", "graph: images", "its shape is",
        inputs={"state": (1, 6), "images": (1, SIDE, SIDE, 3)})
    folder = odd("a_graph_cut_short", "manifest.json: model.artifacts.onnx", "ONNX graph")
    whole = (folder / "act.onnx").read_bytes()
    (folder / "act.onnx").write_bytes(whole[: len(whole) // 2])
    folder = case("weights_in_another_file",
                  wrong=("manifest.json: model.artifacts.onnx", "weights lie in another file"))
    graph(folder / "act.onnx", TOP, external=True)
    stats(folder / "stats.safetensors")
    write(folder / "manifest.json", manifest())
    folder = package("not_json", wrong=("manifest.json", "line"))
    (folder / "manifest.json").write_text("{\"format\": \"policy_package\",")
    folder = case("an_empty_folder", wrong=("an_empty_folder", "manifest.json"))
    (folder / "README").write_text("nothing here\n")


# ── LeRobot checkpoints ───────────────────────────────────────────────────────────────────────

GRAPH = {"observation.state": (1, 6), "observation.images.top": (1, 3, SIDE, SIDE)}
ORDER = "config.json"


def checkpoint(name, *, config=lambda c: None, before=lambda b: None, after=lambda a: None,
               info=True, inputs=None, wrong=None, warnings=(), statistics=None, **drawn):
    folder = case(name, wrong=wrong, warnings=warnings)
    features = {
        "observation.state": {"type": "STATE", "shape": [6]},
        "observation.images.top": {"type": "VISUAL", "shape": [3, SIDE, SIDE]},
    }
    said = {
        "type": "act", "n_obs_steps": 1, "input_features": features,
        "output_features": {"action": {"type": "ACTION", "shape": [6]}},
        "normalization_mapping": {"VISUAL": "MEAN_STD", "STATE": "MEAN_STD",
                                  "ACTION": "MEAN_STD"},
        "chunk_size": CHUNK, "n_action_steps": CHUNK, "temporal_ensemble_coeff": None,
    }
    norm = {"eps": 1e-8, "norm_map": said["normalization_mapping"]}
    first = "policy_preprocessor_step_3_normalizer_processor.safetensors"
    last = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"
    pre = {"name": "policy_preprocessor", "steps": [
        {"registry_name": "rename_observations_processor", "config": {"rename_map": {}}},
        {"registry_name": "to_batch_processor", "config": {}},
        {"registry_name": "device_processor", "config": {"device": "cpu", "float_dtype": None}},
        {"registry_name": "normalizer_processor", "config": copy.deepcopy(norm),
         "state_file": first}]}
    post = {"name": "policy_postprocessor", "steps": [
        {"registry_name": "unnormalizer_processor", "config": copy.deepcopy(norm),
         "state_file": last},
        {"registry_name": "device_processor", "config": {"device": "cpu", "float_dtype": None}}]}
    config(said), before(pre), after(post)
    write(folder / "config.json", said)
    for file, value in (("policy_preprocessor.json", pre), ("policy_postprocessor.json", post)):
        if value:
            write(folder / file, value)
    for file in (first, last):
        stats(folder / file, separator=".", image=(3, 1, 1), **(statistics or {}))
    if info:
        names = [f"{it}.pos" for it in JOINTS]
        feature = {"dtype": "float32", "shape": [6], "names": names}
        text = {"codebase_version": "v3.0", "robot_type": "so101_follower", "fps": 30,
                "units": "degrees", "features": {"observation.state": feature, "action": dict(feature)}}
        write(folder / "info.json", info(text) if callable(info) else text)
    graph(folder / "act.onnx", inputs or GRAPH, **drawn)
    return folder


def checkpoints():
    checkpoint("checkpoint")
    checkpoint("checkpoint_alone", info=False, warnings=[ORDER, ORDER, ORDER])
    degrees = {"observation_state__max": np.full(6, 120, np.float32)}
    checkpoint("checkpoint_of_degrees", info=False, warnings=[ORDER, ORDER], statistics=degrees)
    mode = {"VISUAL": "IDENTITY", "STATE": "MIN_MAX", "ACTION": "MIN_MAX"}

    def remapped(pipeline):
        for step in pipeline["steps"]:
            if "norm_map" in step["config"]:
                step["config"]["norm_map"] = mode
    checkpoint("checkpoint_min_max", config=put("normalization_mapping", mode), before=remapped,
               after=remapped)
    checkpoint("checkpoint_with_renamed_cameras",
               before=put("steps.0.config.rename_map",
                          {"observation.images.front": "observation.images.top"}))
    old = dict(before=lambda b: b.clear(), after=lambda a: a.clear())
    checkpoint("checkpoint_before_processors", **old,
               wrong=("policy_preprocessor.json", "can't be read"))
    folder = checkpoint("checkpoint_without_graph",
                        wrong=("checkpoint_without_graph", "no .onnx file"))
    (folder / "act.onnx").unlink()
    folder = checkpoint("checkpoint_with_two_graphs",
                        wrong=("checkpoint_with_two_graphs", "several graphs"))
    shutil.copy(folder / "act.onnx", folder / "smolvla.onnx")
    checkpoint("checkpoint_that_reads_words",
               before=lambda b: b["steps"].insert(
                   1, {"registry_name": "tokenizer_processor", "config": {}}),
               wrong=("policy_preprocessor.json: steps[1].registry_name", "tokenizer_processor"))
    checkpoint("checkpoint_of_two_moments", config=put("n_obs_steps", 2),
               wrong=("config.json: n_obs_steps", "it is 2"))
    folder = checkpoint("checkpoint_without_statistics",
                        wrong=("policy_preprocessor.json: steps[3].state_file", "can't be read"))
    (folder / "policy_preprocessor_step_3_normalizer_processor.safetensors").unlink()
    checkpoint("checkpoint_with_statistics_elsewhere",
               before=put("steps.3.state_file", "../checkpoint/config.json"),
               wrong=("policy_preprocessor.json: steps[3].state_file", "inside the package"))
    checkpoint("checkpoint_of_another_size",
               config=put("input_features",
                          {"observation.state": {"type": "STATE", "shape": [7]},
                           "observation.images.top": {"type": "VISUAL",
                                                      "shape": [3, SIDE, SIDE]}}),
               wrong=("config.json: input_features.observation.state", "it is [7]"))
    checkpoint("checkpoint_of_another_chunk", config=put("chunk_size", 100),
               wrong=("config.json: chunk_size", "it is 100"))

    def seven(text):
        for feature in text["features"].values():
            feature["names"] = [*feature["names"], "rail.pos"]
        return text
    checkpoint("checkpoint_of_another_robot", info=seven,
               wrong=("info.json: features.observation.state.names", "names 7"))
    checkpoint("checkpoint_of_unknown_scales", before=put("steps.3.config.norm_map.STATE", "LOG"),
               wrong=("policy_preprocessor.json: STATE", "LOG"))


def main():
    for old in HERE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    good_packages()
    bad_packages()
    checkpoints()
    write(HERE / "verdicts.json", VERDICTS)
    print(len(VERDICTS), "packages")


if __name__ == "__main__":
    main()
