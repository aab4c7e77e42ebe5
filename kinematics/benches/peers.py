#!/usr/bin/env python3
"""Holds our inverse kinematics against other solvers on the same problems, in one run.

    cargo build --release && pip install numpy optik-py placo pin cmeel-eigen ssik eaik
    python kinematics/benches/peers.py [--problems 2000] [--seed 7]
    python kinematics/benches/peers.py --urdf ARM.urdf --base LINK --tip LINK --targets PROBLEMS.csv

Solvers whose package is missing, or that refuse an arm, are named as such. Every answer is judged by
this file's own forward kinematics: 1e-4 m, 1e-3 rad, limits to 1e-6. Each has 5 ms a problem and one
thread. A solver written in another language is called from Python, so its times hold a call: 1 to
5 us. Those that take one step at a time (placo, pin) are iterated here, with restarts.
"""

import argparse
import csv
import importlib.metadata
import importlib.util
import math
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 0.005
POSITION, ANGLE, RANGE = 1e-4, 1e-3, 1e-6


class Arm:
    """A serial chain as its URDF has it: what answers are judged with."""

    def __init__(self, urdf, base, tip):
        self.urdf, self.base, self.tip = urdf, base, tip
        joints = {j.find("child").get("link"): j for j in xml.parse(urdf).iter("joint")}
        chain, link = [], tip
        while link != base:
            joint = joints[link]
            chain.insert(0, joint)
            link = joint.find("parent").get("link")
        self.joints = [(placed(j), *moved(j)) for j in chain]
        limits = [j.find("limit") for j in chain if j.get("type") != "fixed"]
        self.lower = np.array([float(it.get("lower")) for it in limits])
        self.upper = np.array([float(it.get("upper")) for it in limits])
        self.names = [j.get("name") for j in chain if j.get("type") != "fixed"]

    def pose(self, joints):
        """4x4 of the tip in the base."""
        pose, values = np.eye(4), iter(joints)
        for origin, kind, axis in self.joints:
            pose = pose @ origin
            if kind == "prismatic":
                pose[:3, 3] += pose[:3, :3] @ axis * next(values)
            elif kind != "fixed":
                pose[:3, :3] = pose[:3, :3] @ turn(axis, next(values))
        return pose

    def axes(self):
        """Direction and place of each joint at 0, base frame, and the tip's place."""
        pose, directions, places = np.eye(4), [], []
        for origin, kind, axis in self.joints:
            pose = pose @ origin
            if kind != "fixed":
                directions.append(pose[:3, :3] @ axis)
                places.append(pose[:3, 3])
        return np.array(directions), np.array(places), pose

    def solved(self, joints, target):
        if joints is None:
            return False
        joints = np.asarray(joints, float)
        inside = np.all(joints >= self.lower - RANGE) and np.all(joints <= self.upper + RANGE)
        pose = self.pose(joints)
        way = np.linalg.norm(pose[:3, 3] - target[:3, 3])
        across = pose[:3, :3].T @ target[:3, :3]
        sine = np.array([across[2, 1] - across[1, 2], across[0, 2] - across[2, 0],
                         across[1, 0] - across[0, 1]])
        angle = math.atan2(np.linalg.norm(sine), np.trace(across) - 1.0)
        return bool(inside and way <= POSITION and angle <= ANGLE)

    def wrapped(self, joints):
        """Whole turns added where that brings a joint inside its limits."""
        turns = np.ceil((self.lower - joints) / (2 * math.pi)) * 2 * math.pi
        return joints + np.where((joints < self.lower) | (joints > self.upper), turns, 0.0)


def numbers(element, name, usual):
    text = element.get(name) if element is not None else None
    return np.array([float(it) for it in (text or usual).split()])


def placed(joint):
    origin = joint.find("origin")
    pose = np.eye(4)
    roll, pitch, yaw = numbers(origin, "rpy", "0 0 0")
    pose[:3, :3] = (turn(np.array([0, 0, 1.0]), yaw) @ turn(np.array([0, 1.0, 0]), pitch)
                    @ turn(np.array([1.0, 0, 0]), roll))
    pose[:3, 3] = numbers(origin, "xyz", "0 0 0")
    return pose


def moved(joint):
    axis = numbers(joint.find("axis"), "xyz", "1 0 0")
    return joint.get("type"), axis / np.linalg.norm(axis)


def turn(axis, angle):
    """Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def of_quaternion(x, y, z, w):
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])


def problems(table):
    """Starts and 4x4 targets."""
    starts, targets = [], []
    with open(table, newline="") as file:
        for row in csv.DictReader(file):
            seeds = [name for name in row if name.startswith("seed")]
            starts.append(np.array([float(row[name]) for name in seeds]))
            target = np.eye(4)
            target[:3, :3] = of_quaternion(*(float(row[name]) for name in ("qx", "qy", "qz", "qw")))
            target[:3, 3] = [float(row[name]) for name in "xyz"]
            targets.append(target)
    return starts, targets


class Refused(Exception):
    """The solver does not do this arm."""


def optik(arm, _draw):
    from optik import Robot, SolverConfig
    robot = Robot.from_urdf_file(str(arm.urdf), arm.base, arm.tip)
    robot.set_parallelism(1)
    config = SolverConfig(max_time=LIMIT, tol_f=1e-12)

    def solve(start, target):
        return robot.ik(config, target, start)
    return solve, lambda answer: answer[0] if answer else None


def ssik(arm, _draw):
    """Its quick way: a module built for the arm."""
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "arm_ik.py"
        command = [Path(sys.executable).parent / "ssik", "build", arm.urdf, "--base", arm.base,
                   "--ee", arm.tip, "--out", module, "--no-validate"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise Refused(error.stderr.splitlines()[-1]) from error
        spec = importlib.util.spec_from_file_location(f"ssik_{arm.urdf.stem}", module)
        solver = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(solver)

    def solve(start, target):
        return solver.solve(target, max_solutions=1, q_seed=start)
    return solve, lambda answers: answers[0].q if answers else None


def eaik(arm, _draw):
    from eaik.IK_HP import HPRobot
    directions, places, tip = arm.axes()
    between = np.vstack([places[:1], np.diff(places, axis=0), tip[None, :3, 3] - places[-1:]])
    try:
        robot = HPRobot(directions, between)
    except Exception as error:
        raise Refused(str(error).splitlines()[0]) from error
    if not robot.hasKnownDecomposition():
        raise Refused("no known decomposition")
    # It counts the tool's rotation from that at zero.
    back = np.eye(4)
    back[:3, :3] = tip[:3, :3].T

    def choose(answers):
        for joints, nearly in zip(answers.Q, answers.is_LS):
            joints = arm.wrapped(np.asarray(joints))
            if not nearly and np.all(joints >= arm.lower) and np.all(joints <= arm.upper):
                return joints
        return None
    return lambda _start, target: robot.IK(target @ back), choose


def restarted(arm, draw, begin, step):
    """Steps until there, from elsewhere when 100 did not lead there, until the time is up."""
    def solve(start, target):
        until = time.perf_counter() + LIMIT
        while True:
            begin(start, target)
            for _ in range(100):
                joints, left = step()
                if left < 1e-5:
                    if np.all(joints >= arm.lower) and np.all(joints <= arm.upper):
                        return joints
                    break
                if time.perf_counter() > until:
                    return None
            start = draw()
    return solve, lambda joints: joints


def placo(arm, draw):
    import placo
    robot = placo.RobotWrapper(str(arm.urdf), placo.Flags.ignore_collisions)
    solver = placo.KinematicsSolver(robot)
    solver.mask_fbase(True)
    solver.enable_joint_limits(True)
    task = solver.add_frame_task(arm.tip, np.eye(4))
    task.configure(arm.tip, "soft", 1.0, 1.0)

    def begin(start, target):
        for name, position in zip(arm.names, start):
            robot.set_joint(name, position)
        robot.update_kinematics()
        task.T_world_frame = target

    def step():
        try:
            solver.solve(True)
        except RuntimeError:
            return np.full(len(arm.names), np.nan), 0.0
        robot.update_kinematics()
        left = task.position().error_norm() + task.orientation().error_norm()
        return np.array([robot.get_joint(name) for name in arm.names]), left
    return restarted(arm, draw, begin, step)


def pin(arm, draw):
    import pinocchio
    model = pinocchio.buildModelFromUrdf(str(arm.urdf))
    data = model.createData()
    tip = model.getFrameId(arm.tip)
    state = {}

    def begin(start, target):
        state["joints"] = start.copy()
        state["target"] = pinocchio.SE3(target)

    def step():
        joints = state["joints"]
        pinocchio.framesForwardKinematics(model, data, joints)
        here = data.oMf[tip]
        error = pinocchio.log6(here.actInv(state["target"])).vector
        jacobian = pinocchio.computeFrameJacobian(model, data, joints, tip)
        normal = jacobian @ jacobian.T + 1e-6 * np.eye(6)
        joints = joints + jacobian.T @ np.linalg.solve(normal, error)
        state["joints"] = np.clip(joints, arm.lower, arm.upper)
        return joints if np.linalg.norm(error) >= 1e-5 else state["joints"], np.linalg.norm(error)
    return restarted(arm, draw, begin, step)


SOLVERS = [("optik-py", optik), ("eaik", eaik), ("ssik", ssik), ("placo", placo), ("pin", pin)]


def measured(arm, starts, targets, solve, choose):
    """Share solved, and microseconds of each: the shorter of two tries where the first was quick.
    `choose`, the joints out of what a solver gives, is not timed."""
    times, good = [], 0
    for start, target in zip(starts, targets):
        nanos = math.inf
        for _ in range(2):
            begun = time.perf_counter_ns()
            answer = solve(start, target)
            nanos = min(nanos, time.perf_counter_ns() - begun)
            if nanos > 1_000_000:
                break
        good += arm.solved(choose(answer), target)
        times.append(nanos / 1000)
    return good / len(targets), np.array(times)


def ours(arm, binary, table, targets):
    """As `surehand ik` says itself, which times each solve alone; judged here as the others are."""
    command = [binary, "ik", "--urdf", arm.urdf, "--base", arm.base, "--tip", arm.tip,
               "--targets", table]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    good, times = 0, []
    for row, target in zip(csv.DictReader(lines), targets):
        joints = [float(row[f"q{index}"]) for index in range(len(arm.names))]
        good += arm.solved(joints, target)
        times.append(float(row["micros"]))
    return good / len(targets), np.array(times)


FORWARD = r"""
#include <pinocchio/parsers/urdf.hpp>
#include <pinocchio/algorithm/joint-configuration.hpp>
#include <pinocchio/algorithm/jacobian.hpp>
#include <pinocchio/algorithm/frames.hpp>
#include <chrono>
#include <cstdio>
int main(int, char **argv) {
  pinocchio::Model model;
  pinocchio::urdf::buildModel(argv[1], model);
  pinocchio::Data data(model);
  const auto tip = model.getFrameId(argv[2]);
  std::vector<Eigen::VectorXd> joints;
  for (int i = 0; i < 256; i++) joints.push_back(pinocchio::randomConfiguration(model));
  Eigen::Matrix<double, 6, Eigen::Dynamic> jacobian(6, model.nv);
  jacobian.setZero();
  double best = 1e9, sum = 0;
  for (int round = 0; round < 200; round++) {
    const auto begun = std::chrono::steady_clock::now();
    for (const auto &q : joints) {
      pinocchio::computeJointJacobians(model, data, q);
      pinocchio::updateFramePlacement(model, data, tip);
      pinocchio::getFrameJacobian(model, data, tip, pinocchio::LOCAL_WORLD_ALIGNED, jacobian);
      sum += jacobian(0, 0);
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begun;
    best = std::min(best, took.count() / joints.size());
  }
  std::printf("%.0f %f\n", best, sum);
}
"""


def pinocchio_forward(folder):
    """A program that times pinocchio's forward kinematics and Jacobian, or None."""
    try:
        import pinocchio
        prefix = Path(pinocchio.__file__).parents[4]
        source, program = folder / "forward.cpp", folder / "forward"
        source.write_text(FORWARD)
        libraries = [f"-l{name}" for name in ("pinocchio_default", "pinocchio_parsers")]
        subprocess.run(["g++", "-O3", "-DNDEBUG", "-march=native", "-std=c++17", source, "-o", program,
                        f"-I{prefix}/include", f"-I{prefix}/include/eigen3",
                        "-I/usr/include/eigen3", f"-L{prefix}/lib", *libraries,
                        f"-Wl,-rpath,{prefix}/lib", f"-Wl,-rpath-link,{prefix}/lib"],
                       check=True, capture_output=True, text=True)
        return program
    except (ImportError, OSError, subprocess.CalledProcessError) as error:
        print(f"pinocchio's forward kinematics is not timed: {said(error)}", file=sys.stderr)
        return None


def said(error):
    text = getattr(error, "stderr", None) or str(error)
    lines = [line for line in text.splitlines() if "error" in line.lower()] or text.splitlines()
    return lines[0] if lines else "no reason given"


def our_forward():
    """Nanoseconds of ours by arm, as examples/measure prints them."""
    command = ["cargo", "run", "--release", "--quiet", "-p", "surehand-kinematics", "--example",
               "measure", "--", "200", "7"]
    text = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    rows = [line.split() for line in text.splitlines()[1:]]
    return {row[0]: float(row[row.index("build") - 1]) for row in rows}


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def arms(options, folder):
    if options.urdf:
        yield options.urdf.stem, Arm(options.urdf, options.base, options.tip), options.targets
        return
    subprocess.run(["cargo", "run", "--release", "--quiet", "-p", "surehand-kinematics",
                    "--example", "problems", "--", folder, str(options.problems),
                    str(options.seed)], check=True, cwd=ROOT)
    for name in ("so101", "ur5e", "panda", "iiwa"):
        yield name, Arm(folder / f"{name}.urdf", "base", "tip"), folder / f"{name}.csv"


def line(name, solver, share, times):
    p50, p99, p999 = np.percentile(times, [50, 99, 99.9])
    print(f"{name:8} {solver:18} {100 * share:9.3f} {p50:9.1f} {p99:9.1f} {p999:9.1f} "
          f"{times.max():9.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--urdf", type=Path)
    parser.add_argument("--base", default="base")
    parser.add_argument("--tip", default="tip")
    parser.add_argument("--targets", type=Path)
    parser.add_argument("--surehand", type=Path, default=ROOT / "target/release/surehand")
    options = parser.parse_args()
    if options.urdf and not options.targets:
        parser.error("--urdf needs --targets, a table as `surehand ik` reads it")
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder))


def compare(options, folder):
    draw = np.random.default_rng(options.seed)
    forward = []
    program = pinocchio_forward(folder)
    print(f"{'arm':8} {'solver':18} {'solved %':>9} {'p50 us':>9} {'p99':>9} {'p99.9':>9} "
          f"{'max':>9}")
    for name, arm, table in arms(options, folder):
        starts, targets = problems(table)
        line(name, "surehand", *ours(arm, options.surehand, table, targets))
        for package, make in SOLVERS:
            installed = version(package)
            label = f"{package} {installed or ''}".strip()
            if not installed:
                print(f"{name:8} {label:18} not installed")
                continue
            try:
                solver = make(arm, lambda: draw.uniform(arm.lower, arm.upper))
                line(name, label, *measured(arm, starts, targets, *solver))
            except Refused as reason:
                print(f"{name:8} {label:18} refuses it: {reason}")
        if program:
            took = subprocess.run([program, arm.urdf, arm.tip], check=True, capture_output=True,
                                  text=True).stdout.split()[0]
            forward.append((name, float(took)))
    if forward and not options.urdf:
        mine = our_forward()
        print("\nforward kinematics and Jacobian, ns")
        for name, theirs in forward:
            print(f"{name:8} surehand {mine[name]:4.0f}  pinocchio {theirs:4.0f}  "
                  f"ratio {mine[name] / theirs:.2f}")


if __name__ == "__main__":
    main()
