"""Reads registers with rustypot (PyPI: rustypot), then writes some.

usage: rustypot_driver.py CONTROLLER PTY GOAL SPEED ADDRESS:WIDTH ...

Prints one JSON object, servo id to a list of the registers' values in their order, each decoded as
rustypot's own table says. Then writes, by one sync write each, goal = what it holds + 10 and speed =
200 + id to every servo. GOAL and SPEED are addresses, too.
"""

import json
import sys

import rustypot

IDS = [1, 2, 3, 4, 5, 6]


def main(controller, pty, goal, speed, registers):
    servos = getattr(rustypot, controller)(pty, 1_000_000, 0.2)
    names = {}
    for register in servos.registers():
        names.setdefault((register.addr, register.size), register.name)

    def named(address, width):
        assert (address, width) in names, f"rustypot has no register {address} of {width} bytes"
        return names[(address, width)]

    def name_at(address):
        return next(name for (found, _), name in names.items() if found == int(address))
    each = [named(*map(int, register.split(":"))) for register in registers]
    found = [servos.sync_read_register(IDS, name) for name in each]
    # One by one it must say the same.
    for name, values in zip(each, found):
        assert values == [servos.read_register(servo, name) for servo in IDS], name
    goals = servos.sync_read_register(IDS, name_at(goal))
    servos.sync_write_register(IDS, name_at(goal), [goal + 10 for goal in goals])
    servos.sync_write_register(IDS, name_at(speed), [200 + servo for servo in IDS])
    # Its answer says that the writes before it have been taken in.
    assert servos.ping(1)
    servos.close()
    print(json.dumps({servo: [values[at] for values in found] for at, servo in enumerate(IDS)}))


if __name__ == "__main__":
    main(*sys.argv[1:5], sys.argv[5:])
