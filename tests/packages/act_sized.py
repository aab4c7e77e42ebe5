"""A package of the size of LeRobot's ACT, with random weights, and a cell that names it.

    pip install numpy==2.4.* onnx==1.19.* onnxruntime==1.31.*
    python tests/packages/act_sized.py FOLDER [--picture 96x128] [--camera 480x640] [--threads 1]
    surehand bench --inference --json --cell FOLDER/cell.toml

For measuring, not for an arm: a ResNet-18 a camera, four encoder layers and one decoder layer of width
512 with feed-forward 3200, and a chunk of 100, as LeRobot's default configuration has them at inference:
46 million weights (LeRobot has one ResNet for both cameras, but runs it twice). Its pictures are smaller than LeRobot's by default, so that one inference takes tens of
milliseconds on a desktop's core.
"""

import argparse
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from make import CAMERAS, JOINTS, STATISTICS, save_statistics

ROOT = pathlib.Path(__file__).resolve().parents[2]
WIDTH, HEADS, FEED, CHUNK = 512, 8, 3200, 100
BLOCKS = [64, 64, 128, 128, 256, 256, 512, 512]


class Graph:
    """Nodes and random weights under construction; every method gives the name of its output."""

    def __init__(self):
        self.nodes, self.weights, self.random = [], [], np.random.default_rng(5)

    def node(self, kind, *inputs, output=None, **attributes):
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, array, dtype=np.float32):
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def drawn(self, *shape, fan):
        return self.constant(self.random.normal(0, fan**-0.5, shape))

    def shaped(self, x, *shape):
        return self.node("Reshape", x, self.constant(shape, np.int64))

    def conv(self, x, inputs, outputs, side, stride=1):
        kernel = self.drawn(outputs, inputs, side, side, fan=inputs * side * side)
        bias = self.constant(np.zeros(outputs))
        return self.node("Conv", x, kernel, bias, kernel_shape=[side] * 2, strides=[stride] * 2,
                         pads=[side // 2] * 4)

    def resnet(self, x):
        """Batch normalisation is folded into the convolutions, as an export leaves it."""
        x = self.node("Relu", self.conv(x, 3, 64, 7, stride=2))
        x = self.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        inputs = 64
        for outputs in BLOCKS:
            stride = 1 if outputs == inputs else 2
            straight = x if stride == 1 else self.conv(x, inputs, outputs, 1, stride=2)
            x = self.node("Relu", self.conv(x, inputs, outputs, 3, stride))
            x = self.node("Relu", self.node("Add", self.conv(x, outputs, outputs, 3), straight))
            inputs = outputs
        return x

    def linear(self, x, inputs, outputs):
        x = self.node("MatMul", x, self.drawn(inputs, outputs, fan=inputs))
        return self.node("Add", x, self.constant(np.zeros(outputs)))

    def norm(self, x):
        return self.node("LayerNormalization", x, self.constant(np.ones(WIDTH)),
                         self.constant(np.zeros(WIDTH)), axis=-1)

    def heads(self, x, order):
        x = self.shaped(self.linear(x, WIDTH, WIDTH), 1, -1, HEADS, WIDTH // HEADS)
        return self.node("Transpose", x, perm=order)

    def attention(self, query, key, value):
        q = self.heads(query, [0, 2, 1, 3])
        scores = self.node("MatMul", q, self.heads(key, [0, 2, 3, 1]))
        scores = self.node("Mul", scores, self.constant((WIDTH // HEADS) ** -0.5))
        x = self.node("MatMul", self.node("Softmax", scores, axis=-1),
                      self.heads(value, [0, 2, 1, 3]))
        x = self.shaped(self.node("Transpose", x, perm=[0, 2, 1, 3]), 1, -1, WIDTH)
        return self.linear(x, WIDTH, WIDTH)

    def feed(self, x):
        inner = self.node("Relu", self.linear(x, WIDTH, FEED))
        return self.norm(self.node("Add", x, self.linear(inner, FEED, WIDTH)))


def graph(path, picture):
    g = Graph()
    pictures = [f"images.{camera}" for camera in CAMERAS]
    here = [-(-side // 32) for side in picture]
    tokens = [g.constant(np.zeros((1, 1, WIDTH))),
              g.shaped(g.linear("state", len(JOINTS), WIDTH), 1, 1, WIDTH)]
    for name in pictures:
        features = g.conv(g.resnet(name), 512, WIDTH, 1)
        flat = g.shaped(features, 1, WIDTH, here[0] * here[1])
        tokens.append(g.node("Transpose", flat, perm=[0, 2, 1]))
    x = g.node("Concat", *tokens, axis=1)
    count = 2 + len(pictures) * here[0] * here[1]
    place = g.drawn(1, count, WIDTH, fan=WIDTH)
    for _ in range(4):
        placed = g.node("Add", x, place)
        x = g.feed(g.norm(g.node("Add", x, g.attention(placed, placed, x))))
    query = g.drawn(1, CHUNK, WIDTH, fan=WIDTH)
    y = g.constant(np.zeros((1, CHUNK, WIDTH)))
    placed = g.node("Add", y, query)
    y = g.norm(g.node("Add", y, g.attention(placed, placed, y)))
    crossed = g.attention(g.node("Add", y, query), g.node("Add", x, place), x)
    y = g.norm(g.feed(g.norm(g.node("Add", y, crossed))))
    y = g.linear(y, WIDTH, len(JOINTS))
    g.node("Identity", y, output="action")

    def tensor(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    inputs = [tensor("state", 1, len(JOINTS))]
    inputs += [tensor(name, 1, 3, *picture) for name in pictures]
    whole = helper.make_graph(g.nodes, "act_sized", inputs, [tensor("action", 1, CHUNK, len(JOINTS))],
                              g.weights)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return sum(int(np.prod(weight.dims)) for weight in g.weights)


def manifest(picture):
    step = {"mode": "mean_std", "artifact": "stats.safetensors"}
    order = [f"{joint}.pos" for joint in JOINTS]
    return {
        "format": "policy_package",
        "version": "1.0",
        "policy": {"name": "act"},
        "model": {
            "n_obs_steps": 1,
            "runner": {"type": "action_chunking", "chunk_size": CHUNK},
            "artifacts": {"onnx": "act_sized.onnx"},
            "preprocessors": [{"type": "to_float_tensor"},
                              {"type": "normalize", **step, "features": ["state", "images"]}],
            "postprocessors": [{"type": "denormalize", **step, "features": ["action"]}],
        },
        "hardware": {
            "robots": [{
                "name": "main", "type": "SO-101",
                "state": {"shape": [6], "dtype": "float32", "order": order, "units": "degrees"},
                "action": {"shape": [6], "order": order, "units": "degrees", "rate_hz": 30.0},
            }],
            "cameras": [{"name": camera, "shape": [3, *picture], "dtype": "uint8"}
                        for camera in CAMERAS],
        },
        "metadata": {"created_by": "tests/packages/act_sized.py"},
    }


def cell(folder, camera, threads):
    """The simulated cell's, with cameras of this size: nothing of it is started."""
    text = (ROOT / "cells/sim.toml").read_text().replace('"../', f'"{ROOT}/')
    text = text.replace("width = 96\nheight = 96", f"width = {camera[1]}\nheight = {camera[0]}")
    package = f'package = "{folder.resolve()}/package"'
    text = text.replace(f'package = "{ROOT}/policies/pick_cube"', package)
    if package not in text:
        raise SystemExit("cells/sim.toml is not what it was: no pick_cube in it")
    head, _, rest = text.partition("[inference]\n")
    rest = "\n".join(line for line in rest.splitlines() if not line.startswith("threads"))
    (folder / "cell.toml").write_text(f"{head}\n[inference]\nthreads = {threads}\n{rest}\n")


def main():
    def size(text):
        height, _, width = text.partition("x")
        return int(height), int(width)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--picture", type=size, default=(96, 128), help="of the network, HxW")
    parser.add_argument("--camera", type=size, default=(480, 640), help="of the cameras, HxW")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    package = options.folder / "package"
    package.mkdir(parents=True, exist_ok=True)
    count = graph(package / "act_sized.onnx", options.picture)
    save_statistics(package / "stats.safetensors")
    (package / "manifest.json").write_text(json.dumps(manifest(options.picture), indent=1) + "\n")
    cell(options.folder, options.camera, options.threads)
    print(f"{count / 1e6:.1f} million weights; {', '.join(STATISTICS)} in {package}")


if __name__ == "__main__":
    main()
