"""Learns the pick-and-place policy from demonstrations, on a CPU.

    python train.py --data data/demos --out out/policy.pt --steps 1500

The figure that counts is success in closed loop (`surehand-collect evaluate`); the validation
loss printed here only tells whether learning works at all.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from dataset import Demonstrations
from network import CAMERAS, Encoder, Finder, PickCube


# Metres: about how far cubes lie apart.
CUBE_SPREAD = 0.06


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", required=True, help="folders of demonstrations")
    parser.add_argument("--out", required=True, help="checkpoint to write")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--finding", type=float, default=0.5, help="weight of finding the cube")
    parser.add_argument("--covered", type=float, default=0.15, help="share of covered cameras")
    parser.add_argument("--average", type=float, default=0.998, help="decay of averaged weights")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--bf16", action="store_true", help="convolve in bfloat16 (faster with AVX-512 BF16)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", help="checkpoint to go on from")
    return parser.parse_args()


class Noise:
    """Pixel noise cut anew from a sheet for every batch: drawing it would cost as much as a
    convolution."""

    def __init__(self, generator):
        self.sheet = torch.randn(1 << 23, generator=generator)
        self.generator = generator

    def like(self, x):
        start = torch.randint(len(self.sheet) - x.numel(), (1,), generator=self.generator)
        return self.sheet[start : start + x.numel()].reshape(x.shape)


def augment(images, noise, generator):
    """Bytes to 0..1 with another brightness, gain per colour and pixel noise for each picture."""
    x = plain(images)
    n = len(x)
    gain = 1.0 + 0.15 * torch.randn(n, 1, 1, 1, generator=generator).clamp_(-2, 2)
    tint = 1.0 + 0.05 * torch.randn(n, 3, 1, 1, generator=generator).clamp_(-2, 2)
    lift = 0.06 * torch.randn(n, 1, 1, 1, generator=generator).clamp_(-2, 2)
    grain = 0.02 * torch.rand(n, 1, 1, 1, generator=generator)
    return (x * (gain * tint) + lift + noise.like(x) * grain).clamp_(0.0, 1.0)


def plain(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255.0)


def fit_scales(model, data, indices):
    """Centre and scale of state and action, so that every output weighs about the same."""
    state, action = data.state[indices], data.action[indices]
    model.state_mean.copy_(torch.from_numpy(state.mean(0)))
    model.state_scale.copy_(torch.from_numpy(1.0 / (state.std(0) + 1e-3)))
    model.action_mean.copy_(torch.from_numpy(action.mean(0)))
    # One scale a quantity for early and late waypoints alike would drown the early ones, which
    # are the ones that are executed; a scale a waypoint weighs them equally.
    model.action_scale.copy_(torch.from_numpy(action.std(0) + 1e-4))


class Batch:
    """Samples as the model takes them, and what is asked of it."""

    def __init__(self, data, indices, prepare):
        self.state = torch.from_numpy(data.state[indices])
        self.action = torch.from_numpy(data.action[indices])
        self.cube = torch.from_numpy(data.cube[indices])
        self.pictures = [prepare(data.images(indices, camera)) for camera in CAMERAS]
        self.seeing = torch.ones(len(indices), dtype=torch.bool)

    def cover(self, share, generator):
        """Covers one camera or both in some samples. Whoever can't see stands still."""

        def rand(*shape):
            return torch.rand(*shape, generator=generator)

        count = len(self.state)
        covered = rand(count) < share
        which = rand(count)
        for picture, hit in zip(self.pictures, (which < 0.6, which > 0.4)):
            hit &= covered
            picture[hit] = rand(int(hit.sum()), 1, 1, 1) * 0.8 + picture[hit] * 0.02
        stand = torch.zeros_like(self.action)
        stand[:, :, 4] = (self.state[:, 5] + self.state[:, 6])[:, None]
        self.action = torch.where(covered[:, None, None], stand, self.action)
        self.seeing &= ~covered

    def features(self, model):
        return model.features(self.state, *self.pictures)


def loss_of(model, batch, features):
    """How far every action is off, in its scale."""
    target = (batch.action - model.action_mean) / model.action_scale
    return (model.normalised(features) - target).abs()


def lost(finder, batch, features):
    """How far off the cube is thought to be (in units of about its spread), and its turn."""
    features, cube = features[batch.seeing], batch.cube[batch.seeing]
    centre = torch.tensor([0.17, -0.06, 0.03, 0.0, 0.0])
    scale = torch.tensor([CUBE_SPREAD] * 3 + [1.0] * 2)
    return (finder(features) - (cube - centre) / scale).abs()


@torch.no_grad()
def validate(model, data, indices):
    """Mean absolute error of each action at the fourth waypoint, in its unit, and the loss."""
    model.eval()
    losses = []
    for chunk in np.array_split(indices, max(1, len(indices) // 256)):
        batch = Batch(data, chunk, plain)
        losses.append(loss_of(model, batch, batch.features(model)).mean(0) * len(chunk))
    model.train()
    mean = sum(losses) / len(indices)
    return (mean * model.action_scale)[3].tolist(), mean.mean().item()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    order = np.random.default_rng(args.seed)
    data = Demonstrations(args.data)
    learn, held = data.split(0.04, args.seed)
    held = order.permutation(held)[:1024]
    held.sort()
    print(f"{data.count} samples, {len(np.unique(data.episode))} episodes", flush=True)

    Encoder.half = args.bf16
    model = PickCube()
    if args.start:
        model.load_state_dict(torch.load(args.start, weights_only=True)["average"])
    else:
        fit_scales(model, data, learn)
    model = model.to(memory_format=torch.channels_last)
    average = {k: v.clone() for k, v in model.state_dict().items()}
    finder = Finder()
    weights = [*model.parameters(), *finder.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=args.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=args.rate, total_steps=args.steps, pct_start=0.15
    )

    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    recipe = vars(args) | {"samples": int(data.count), "demonstrations": data.metas}
    noise = Noise(generator)

    def prepare(images):
        return augment(images, noise, generator)

    began, running = time.monotonic(), None
    for step in range(1, args.steps + 1):
        batch = Batch(data, learn[order.integers(len(learn), size=args.batch)], prepare)
        batch.cover(args.covered, generator)
        features = batch.features(model)
        acting = loss_of(model, batch, features).mean()
        finding = lost(finder, batch, features).mean(0)
        loss = acting + args.finding * finding.mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        decay = min(args.average, step / (step + 10))
        with torch.no_grad():
            for key, value in model.state_dict().items():
                average[key].lerp_(value, 1.0 - decay)
        seen = np.array([acting.item(), finding[:3].mean().item(), finding[3:].mean().item()])
        running = seen if running is None else 0.98 * running + 0.02 * seen
        if step % 100 == 0 or step == args.steps:
            seconds = time.monotonic() - began
            line = {"step": step, "seconds": round(seconds, 1), "loss": round(running[0], 4)}
            line["cube_mm"] = round(running[1] * CUBE_SPREAD * 1000, 1)
            line["turn"] = round(running[2], 3)
            line["samples_per_second"] = round(step * args.batch / seconds)
            if step % 500 == 0 or step == args.steps:
                judge = PickCube()
                judge.load_state_dict(average)
                errors, line["held_out"] = validate(judge, data, held)
                line["error"] = [round(e, 5) for e in errors]
                torch.save({"average": average, "recipe": recipe}, out)
            print(json.dumps(line), flush=True)

    print(f"wrote {out}")


if __name__ == "__main__":
    main()
