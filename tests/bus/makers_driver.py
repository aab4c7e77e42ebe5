"""Reads registers with the maker's own driver (PyPI: dynamixel-sdk), then writes some.

usage: makers_driver.py PTY ADDRESS:WIDTH:SIGNED ...

Prints one JSON object, servo id to a list of the registers' values in their order. Then writes, by
one sync write each, goal = what it holds + 10 and profile velocity = 200 + id to every servo.
"""

import json
import sys

from dynamixel_sdk import COMM_SUCCESS, GroupSyncWrite, PacketHandler, PortHandler

IDS = [1, 2, 3, 4, 5, 6]
GOAL, PROFILE_VELOCITY = 116, 112


def main(pty, registers):
    port, servos = PortHandler(pty), PacketHandler(2.0)
    assert port.openPort() and port.setBaudRate(1_000_000)
    read = {
        1: servos.read1ByteTxRx,
        2: servos.read2ByteTxRx,
        4: servos.read4ByteTxRx,
    }

    def value(servo, address, width, signed):
        found, result, error = read[width](port, servo, address)
        assert (result, error) == (COMM_SUCCESS, 0), (servo, address, result, error)
        top = 1 << (8 * width - 1)
        return found - 2 * top if signed and found >= top else found

    values = {
        servo: [value(servo, *map(int, register.split(":"))) for register in registers]
        for servo in IDS
    }
    goals = {servo: value(servo, GOAL, 4, 1) + 10 for servo in IDS}
    speeds = {servo: 200 + servo for servo in IDS}
    for address, what in [(GOAL, goals), (PROFILE_VELOCITY, speeds)]:
        group = GroupSyncWrite(port, servos, address, 4)
        for servo, number in what.items():
            assert group.addParam(servo, list(number.to_bytes(4, "little")))
        assert group.txPacket() == COMM_SUCCESS
    # Its answer says that the writes before it have been taken in.
    assert servos.ping(port, 1)[1] == COMM_SUCCESS
    port.closePort()
    print(json.dumps(values))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
