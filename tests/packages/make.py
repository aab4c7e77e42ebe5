"""Makes the small policy packages beside this file. They are committed; run this to change them.

    python -m venv venv && venv/bin/pip install numpy==2.4.* onnx==1.19.*
    venv/bin/python tests/packages/make.py

None of them is learned. Each looks through both cameras of the simulated cell, so that losing a
camera matters, and moves as a pure function of the joints:

    hold        tool actions that keep the commanded pose
    joint_hold  joint actions that keep the commanded pose
    counts      keeps it too, but for a milliradian of wrist_roll an inference that it remembers
    sway        joint actions: shoulder_pan and wrist_roll go round in a circle, for ever
    two_sways   the same of two arms at once, left and right, the right one the other way round
    circle      tool actions: the tool goes round in a horizontal circle, for ever
    stretch     tool actions: the tool goes outward, for ever, on and beyond what the arm can reach
    nan         sways, and puts out NaN once shoulder_pan has passed 0.15 rad
    teleport    sways, and asks for a jump of 3 rad once shoulder_pan has passed 0.15 rad
    goes_on     sways, but goes on from what is being executed up to the horizon: what a graph made
                for real-time chunking is told
    reserve     turns shoulder_pan steadily for the eight steps of each chunk that are meant to be
                executed; the eight after them would turn wrist_roll away; wrist_flex is a
                hundredth of a radian farther in each chunk
    beyond      joint actions that push shoulder_pan on and on, beyond its limit
    conv        a small convolutional network with random weights: numbers to compare, no motion
    studio      as OpenVINO's physicalai writes packages: one camera, statistics in a file, no
                units; its actions are the measured joints, so it sinks and is not for an arm
    lerobot     the same with LeRobot's names, sizes known only at run time, and no chunk
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
JOINTS = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]
CAMERAS = ["overhead", "wrist"]
CHUNK, RATE_HZ, SIDE = 16, 15.0, 24
TIMES = (np.arange(CHUNK) + 1) / RATE_HZ


def tensor(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class Graph:
    """Nodes and constants under construction; every method gives the name of its output."""

    def __init__(self, state_width, action_width, side=SIDE):
        self.nodes, self.weights, self.count = [], [], 0
        self.images = [f"images.{camera}" for camera in CAMERAS]
        self.inputs = [tensor("state", 1, state_width)]
        self.inputs += [tensor(name, 1, 3, side, side) for name in self.images]
        self.output = tensor("action", 1, CHUNK, action_width)
        self.more = []

    def node(self, kind, *inputs, output=None, **attributes):
        self.count += 1
        output = output or f"{kind.lower()}_{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, array, dtype=np.float32):
        self.count += 1
        name = f"constant_{self.count}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def column(self, index):
        """One value of the state, shaped [1, 1]."""
        return self.node("Gather", "state", self.constant([index], np.int64), axis=1)

    def nothing_from_images(self):
        """Zero, shaped [1, 1, 1], that every picture goes into."""
        means = []
        for image in self.images:
            mean = self.node("ReduceMean", image, axes=[1, 2, 3], keepdims=0)
            means.append(self.node("Mul", mean, self.constant(0.0)))
        total = self.node("Add", *means)
        return self.node("Reshape", total, self.constant([1, 1, 1], np.int64))

    def finish(self, columns, output="action"):
        """Joins columns shaped [1, CHUNK], or numbers shaped [1, 1], into the action."""
        wide = []
        for column in columns:
            spread = self.node("Add", column, self.constant(np.zeros((1, CHUNK))))
            wide.append(self.node("Unsqueeze", spread, self.constant([2], np.int64)))
        joined = self.node("Concat", *wide, axis=2)
        self.node("Add", joined, self.nothing_from_images(), output=output)

    def save(self, path):
        graph = helper.make_graph(self.nodes, path.stem, self.inputs,
                                  [self.output, *self.more], self.weights)
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="make.py")
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString())


def save(name, graph, state, action, side=SIDE, **model):
    directory = HERE / name
    directory.mkdir(exist_ok=True)
    graph.save(directory / f"{name}.onnx")
    cameras = [{"name": c, "shape": [3, side, side], "dtype": "uint8"} for c in CAMERAS]
    manifest = {
        "format": "policy_package",
        "version": "1.0",
        "policy": {"name": name},
        "model": {
            "n_obs_steps": 1,
            "runner": {"type": "action_chunking", "chunk_size": CHUNK},
            "artifacts": {"onnx": f"{name}.onnx"},
            "preprocessors": [{"type": "to_float_tensor"}],
            "postprocessors": [],
            **model,
        },
        "hardware": {
            "robots": [
                {
                    "name": "main",
                    "type": "SO-101",
                    "state": {
                        "shape": [len(state)],
                        "dtype": "float32",
                        "order": state,
                        "units": "si",
                    },
                    "action": action,
                }
            ],
            "cameras": cameras,
        },
        "metadata": {"created_by": "tests/packages/make.py"},
    }
    text = json.dumps(manifest, indent=1)
    (directory / "manifest.json").write_text(text + "\n")


JOINT_STATE = [f"{j}.pos" for j in JOINTS] + [f"{j}.lag" for j in JOINTS]
JOINT_ACTION = {
    "shape": [6],
    "order": [f"{j}.pos" for j in JOINTS],
    "units": "si",
    "space": "joint",
    "rate_hz": RATE_HZ,
    "first_step": 1,
}
TOOL_STATE = [f"{j}.pos" for j in JOINTS] + ["gripper.lag", "tool.x", "tool.y", "tool.z"]
TOOL_ACTION = {
    "shape": [5],
    "order": ["tool.x", "tool.y", "tool.z", "tool.roll", "gripper.pos"],
    "units": "si",
    "space": "tool",
    "relative_to": "command",
    "rate_hz": RATE_HZ,
    "first_step": 1,
    "tilt_rad": 0.2618,
}


ARMS = ["left", "right"]
TWO_STATE = [f"{arm}_{value}" for arm in ARMS for value in JOINT_STATE]
TWO_ACTION = {**JOINT_ACTION, "shape": [12], "order": [f"{a}_{j}.pos" for a in ARMS for j in JOINTS]}


def commands(graph, first=0):
    """Each joint's command: measurement plus lag. Those of an arm begin at value `first`."""
    return [graph.node("Add", graph.column(first + i), graph.column(first + i + 6)) for i in range(6)]


def round_and_round(graph, x, y, radius, omega, growth):
    """Where a point at (x, y) from a centre should be at each step: on its way round, and nearing
    the circle at `growth` a second. Both results are shaped [1, CHUNK]."""
    x = graph.node("Add", x, graph.constant(radius * 0.02))  # not stuck in the centre
    squares = graph.node("Add", graph.node("Mul", x, x), graph.node("Mul", y, y))
    distance = graph.node("Sqrt", graph.node("Add", squares, graph.constant(1e-12)))
    missing = graph.node("Sub", graph.constant(radius), distance)
    reach = growth * TIMES[None, :]
    step = graph.node("Max", missing, graph.constant(-reach))
    step = graph.node("Min", step, graph.constant(reach))
    factor = graph.node("Div", graph.node("Add", distance, step), distance)
    cos = graph.constant(np.cos(omega * TIMES)[None, :])
    sin = graph.constant(np.sin(omega * TIMES)[None, :])
    turned_x = graph.node("Sub", graph.node("Mul", x, cos), graph.node("Mul", y, sin))
    turned_y = graph.node("Add", graph.node("Mul", x, sin), graph.node("Mul", y, cos))
    return graph.node("Mul", turned_x, factor), graph.node("Mul", turned_y, factor)


def sway(graph, first=0, omega=1.5):
    """The columns of a swaying arm: pan and roll about (0, 1.2), 0.35 rad wide."""
    columns = commands(graph, first)
    centre = graph.constant(1.2)
    roll = graph.node("Sub", columns[4], centre)
    pan, roll = round_and_round(graph, columns[0], roll, radius=0.35, omega=omega, growth=0.3)
    columns[0] = pan
    columns[4] = graph.node("Add", roll, centre)
    return columns


def make_hold():
    graph = Graph(len(TOOL_STATE), 5)
    gripper = graph.node("Add", graph.column(5), graph.column(6))
    still = [graph.constant([[0.0]]) for _ in range(4)]
    graph.finish(still + [gripper])
    save("hold", graph, TOOL_STATE, TOOL_ACTION)


def make_joint_hold():
    graph = Graph(len(JOINT_STATE), 6)
    graph.finish(commands(graph))
    save("joint_hold", graph, JOINT_STATE, JOINT_ACTION)


def make_counts():
    graph = Graph(len(JOINT_STATE), 6)
    graph.inputs.append(tensor("turns_in", 1, 1))
    graph.more = [tensor("turns_out", 1, 1)]
    columns = commands(graph)
    turned = graph.node("Mul", "turns_in", graph.constant(0.001))
    columns[4] = graph.node("Add", columns[4], turned)
    graph.node("Add", "turns_in", graph.constant(1.0), output="turns_out")
    graph.finish(columns)
    memory = [{"input": "turns_in", "output": "turns_out"}]
    save("counts", graph, JOINT_STATE, JOINT_ACTION, memory=memory)


def make_sway():
    graph = Graph(len(JOINT_STATE), 6)
    graph.finish(sway(graph))
    save("sway", graph, JOINT_STATE, JOINT_ACTION)


def make_two_sways():
    graph = Graph(len(TWO_STATE), 12)
    graph.finish(sway(graph) + sway(graph, first=len(JOINT_STATE), omega=-1.5))
    save("two_sways", graph, TWO_STATE, TWO_ACTION)


def make_once_past(name, otherwise):
    """Sways until shoulder_pan is past 0.15 rad, then does something else with it."""
    graph = Graph(len(JOINT_STATE), 6)
    columns = sway(graph)
    past = graph.node("Greater", graph.column(0), graph.constant([[0.15]]))
    columns[0] = graph.node("Where", past, otherwise(graph, columns[0]), columns[0])
    graph.finish(columns)
    save(name, graph, JOINT_STATE, JOINT_ACTION)


def make_goes_on():
    graph = Graph(len(JOINT_STATE), 6)
    graph.inputs.append(tensor("prev_chunk_left_over", 1, CHUNK, 6))
    scalars = ["inference_delay", "execution_horizon", "max_guidance_weight"]
    graph.inputs += [tensor(name, 1) for name in scalars]
    end = graph.node("Max", "inference_delay", "execution_horizon")
    end = graph.node("Reshape", end, graph.constant([1, 1, 1], np.int64))
    steps = graph.constant(np.arange(CHUNK, dtype=np.float32)[None, :, None])
    led = graph.node("Less", steps, end)
    wanted = graph.node("Greater", "max_guidance_weight", graph.constant([0.0]))
    led = graph.node("And", led, graph.node("Reshape", wanted, graph.constant([1, 1, 1], np.int64)))
    graph.finish(sway(graph), output="free")
    graph.node("Where", led, "prev_chunk_left_over", "free", output="action")
    save("goes_on", graph, JOINT_STATE, JOINT_ACTION)


def make_beyond():
    graph = Graph(len(JOINT_STATE), 6)
    columns = commands(graph)
    columns[0] = graph.node("Add", columns[0], graph.constant(0.5 * TIMES[None, :]))
    graph.finish(columns)
    save("beyond", graph, JOINT_STATE, JOINT_ACTION)


def make_reserve():
    executed = CHUNK // 2
    steps = np.arange(1, CHUNK + 1)
    graph = Graph(len(JOINT_STATE), 6)
    graph.inputs.append(tensor("turns_in", 1, 1))
    graph.more = [tensor("turns_out", 1, 1)]
    columns = commands(graph)
    columns[0] = graph.node("Add", columns[0], graph.constant(0.2 * TIMES[None, :]))
    counted = graph.node("Mul", "turns_in", graph.constant(0.01))
    columns[3] = graph.node("Add", counted, graph.constant(1.0))
    graph.node("Add", "turns_in", graph.constant(1.0), output="turns_out")
    away = 0.05 * np.maximum(steps - executed, 0)
    columns[4] = graph.constant(1.2 + away[None, :])
    graph.finish(columns)
    memory = [{"input": "turns_in", "output": "turns_out"}]
    save("reserve", graph, JOINT_STATE, JOINT_ACTION, memory=memory,
         runner={"type": "action_chunking", "chunk_size": CHUNK, "n_action_steps": executed})


def make_circle():
    graph = Graph(len(TOOL_STATE), 5)
    x = graph.node("Sub", graph.column(7), graph.constant(0.22))
    y = graph.column(8)
    to_x, to_y = round_and_round(graph, x, y, radius=0.04, omega=1.5, growth=0.05)
    gripper = graph.node("Add", graph.column(5), graph.column(6))
    still = graph.constant([[0.0]])
    graph.finish([graph.node("Sub", to_x, x), graph.node("Sub", to_y, y), still, still, gripper])
    save("circle", graph, TOOL_STATE, TOOL_ACTION)


def make_stretch():
    graph = Graph(len(TOOL_STATE), 5)
    outward = graph.constant(0.08 * TIMES[None, :])
    gripper = graph.node("Add", graph.column(5), graph.column(6))
    still = graph.constant([[0.0]])
    graph.finish([outward, still, still, still, gripper])
    save("stretch", graph, TOOL_STATE, TOOL_ACTION)


def make_conv():
    random = np.random.default_rng(7)
    graph = Graph(len(TOOL_STATE), 5)

    def weights(*shape):
        fan_in = int(np.prod(shape[1:]))
        return graph.constant(random.normal(0, fan_in**-0.5, shape))

    features = ["state"]
    for image in graph.images:
        x = image
        for inputs, outputs in [(3, 8), (8, 12)]:
            kernel = weights(outputs, inputs, 3, 3)
            shape = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
            x = graph.node("Conv", x, kernel, **shape)
            x = graph.node("Relu", x)
        softmax = graph.node("Reshape", x, graph.constant([1, 12, -1], np.int64))
        softmax = graph.node("Softmax", softmax, axis=2)
        x = graph.node("Reshape", softmax, graph.constant([1, -1], np.int64))
        features.append(x)
    x = graph.node("Concat", *features, axis=1)
    width = len(TOOL_STATE) + 2 * 12 * (SIDE // 4) ** 2
    x = graph.node("Relu", graph.node("Gemm", x, weights(32, width), transB=1))
    x = graph.node("Tanh", graph.node("Gemm", x, weights(CHUNK * 5, 32), transB=1))
    x = graph.node("Mul", x, graph.constant(0.01))
    graph.node("Reshape", x, graph.constant([1, CHUNK, 5], np.int64), output="action")
    save("conv", graph, TOOL_STATE, TOOL_ACTION)


STATISTICS = {
    "state/mean": [1.0, 2.0, 3.0, 4.0, 5.0, 50.0],
    "state/std": [10.0, 20.0, 30.0, 40.0, 50.0, 25.0],
    "images/mean": [0.4, 0.5, 0.6],
    "images/std": [0.2, 0.25, 0.3],
    "action/mean": [-1.0, -2.0, -3.0, -4.0, -5.0, 40.0],
    "action/std": [5.0, 10.0, 15.0, 20.0, 25.0, 12.5],
}


def save_statistics(path):
    """The safetensors format: length of a JSON header, header, bytes."""
    header, data = {}, b""
    for key, values in STATISTICS.items():
        values = np.asarray(values, np.float32)
        shape = [3, 1, 1] if key.startswith("images") else list(values.shape)
        offsets = [len(data), len(data) + values.nbytes]
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def save_foreign(name, graph, manifest):
    directory = HERE / name
    directory.mkdir(exist_ok=True)
    graph.save(directory / f"{name}.onnx")
    save_statistics(directory / "stats.safetensors")
    text = json.dumps(manifest, indent=1)
    (directory / "manifest.json").write_text(text + "\n")


def feature(kind, name, shape):
    return {
        "class_path": "physicalai.inference.data.features.InferenceFeature",
        "init_args": {"ftype": kind, "shape": shape, "name": name, "dtype": "float32"},
    }


def make_studio():
    graph = Graph(6, 6)
    graph.images = ["images"]
    graph.inputs = [tensor("state", 1, 6), tensor("images", 1, 3, SIDE, SIDE)]
    mean = graph.node("ReduceMean", "images", axes=[1, 2, 3], keepdims=1)
    nothing = graph.node("Mul", mean, graph.constant(0.0))
    nothing = graph.node("Reshape", nothing, graph.constant([1, 1, 1], np.int64))
    state = graph.node("Reshape", "state", graph.constant([1, 1, 6], np.int64))
    state = graph.node("Add", state, graph.constant(np.zeros((1, CHUNK, 6))))
    graph.node("Add", state, nothing, output="action")
    steps = {"mode": "mean_std", "artifact": "stats.safetensors"}
    manifest = {
        "format": "policy_package",
        "version": "1.0",
        "policy": {"name": "act", "source": {"repo_id": "user/act", "revision": "0"}},
        "model": {
            "n_obs_steps": 1,
            "runner": {"type": "single_pass"},
            "artifacts": {"onnx": "studio.onnx"},
            "preprocessors": [
                {"type": "to_float_tensor"},
                {"type": "normalize", **steps, "features": ["state", "images"]},
            ],
            "postprocessors": [{"type": "denormalize", **steps, "features": ["action"]}],
            "input_features": [
                feature("STATE", "state", [6]),
                feature("VISUAL", "images", [3, SIDE, SIDE]),
            ],
            "output_features": [],
        },
        "hardware": {
            "robots": [
                {
                    "name": "main",
                    "type": "SO-101",
                    "state": {"shape": [6], "dtype": "float32", "order": JOINTS},
                    "action": {"shape": [6]},
                }
            ],
            "cameras": [{"name": "top", "shape": [3, SIDE, SIDE], "dtype": "uint8"}],
        },
        "metadata": {"created_by": "tests/packages/make.py"},
    }
    save_foreign("studio", graph, manifest)


def make_lerobot():
    graph = Graph(6, 6)
    state, image = "observation.state", "observation.images.top"
    graph.inputs = [tensor(state, "batch", 6), tensor(image, "batch", 3, "height", "width")]
    graph.output = tensor("action", "batch", 6)
    mean = graph.node("ReduceMean", image, axes=[1, 2, 3], keepdims=0)
    nothing = graph.node("Mul", mean, graph.constant(0.0))
    nothing = graph.node("Unsqueeze", nothing, graph.constant([1], np.int64))
    graph.node("Add", state, nothing, output="action")
    prefix = "physicalai.inference"
    steps = {"mode": "mean_std", "stats_path": "stats.safetensors"}
    manifest = {
        "format": "policy_package",
        "version": "1.0",
        "policy": {"name": "act"},
        "model": {
            "runner": {"class_path": f"{prefix}.runners.SinglePass", "init_args": {}},
            "artifacts": {"model": "lerobot.onnx"},
            "preprocessors": [
                {
                    "class_path": f"{prefix}.preprocessors.StatsNormalizer",
                    "init_args": {**steps, "features": ["observation.state"]},
                }
            ],
            "postprocessors": [
                {
                    "class_path": f"{prefix}.postprocessors.StatsDenormalizer",
                    "init_args": {**steps, "features": ["action"]},
                }
            ],
        },
        "hardware": {
            "robots": [],
            "cameras": [{"name": "top", "shape": [3, SIDE, SIDE], "dtype": "uint8"}],
        },
        "metadata": {},
    }
    save_foreign("lerobot", graph, manifest)


if __name__ == "__main__":
    make_hold()
    make_joint_hold()
    make_counts()
    make_sway()
    make_two_sways()
    make_once_past("nan", lambda graph, _: graph.constant([[np.nan]]))
    make_once_past("teleport", lambda graph, pan: graph.node("Add", pan, graph.constant(3.0)))
    make_goes_on()
    make_reserve()
    make_beyond()
    make_circle()
    make_stretch()
    make_conv()
    make_studio()
    make_lerobot()
