"""Writes the policy package: the graph, its manifest, and a report that both sides agree.

    python export.py --checkpoint out/policy.pt --package ../policies/pick_cube \
        --measured out/evaluation.json out/covered.json

The graph takes plain readings (radians, metres, RGB / 255); normalisation is inside it.
"""

import argparse
import datetime
import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from network import ACTION, CAMERAS, CHUNK, SIDE, STATE, PickCube

NAME = "pick_cube"
STATE_ORDER = [
    "shoulder_pan.pos",
    "shoulder_lift.pos",
    "elbow_flex.pos",
    "wrist_flex.pos",
    "wrist_roll.pos",
    "gripper.pos",
    "gripper.lag",
    "tool.x",
    "tool.y",
    "tool.z",
]
ACTION_ORDER = ["tool.x", "tool.y", "tool.z", "tool.roll", "gripper.pos"]
RATE_HZ = 15
TILT_RAD = 0.2618


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--package", required=True, help="folder to write")
    parser.add_argument("--measured", nargs="*", default=[], help="reports of `surehand-collect evaluate` to quote")
    return parser.parse_args()


def feature(kind, shape, name):
    return {
        "class_path": "physicalai.inference.data.features.InferenceFeature",
        "init_args": {"ftype": kind, "shape": shape, "name": name, "dtype": "float32"},
    }


def manifest(metadata):
    return {
        "format": "policy_package",
        "version": "1.0",
        "policy": {"name": NAME},
        "model": {
            "n_obs_steps": 1,
            "runner": {"type": "action_chunking", "chunk_size": CHUNK},
            "artifacts": {"onnx": f"{NAME}.onnx"},
            "preprocessors": [{"type": "to_float_tensor"}],
            "postprocessors": [],
            "input_features": [feature("STATE", [STATE], "state")]
            + [feature("VISUAL", [3, SIDE, SIDE], f"images.{c}") for c in CAMERAS],
            "output_features": [feature("ACTION", [CHUNK, ACTION], "action")],
        },
        "hardware": {
            "robots": [
                {
                    "name": "main",
                    "type": "SO-101",
                    "state": {
                        "shape": [STATE],
                        "dtype": "float32",
                        "order": STATE_ORDER,
                        "units": "si",
                    },
                    "action": {
                        "shape": [ACTION],
                        "order": ACTION_ORDER,
                        "units": "si",
                        "space": "tool",
                        "relative_to": "command",
                        "rate_hz": RATE_HZ,
                        "first_step": 1,
                        "tilt_rad": TILT_RAD,
                    },
                }
            ],
            "cameras": [
                {"name": c, "shape": [3, SIDE, SIDE], "dtype": "uint8"} for c in CAMERAS
            ],
        },
        "metadata": metadata,
    }


def export_graph(model, path):
    state = torch.zeros(1, STATE)
    image = torch.zeros(1, 3, SIDE, SIDE)
    torch.onnx.export(
        model,
        (state, image, image),
        path,
        input_names=["state"] + [f"images.{c}" for c in CAMERAS],
        output_names=["action"],
        opset_version=17,
        dynamo=False,
    )
    graph = onnx.load(path)
    onnx.checker.check_model(graph)
    return sorted({node.op_type for node in graph.graph.node})


def parity(model, path, cases=32):
    """The largest difference between PyTorch and ONNX Runtime over random inputs."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    worst = 0.0
    for _ in range(cases):
        feed = {"state": random.normal(size=(1, STATE)).astype(np.float32)}
        for camera in CAMERAS:
            feed[f"images.{camera}"] = random.random((1, 3, SIDE, SIDE), dtype=np.float32)
        with torch.no_grad():
            ours = model(*(torch.from_numpy(v) for v in feed.values())).numpy()
        worst = max(worst, float(np.abs(ours - session.run(None, feed)[0]).max()))
    return worst


def quoted(report):
    """A report without the list of episodes that failed: they can be counted."""
    measured = json.loads(Path(report).read_text())
    return {key: value for key, value in measured.items() if key != "failed"}


def commit():
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            capture_output=True,
            check=True,
            text=True,
            cwd=Path(__file__).parent,
        )
        return found.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def main():
    args = arguments()
    checkpoint = torch.load(args.checkpoint, weights_only=True)
    model = PickCube()
    model.load_state_dict(checkpoint["average"])
    model.eval()
    package = Path(args.package)
    package.mkdir(parents=True, exist_ok=True)
    graph = package / f"{NAME}.onnx"
    operators = export_graph(model, graph)
    difference = parity(model, graph)
    recipe = checkpoint["recipe"]
    metadata = {
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "created_by": "training/export.py",
        "commit": commit(),
        "how": "imitation of a scripted expert in simulation; see training/README.md",
        "parameters": sum(p.numel() for p in model.parameters()),
        "training": {k: recipe[k] for k in ("steps", "batch", "rate", "average", "seed", "samples")},
        "demonstrations": recipe["demonstrations"],
        "onnxruntime_difference": difference,
        "sha256": {graph.name: hashlib.sha256(graph.read_bytes()).hexdigest()},
    }
    if args.measured:
        metadata["measured"] = [quoted(report) for report in args.measured]
    (package / "manifest.json").write_text(json.dumps(manifest(metadata), indent=1) + "\n")
    print(
        json.dumps(
            {
                "package": str(package),
                "bytes": graph.stat().st_size,
                "operators": operators,
                "largest_difference": difference,
            }
        )
    )
    if difference > 1e-4:
        raise SystemExit(f"{graph}: PyTorch and ONNX Runtime differ by {difference}, above 1e-4")


if __name__ == "__main__":
    main()
