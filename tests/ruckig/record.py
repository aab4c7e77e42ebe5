"""Records trajectories of the C++ library ruckig for the limiter's test to be held against.

    pip install ruckig==0.19.4
    python tests/ruckig/record.py > tests/ruckig/trajectories.csv

Neither the build nor the test needs Python or ruckig: the recording is in the tree.

Each row is one joint: its limits, where it begins, where it goes, how long that takes, and where
it is at four times on the way. `stop` brakes to rest wherever that is; `step` goes to rest at
`target` in a frame that moves at `drift`, where the limits of speed are not the same both ways.
"""

import random

from ruckig import ControlInterface, InputParameter, Result, Ruckig, Trajectory

STOPS, STEPS = 120, 280
SHARES = (0.15, 0.4, 0.7, 0.95)


def limits(rng):
    velocity = rng.uniform(0.3, 6.0)
    acceleration = velocity / rng.uniform(0.05, 0.6)
    return velocity, acceleration, acceleration / 10 ** rng.uniform(-2.5, -0.7)


def state(rng, velocity, acceleration, jerk):
    """Inside the limits, and so that the speed stays inside when the acceleration is let go.

    At the very edge of that, rounding alone decides which way is found.
    """
    a = rng.choice([0.0, rng.uniform(-1, 1) * acceleration])
    most = velocity - a * a / (2 * jerk) * 1.001
    if most <= 0:
        return state(rng, velocity, acceleration, jerk)
    return rng.uniform(-1, 1), rng.choice([0.0, 1.0, -1.0, rng.uniform(-1, 1)]) * most, a


def row(rng, kind):
    velocity, acceleration, jerk = limits(rng)
    p, v, a = state(rng, velocity, acceleration, jerk)
    target = p + rng.choice([0.0, rng.uniform(-0.02, 0.02), rng.uniform(-3, 3)])
    drift = rng.choice([0.0, 0.0, rng.uniform(-0.9, 0.9) * velocity])
    ask = InputParameter(1)
    if kind == "stop":
        target, drift = 0.0, 0.0
        ask.control_interface = ControlInterface.Velocity
    else:
        ask.target_position = [target]
    ask.max_velocity, ask.min_velocity = [velocity - drift], [-velocity - drift]
    ask.max_acceleration, ask.max_jerk = [acceleration], [jerk]
    ask.current_position, ask.current_velocity, ask.current_acceleration = [p], [v - drift], [a]
    ask.target_velocity, ask.target_acceleration = [0.0], [0.0]
    found = Trajectory(1)
    if Ruckig(1).calculate(ask, found) != Result.Working:
        return row(rng, kind)
    numbers = [velocity, acceleration, jerk, p, v, a, target, drift, found.duration]
    for share in SHARES:
        at = share * found.duration
        numbers += [at, *(value[0] for value in found.at_time(at))]
    return ",".join([kind, *(f"{number:.12g}" for number in numbers)])


def main():
    rng = random.Random(19)
    at = ",".join(f"secs{i},position{i},velocity{i},acceleration{i}" for i in range(len(SHARES)))
    print("kind,max_velocity,max_acceleration,max_jerk,position,velocity,acceleration,"
          f"target,drift,duration,{at}")
    for kind, count in (("stop", STOPS), ("step", STEPS)):
        for _ in range(count):
            print(row(rng, kind))


main()
