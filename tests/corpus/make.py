"""Makes the corpus of policy packages beside this file, and verdicts.json: what must be said of each.

    python -m venv venv && venv/bin/pip install numpy==2.* onnx==1.23.* safetensors==0.8.*
    venv/bin/python tests/corpus/make.py

They are committed; run this to change them. Packages as their users have them and as they get
broken, in four dialects: `policy_package` 1.0, a LeRobot checkpoint with its graph beside it, and
graphs alone with the metadata of mjlab and of exploy. No graph here is learned: each gives zeros, and
hands what it remembers on as it was.
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
          listed=False, external=False, memory=None, counts=None, metadata=None):
    """Zeros of shape `output` that every input goes into. `memory` names the output that each input
    goes on to, `counts` the type and shape of inputs that are whole numbers, `more` outputs that are
    as `called`."""
    nodes, sums = [], []
    memory, counts = memory or {}, counts or {}
    for tensor in counts:
        nodes.append(helper.make_node("Cast", [tensor], [f"{tensor}_float"], to=kind))
        nodes.append(helper.make_node("Mul", [f"{tensor}_float", "nothing"], [f"{tensor}_none"]))
        sums.append(f"{tensor}_none")
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
    for takes, gives in memory.items():
        nodes.append(helper.make_node("Identity", [takes], [gives]))
    takes = [helper.make_tensor_value_info(key, kind, shape) for key, shape in inputs.items()]
    takes += [helper.make_tensor_value_info(key, *counts[key]) for key in counts]
    if listed:
        # As files before IR version 4 had to.
        takes += [helper.make_tensor_value_info(it.name, it.data_type, it.dims) for it in weights]
    gives = [helper.make_tensor_value_info(it, kind, output) for it in (called, *more)]
    gives += [helper.make_tensor_value_info(it, kind, inputs[key]) for key, it in memory.items()]
    model = helper.make_model(helper.make_graph(nodes, "zeros", takes, gives, weights),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                              producer_name="make.py")
    if metadata:
        helper.set_model_props(model, metadata)
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
GOES_ON = {**TOP, "prev_chunk_left_over": (1, CHUNK, 6)}


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
    package("two_moments", put("model.n_obs_steps", 2),
            inputs={"state": (1, 2, 6), "images": (1, 2, 3, SIDE, SIDE)})
    package("two_moments_of_the_state", put("model.n_obs_steps", 2),
            inputs={"state": (1, 2, 6), "images": (1, 3, SIDE, SIDE)})
    package("a_memory", put("model.memory", [{"input": "h_in", "output": "h_out"}]),
            inputs={**TOP, "h_in": (2, 1, 8)}, memory={"h_in": "h_out"})
    package("chunks_that_go_on", inputs=GOES_ON,
            counts={"inference_delay": (TensorProto.INT64, (1,)),
                    "execution_horizon": (TensorProto.INT32, ())})
    package("half_of_a_chunk_executed",
            put("model.runner", {"type": "action_chunking", "chunk_size": CHUNK,
                                 "n_action_steps": CHUNK // 2}))
    package("noise", inputs={**TOP, "noise": (3, CHUNK, 6)})
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
    package("steps_in_bytes", inputs=GOES_ON,
            counts={"inference_delay": (TensorProto.UINT8, (1,))},
            wrong=("graph: inference_delay", "neither float32 nor int32 nor int64"))
    package("guidance_of_whole_numbers", inputs=GOES_ON,
            counts={"max_guidance_weight": (TensorProto.INT64, (1,))},
            wrong=("graph: max_guidance_weight", "not float32"))
    package("more_executed_than_there_is",
            put("model.runner", {"type": "action_chunking", "n_action_steps": CHUNK + 1}),
            wrong=("model.runner.n_action_steps", "it is 9"))
    package("noise_without_sizes", inputs={**TOP, "noise": (1, "steps", 6)},
            wrong=("graph: noise", "[1, ?, 6]"))
    package("noise_of_whole_numbers", counts={"noise": (TensorProto.INT64, (1, CHUNK, 6))},
            wrong=("graph: noise", "not float32"))
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
    bad("a_hundred_moments", put("model.n_obs_steps", 100), where="model.n_obs_steps",
        what="it is 100")
    bad("a_memory_without_output", put("model.memory", [{"input": "h_in", "output": "h_out"}]),
        where="model.memory[0].input", what="h_out", inputs={**TOP, "h_in": (2, 1, 8)})
    bad("a_memory_of_two_shapes", put("model.memory", [{"input": "h_in", "output": "other"}]),
        where="model.memory[0].input", what="not the same", inputs={**TOP, "h_in": (2, 1, 8)},
        more=("other",))
    bad("a_memory_named_twice", put("model.memory", [{"input": "h_in", "output": "h_out"}] * 2),
        where="model.memory[1].input", what="named twice", inputs={**TOP, "h_in": (2, 1, 8)},
        memory={"h_in": "h_out"})
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

    def odd(name, where, what, change=lambda m: None, **more):
        return package(name, change, wrong=(where, what), **more)

    odd("half_precision", "graph: state", "not float32", kind=TensorProto.DOUBLE)
    odd("outputs_without_a_name", "act.onnx", "called action", called="a", more=("b",))
    odd("a_batch_of_four", "graph: action", "batch is 4", output=(4, CHUNK, 6))
    odd("a_chunk_beyond_reason", "graph: action", "10000 actions", output=(1, 10000, 6))
    odd("an_input_nothing_feeds", "graph: tokens", "nothing here can feed",
        inputs={**TOP, "tokens": (1, 12)})
    odd("two_moments_for_a_graph_of_one", "graph", "looks at one moment",
        change=put("model.n_obs_steps", 2))
    odd("three_moments_for_a_graph_of_two", "graph: state", "n_obs_steps is 3",
        change=put("model.n_obs_steps", 3),
        inputs={"state": (1, 2, 6), "images": (1, 2, 3, SIDE, SIDE)})
    odd("a_memory_nobody_declares", "graph: h_in", "nothing here can feed",
        inputs={**TOP, "h_in": (2, 1, 8)}, memory={"h_in": "h_out"})
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
    checkpoint("checkpoint_of_half_a_chunk", config=put("n_action_steps", CHUNK // 2))
    checkpoint("checkpoint_that_executes_more", config=put("n_action_steps", CHUNK + 1),
               wrong=("config.json: n_action_steps", "it is 9"))
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
    checkpoint("checkpoint_of_two_moments",
               config=both(put("n_obs_steps", 2), put("type", "diffusion")),
               inputs={"observation.state": (1, 2, 6),
                       "observation.images.top": (1, 2, 3, SIDE, SIDE)})
    checkpoint("checkpoint_of_two_moments_and_a_graph_of_one", config=put("n_obs_steps", 2),
               wrong=("graph", "looks at one moment"))
    checkpoint("checkpoint_with_a_memory",
               config=put("memory", [{"input": "h_in", "output": "h_out"}]),
               inputs={**GRAPH, "h_in": (2, 1, 8)}, memory={"h_in": "h_out"})
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


# ── Graphs alone ──────────────────────────────────────────────────────────────────────────────

def csv(values):
    """As mjlab writes lists."""
    return ",".join(it if isinstance(it, str) else f"{it:.3f}" for it in values)


def alone(name, *, metadata, wrong=None, warnings=(), **drawn):
    folder = case(name, wrong=wrong, warnings=warnings)
    graph(folder / "policy.onnx", metadata=metadata, **drawn)
    return folder


def mjlab(name, *, inputs=None, wrong=None, rate="50", warnings=(), output=(1, 6), memory=None,
          joints=JOINTS, **changed):
    """`changed` are entries of the metadata; None takes one away."""
    said = {
        "run_path": "me/reach/1", "joint_names": csv(joints),
        "joint_stiffness": csv([20.0] * len(joints)), "joint_damping": csv([1.0] * len(joints)),
        "default_joint_pos": csv([0.1 * index for index in range(len(joints))]),
        "command_names": "", "observation_names": "joint_pos,joint_vel,actions",
        "action_scale": csv([0.5] * len(joints)), "update_rate": rate,
    } | changed
    said = {key: value for key, value in said.items() if value is not None}
    if wrong:
        wrong = (f"policy.onnx: {wrong[0]}", wrong[1])
    return alone(name, metadata=said, inputs=inputs or {"obs": (1, 18)}, output=output,
                 called="actions", memory=memory, wrong=wrong, warnings=warnings)


def of_mjlab():
    mjlab("mjlab")
    mjlab("mjlab_without_its_rate", rate=None, warnings=["policy.onnx: metadata update_rate"])
    mjlab("mjlab_with_one_scale", action_scale="0.25")
    mjlab("mjlab_of_isaac_s_terms", observation_names="joint_pos_rel,joint_vel_rel,last_action")
    mjlab("mjlab_of_positions_alone", observation_names="joint_pos", inputs={"obs": (1, 6)})
    mjlab("mjlab_of_two_arms", inputs={"obs": (1, 36)}, output=(1, 12),
          joints=[f"{side}_{joint}" for side in ("left", "right") for joint in JOINTS])
    mjlab("mjlab_with_lstm", inputs={"obs": (1, 18), "h_in": (1, 1, 8), "c_in": (1, 1, 8)},
          memory={"h_in": "h_out", "c_in": "c_out"})

    said = "metadata observation_names"
    mjlab("mjlab_that_feels_its_base", wrong=(said, "base_ang_vel"), inputs={"obs": (1, 21)},
          observation_names="base_ang_vel,joint_pos,joint_vel,actions")
    mjlab("mjlab_that_obeys_commands", wrong=(said, "nobody gives one"), inputs={"obs": (1, 21)},
          observation_names="joint_pos,joint_vel,actions,command", command_names="twist")
    mjlab("mjlab_of_unknown_terms", wrong=(said, "height_scan"),
          observation_names="joint_pos,joint_vel,actions,height_scan")
    mjlab("mjlab_of_another_width", wrong=(said, "18 values"), inputs={"obs": (1, 36)})
    mjlab("mjlab_of_torques", wrong=("metadata joint_stiffness", "torque"),
          joint_stiffness=csv([20.0] * 5 + [0.0]))
    mjlab("mjlab_without_defaults", wrong=("metadata default_joint_pos", "missing"),
          default_joint_pos=None)
    mjlab("mjlab_with_too_few_defaults", wrong=("metadata default_joint_pos", "5 values"),
          default_joint_pos=csv([0.0] * 5))
    mjlab("mjlab_with_words_for_numbers", wrong=("metadata action_scale", "a lot"),
          action_scale="a lot")
    mjlab("mjlab_of_a_humanoid", wrong=("metadata joint_names", "29 joints"),
          joints=[f"j{index}" for index in range(29)], inputs={"obs": (1, 87)}, output=(1, 29))
    mjlab("mjlab_with_a_joint_twice", wrong=("metadata joint_names", "named twice"),
          joints=JOINTS[:5] + ["wrist_roll"])
    mjlab("mjlab_that_moves_fewer", wrong=("metadata joint_names", "[1, 5]"), output=(1, 5))
    mjlab("mjlab_that_follows_a_motion", wrong=("time_step", "recorded motion"),
          inputs={"obs": (1, 18), "time_step": (1, 1)})
    mjlab("mjlab_of_no_pace", wrong=("metadata update_rate", "fast"), rate="fast")
    alone("a_graph_without_metadata", metadata=None, inputs={"obs": (1, 18)}, output=(1, 6),
          wrong=("policy.onnx", "stands alone"))


def exploy(name, *, wrong=None, joints=JOINTS, more_inputs=None, group="joint_pos", kinds=None,
           memory=True, counts=("ctx.step_count",), more=(), **changed):
    """`changed` are entries of the metadata, with __ for dots; None takes one away."""
    targets = f"output.joint_targets.{group}"
    kinds = kinds or ["pos", "vel", "effort"]
    width = len(joints)
    said = {
        "model_source": json.dumps({"type": "local"}), "exploy_version": json.dumps("0.3.1"),
        "obs_term_names": json.dumps(["joint_pos"]), "decimation": "4", "sim_dt": "0.005",
        "update_rate": "200.0", "base_names": json.dumps({"arm": "base"}),
        "obj.arm.joints": json.dumps({"joint_names": joints}),
        targets: json.dumps({"type": "joint_targets", "names": joints,
                             "stiffness": [20.0] * width, "damping": [1.0] * width}),
    }
    for key, value in changed.items():
        said[key.replace("__", ".")] = value
    said = {key: value for key, value in said.items() if value is not None}
    inputs = {"obj.arm.joints.pos": (1, width), "obj.arm.joints.vel": (1, width)}
    hand_on = {}
    if memory:
        inputs["memory.actions.in"] = (1, width)
        hand_on = {"memory.actions.in": "memory.actions.out"}
    outputs = [f"{targets}.{kind}" for kind in kinds]
    if wrong:
        wrong = (f"policy.onnx{wrong[0]}", wrong[1])
    return alone(name, metadata=said, inputs=inputs | (more_inputs or {}), output=(1, width),
                 called=outputs[0], more=(*outputs[1:], "actions", *more), memory=hand_on,
                 counts={key: (TensorProto.INT32, ()) for key in counts}, wrong=wrong)


def decimated(path):
    """As exploy wraps every graph: a branch that thinks at each fourth step (its targets are 0.1), and
    one that does not in between (its targets are 0.9)."""
    targets = "output.joint_targets.joint_pos.pos"
    model = onnx.load(path)
    old = model.graph

    def branch(name, value):
        target = helper.make_tensor_value_info(f"{name}_pos", TensorProto.FLOAT, (1, 6))
        weight = numpy_helper.from_array(np.full((1, 6), value, np.float32), f"{name}_value")
        node = helper.make_node("Add", [targets + ".old", f"{name}_value"], [f"{name}_pos"])
        return helper.make_graph([node], name, [], [target], [weight])
    for node in old.node:
        node.output[:] = [targets + ".old" if it == targets else it for it in node.output]
        node.input[:] = [targets + ".old" if it == targets else it for it in node.input]
    old.initializer.extend([numpy_helper.from_array(np.array(4, np.int32), "decimation"),
                            numpy_helper.from_array(np.array(0, np.int32), "zero")])
    old.node.extend([
        helper.make_node("Mod", ["ctx.step_count", "decimation"], ["rest"]),
        helper.make_node("Equal", ["rest", "zero"], ["event"]),
        helper.make_node("If", ["event"], [targets], then_branch=branch("thinks", 0.1),
                         else_branch=branch("waits", 0.9))])
    path.write_bytes(model.SerializeToString())


def of_exploy():
    targets = ": metadata output.joint_targets.joint_pos"
    exploy("exploy")
    decimated(exploy("exploy_that_thinks_every_fourth_step") / "policy.onnx")
    exploy("exploy_without_steps", counts=(), memory=False, decimation=None, update_rate="50.0")
    exploy("exploy_of_a_development_version", exploy_version=json.dumps("0.0.post1.dev96+gabc"))

    exploy("exploy_that_feels_its_base", wrong=(": obj.arm.base.lin_vel_b_rt_w_in_b", "stands"),
           more_inputs={"obj.arm.base.lin_vel_b_rt_w_in_b": (1, 3)})
    exploy("exploy_that_obeys_commands", wrong=(": cmd.se2_velocity.twist", "nobody gives one"),
           more_inputs={"cmd.se2_velocity.twist": (1, 3)})
    exploy("exploy_that_scans_heights", wrong=(": sensor.ray_caster.feet.height", "sensor"),
           more_inputs={"sensor.ray_caster.feet.height": (1, 9)})
    exploy("exploy_of_unknown_inputs", wrong=(": custom.mood", "nothing here can feed"),
           more_inputs={"custom.mood": (1, 1)})
    exploy("exploy_of_torques", wrong=(targets, "torque"),
           output__joint_targets__joint_pos=json.dumps(
               {"names": JOINTS, "stiffness": [0.0] * 6, "damping": [1.0] * 6}))
    exploy("exploy_that_only_pushes", wrong=(targets, "positions alone"), kinds=["effort"])
    exploy("exploy_that_drives_away", wrong=(": output.se2_velocity.base", "something else"),
           more=("output.se2_velocity.base",))
    exploy("exploy_of_two_groups", wrong=("", "2 groups"),
           more=("output.joint_targets.legs.pos",))
    exploy("exploy_of_no_version", wrong=(": metadata exploy_version", "soon"),
           exploy_version=json.dumps("soon"))
    exploy("exploy_without_a_rate", wrong=(": metadata update_rate", "missing"), update_rate=None)
    exploy("exploy_of_no_time", wrong=(": metadata update_rate", "it is"), update_rate="0")
    exploy("exploy_without_joint_names", wrong=(": metadata obj.arm.joints", "missing"),
           obj__arm__joints=None)
    exploy("exploy_of_broken_json", wrong=(": metadata obj.arm.joints", "line 1"),
           obj__arm__joints="{")
    exploy("exploy_of_another_arm", wrong=(": metadata obj.arm.joints", "names 2 joints"),
           obj__arm__joints=json.dumps({"joint_names": ["a", "b"]}))


def main():
    for old in HERE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    good_packages()
    bad_packages()
    checkpoints()
    of_mjlab()
    of_exploy()
    write(HERE / "verdicts.json", VERDICTS)
    print(len(VERDICTS), "packages")


if __name__ == "__main__":
    main()
