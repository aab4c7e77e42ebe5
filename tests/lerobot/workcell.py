"""The simulated workcell for LeRobot's side: the arm, a person's hands, and a cell file for it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SURVEY = 0.05
GOAL_POSITION, SYNC_WRITE = 42, 0x83
# Inference as this Python has it: with its ONNX Runtime.
OURS = os.environ | {"VIRTUAL_ENV": sys.prefix}


class Workcell:
    """`surehand sim` with its files in `folder`, and what a person does to its arm."""

    def __init__(self, surehand, folder, scene=None, seed=5):
        self.surehand, self.folder, self.pty = str(surehand), Path(folder), Path(folder) / "arm"
        command = [self.surehand, "sim", "--json", "--pty", self.pty, "--seed", str(seed)]
        self.sim = subprocess.Popen(command + ([scene] if scene else []),
                                    stdout=subprocess.PIPE, text=True)
        self.http = json.loads(self.sim.stdout.readline())["http"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sim.terminate()
        self.sim.wait()
        self.sim.stdout.close()

    def ask(self, path, body=None):
        """What the simulator answers; `body` is posted."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"http://{self.http}{path}", data=data) as reply:
            return json.load(reply)

    def hands(self, act, **how):
        self.ask("/hands", {"hands": act, **how})

    def joints(self):
        """The truth about each joint, by its name."""
        return {joint["name"]: joint for joint in self.ask("/state")["joints"]}

    def turn(self, pose, patience=10):
        """Turns limp joints to `pose` (rad by name) and gives where they truly stand then."""
        for joint, to in pose.items():
            self.hands("turn", joint=joint, to=to)
        at = self.settled(patience)
        for joint, to in pose.items():
            if abs(at[joint] - to) > 0.03:
                raise SystemExit(f"{joint} can be turned to {at[joint]:.3f} rad, not to {to:.3f}")
        return at

    def settled(self, patience=10):
        """Where the joints stand, rad by name, once none has moved for a while."""
        until, before = time.monotonic() + patience, None
        while time.monotonic() < until:
            at = {name: joint["position"] for name, joint in self.joints().items()}
            if before and all(abs(at[name] - before[name]) < 2e-5 for name in at):
                return at
            before = at
            time.sleep(SURVEY)
        raise SystemExit("the arm does not come to a stand")

    def cell(self, name, jobs="", without=(), calibration=None):
        """`cells/<name>.toml` for this arm, with `jobs` in place of its own and `without` some of its
        tables; the path of the copy."""
        text = (ROOT / f"cells/{name}.toml").read_text()
        text = text[: text.index("[jobs.")]
        for table in without:
            head, _, tail = text.partition(f"\n[{table}]\n")
            _, _, rest = tail.partition("\n[")
            text = f"{head}\n[{rest}"
        lines = [line for line in text.splitlines() if not line.startswith("watchdog")]
        text = "\n".join(lines) + f"\n{jobs}"
        if calibration:
            lines = [f'calibration = "{calibration}"' if line.startswith("calibration =") else line
                     for line in text.splitlines()]
            text = "\n".join(lines) + "\n"
        # The rate of the scenes' servos, and the one that LeRobot speaks: at it a Dynamixel line has
        # no time for 200 rounds a second.
        text = re.sub(r"(?m)^baud = [\d_]+", "baud = 1_000_000", text)
        if 'kind = "dynamixel"' in text:
            text = re.sub(r"(?m)^rate_hz = \d+", "rate_hz = 100", text)
            # Koch's small servos have a supply of their own.
            supply = "[monitors]\nmin_voltage_v = 4.0\nmax_voltage_v = 13.0\n"
            text = text.replace("[monitors]\n", supply)
        text = text.replace("../urdf", f"{ROOT}/urdf")
        text = text.replace("../calibration", f"{ROOT}/calibration")
        text = text.replace("/tmp/surehand-arm", str(self.pty)).replace("127.0.0.1:8010", self.http)
        path = self.folder / "cell.toml"
        path.write_text(text)
        return path

    def run(self, *command, answers=None):
        """A command of ours to its end, which must be good; its lines of JSON."""
        ended = subprocess.run([self.surehand, *map(str, command), "--json"], input=answers,
                               capture_output=True, text=True, timeout=120, env=OURS)
        if ended.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))} gave {ended.returncode}: "
                             f"{ended.stdout}{ended.stderr}")
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def goals_while_running(self, cell, seconds):
        """Runs the cell's job and gives every goal the arm was sent in the first `seconds` of it,
        which begin on the way to its start pose: pairs of a time in seconds and the counts by servo
        id. A stop meanwhile is an error."""
        command = [self.surehand, "run", cell, "--json", "--socket", self.folder / "run", "--runs",
                   self.folder / "runs"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=OURS) as controller:
            since = None
            for line in controller.stdout:
                if json.loads(line).get("mode") == "running":
                    since = time.monotonic_ns()
                    time.sleep(seconds)
                    break
            status = self.run("status", "--socket", self.folder / "run")[0] if since else {}
            goals = self.goals(since) if since else []
            controller.send_signal(signal.SIGINT)
            controller.communicate(timeout=60)
        if status.get("mode") != "running":
            raise SystemExit(f"the job does not run: {status.get('cause')}")
        return goals

    def goals(self, since_ns):
        """Every goal on the wire since then."""
        goals = []
        for frame in self.ask(f"/wire?since_ns={since_ns}"):
            data = bytes.fromhex(frame["hex"])
            if frame["dir"] != "host" or len(data) < 8 or data[4] != SYNC_WRITE:
                continue
            address, width, body = data[5], data[6], data[7:-1]
            if not address <= GOAL_POSITION < address + width:
                continue
            at, row = GOAL_POSITION - address, {}
            for index in range(0, len(body), width + 1):
                row[body[index]] = int.from_bytes(body[index + 1 + at : index + 3 + at], "little")
            goals.append((frame["t_ns"] * 1e-9, row))
        return goals

    @contextlib.contextmanager
    def guard(self, cell):
        """Our guard on the arm, latched as it comes up; gives a function that asks it."""
        socket = self.folder / "guard"
        command = [self.surehand, "guard", cell, "--socket", socket]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as guard:
            def status():
                until = time.monotonic() + 20
                while guard.poll() is None and time.monotonic() < until:
                    asked = subprocess.run([self.surehand, "status", "--json", "--socket", socket],
                                           capture_output=True, text=True)
                    if asked.returncode == 0:
                        return json.loads(asked.stdout)
                    time.sleep(SURVEY)
                guard.kill()
                raise SystemExit(f"the guard does not come up: {guard.stderr.read()}")
            try:
                yield status
            finally:
                subprocess.run([self.surehand, "shutdown", "--socket", socket], capture_output=True)
                guard.communicate(timeout=30)
