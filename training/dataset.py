"""Demonstrations as `surehand-collect collect` writes them: flat files, mapped, never copied.

A folder holds `meta.json` and, one record a sample: `overhead.u8` and `wrist.u8` (96 x 96 x 3),
`state.f32` (10), `action.f32` (16 x 5), `cube.f32` (5) and `episode.i32`.
"""

import json
from pathlib import Path

import numpy as np

from network import ACTION, CHUNK, SIDE, STATE


class Demonstrations:
    """All samples of one or more folders, addressed by one running index."""

    def __init__(self, folders):
        self.parts, self.metas = [], []
        first = 0
        for folder in map(Path, folders):
            meta = json.loads((folder / "meta.json").read_text())
            count = (folder / "episode.i32").stat().st_size // 4

            def column(name, dtype, shape):
                return np.memmap(folder / name, dtype=dtype, mode="r", shape=(count, *shape))

            self.parts.append(
                {
                    "first": first,
                    "overhead": column("overhead.u8", np.uint8, (SIDE, SIDE, 3)),
                    "wrist": column("wrist.u8", np.uint8, (SIDE, SIDE, 3)),
                    "state": column("state.f32", np.float32, (STATE,)),
                    "action": column("action.f32", np.float32, (CHUNK, ACTION)),
                    "cube": column("cube.f32", np.float32, (5,)),
                    "episode": column("episode.i32", np.int32, ()),
                }
            )
            self.metas.append(meta)
            first += count
        self.count = first
        self.state = np.concatenate([p["state"] for p in self.parts])
        self.action = np.concatenate([p["action"] for p in self.parts])
        self.cube = np.concatenate([p["cube"] for p in self.parts])
        self.episode = np.concatenate(
            [p["episode"].astype(np.int64) + (i << 32) for i, p in enumerate(self.parts)]
        )

    def split(self, share, seed):
        """Indices to learn from and to hold out; whole episodes are held out."""
        episodes = np.unique(self.episode)
        np.random.default_rng(seed).shuffle(episodes)
        held = episodes[: max(1, round(len(episodes) * share))]
        out = np.isin(self.episode, held)
        return np.flatnonzero(~out), np.flatnonzero(out)

    def images(self, indices, camera):
        """The pictures of `indices` as (n, 96, 96, 3) bytes."""
        batch = np.empty((len(indices), SIDE, SIDE, 3), np.uint8)
        for part in self.parts:
            inside = (indices >= part["first"]) & (
                indices < part["first"] + len(part["episode"])
            )
            batch[inside] = part[camera][indices[inside] - part["first"]]
        return batch
