"""The network: two small pictures and ten numbers in, sixteen tool waypoints out.

Owns the shapes, the normalisation (part of the graph, so that the exported policy takes plain
readings) and nothing about training. Every operator it uses exports as plain ONNX: Conv, Relu,
Softmax, MatMul, ReduceMax, AveragePool, Gemm, Concat, Reshape and arithmetic.
"""

import torch
from torch import nn

STATE = 10
CHUNK = 16
ACTION = 5
SIDE = 96
CAMERAS = ("overhead", "wrist")


class Encoder(nn.Module):
    """One camera: where things are (spatial softmax), how surely (their maxima), and a sketch."""

    KEYPOINTS = 32
    SKETCH = 96
    OUT = 3 * KEYPOINTS + SKETCH
    # Learning may run the convolutions in bfloat16 where the CPU has it; inference never does.
    half = False

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 24, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(24, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(48, 48, 3, padding=2, dilation=2),
            nn.ReLU(),
        )
        self.heat = nn.Conv2d(48, self.KEYPOINTS, 1)
        self.sketch = nn.Sequential(
            nn.Conv2d(48, 32, 1),
            nn.ReLU(),
            nn.AvgPool2d(4),
            nn.Flatten(),
            nn.Linear(32 * 36, self.SKETCH),
            nn.ReLU(),
        )
        cells = SIDE // 4
        line = torch.linspace(-1.0, 1.0, cells)
        grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)
        self.register_buffer("grid", grid.reshape(cells * cells, 2))

    def forward(self, image):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half and self.training):
            features = self.trunk(image * 2.0 - 1.0)
        if features.dtype != torch.float32:
            features = features.float()
        heat = self.heat(features).reshape(-1, self.KEYPOINTS, self.grid.shape[0])
        where = torch.softmax(heat, -1) @ self.grid
        height = heat.amax(-1) * 0.2
        return torch.cat([where.reshape(-1, 2 * self.KEYPOINTS), height, self.sketch(features)], 1)


class PickCube(nn.Module):
    """State and pictures to waypoints, in the units of the manifest."""

    def __init__(self):
        super().__init__()
        self.overhead = Encoder()
        self.wrist = Encoder()
        self.head = nn.Sequential(
            nn.Linear(2 * Encoder.OUT + STATE, 384),
            nn.ReLU(),
            nn.Linear(384, 384),
            nn.ReLU(),
            nn.Linear(384, CHUNK * ACTION),
        )
        self.register_buffer("state_mean", torch.zeros(STATE))
        self.register_buffer("state_scale", torch.ones(STATE))
        self.register_buffer("action_mean", torch.zeros(CHUNK, ACTION))
        self.register_buffer("action_scale", torch.ones(CHUNK, ACTION))

    def features(self, state, overhead, wrist):
        state = (state - self.state_mean) * self.state_scale
        return torch.cat([self.overhead(overhead), self.wrist(wrist), state], 1)

    def normalised(self, features):
        """The output before it is brought to metres and radians: what the loss compares."""
        return self.head(features).reshape(-1, CHUNK, ACTION)

    def forward(self, state, overhead, wrist):
        features = self.features(state, overhead, wrist)
        return self.normalised(features) * self.action_scale + self.action_mean


class Finder(nn.Module):
    """Says where the cube is and how it is turned. Only there while learning: it makes the eyes look for the cube
    long before that pays off in the actions."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(2 * Encoder.OUT + STATE, 5)

    def forward(self, features):
        return self.head(features)
