"""Packages by `policy_package` 1.0."""

import copy

import numpy as np
from onnx import TensorProto

from drawing import CHUNK, JOINTS, SIDE, both, case, graph, put, stats, write

ACTION, STATE = "hardware.robots.0.action", "hardware.robots.0.state"
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
