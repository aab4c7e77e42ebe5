"""LeRobot checkpoints with their graph beside them."""

import copy
import shutil

import numpy as np

from drawing import CHUNK, JOINTS, SIDE, both, case, graph, put, stats, write

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
