"""What every package of the corpus is made of: a graph of zeros, statistics, a folder, its verdict."""

import json
import pathlib

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


def case(name, *, wrong=None, warnings=()):
    """A new folder. `wrong` is (where, words of what) of its error; without it, it is usable."""
    folder = HERE / name
    folder.mkdir()
    verdict = {"ok": wrong is None, "warnings": list(warnings)}
    if wrong:
        verdict["where"], verdict["what"] = wrong
    VERDICTS[name] = verdict
    return folder
