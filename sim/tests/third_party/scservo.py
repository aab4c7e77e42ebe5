"""Drives the simulated arm with the vendor's own driver, unmodified (PyPI: feetech-servo-sdk).

usage: scservo.py PTY HTTP

Exits 0 when everything the driver can ask was answered as a real arm answers it.
"""

import json
import sys
import time
import urllib.request

from scservo_sdk import (
    COMM_RX_CORRUPT,
    COMM_RX_TIMEOUT,
    COMM_SUCCESS,
    GroupSyncRead,
    GroupSyncWrite,
    PacketHandler,
    PortHandler,
)

IDS = [1, 2, 3, 4, 5, 6]
TORQUE, GOAL, POSITION = 40, 42, 56
OVERLOAD = 0x20


def check(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, expected {wanted!r}")
    print(f"ok {what}")


def fault(http, body, method="POST"):
    data = json.dumps(body).encode() if body else None
    urllib.request.urlopen(
        urllib.request.Request(f"http://{http}/faults", data=data, method=method)
    ).read()


def main(pty, http):
    port = PortHandler(pty)
    check("open", port.openPort() and port.setBaudRate(1_000_000), True)
    servos = PacketHandler(0)

    for i in IDS:
        model, result, error = servos.ping(port, i)
        check(f"ping {i}", (model, result, error), (777, COMM_SUCCESS, 0))
    _, result, _ = servos.ping(port, 9)
    check("nobody at id 9", result, COMM_RX_TIMEOUT)

    here = {}
    for i in IDS:
        here[i], result, error = servos.read2ByteTxRx(port, i, POSITION)
        check(f"read {i}", (result, error), (COMM_SUCCESS, 0))
        check(f"position of {i} is a turn", 0 <= here[i] <= 4095, True)

    result, error = servos.write1ByteTxRx(port, 1, 41, 20)
    check("write", (result, error), (COMM_SUCCESS, 0))
    check("reads back", servos.read1ByteTxRx(port, 1, 41), (20, COMM_SUCCESS, 0))

    group = GroupSyncRead(port, servos, POSITION, 8)
    for i in IDS:
        group.addParam(i)
    check("sync read", group.txRxPacket(), COMM_SUCCESS)
    for i in IDS:
        check(f"sync read has {i}", group.isAvailable(i, POSITION, 2), True)
        near = abs(group.getData(i, POSITION, 2) - here[i]) < 20
        check(f"sync read of {i} agrees", near, True)

    group = GroupSyncWrite(port, servos, GOAL, 2)
    goals = {i: here[i] for i in IDS}
    goals[1] += 100
    for i in IDS:
        group.addParam(i, [goals[i] & 0xFF, goals[i] >> 8])
    check("sync write", group.txPacket(), COMM_SUCCESS)
    time.sleep(1.5)
    for i in IDS:
        check(f"goal of {i}", servos.read2ByteTxRx(port, i, GOAL)[0], goals[i])
        check(f"torque of {i}", servos.read1ByteTxRx(port, i, TORQUE)[0], 1)
    moved = servos.read2ByteTxRx(port, 1, POSITION)[0]
    check("the arm moved there", abs(moved - goals[1]) < 15, True)

    servos.regWriteTxRx(port, 1, GOAL, 2, [here[1] & 0xFF, here[1] >> 8])
    check("a staged goal waits", servos.read2ByteTxRx(port, 1, GOAL)[0], goals[1])
    servos.action(port, 1)
    check("an action acts", servos.read2ByteTxRx(port, 1, GOAL)[0], here[1])

    fault(http, {"fault": "overload", "id": 2})
    _, result, error = servos.ping(port, 2)
    check("error bit of an overload", (result, error), (COMM_SUCCESS, OVERLOAD))
    check("in words", servos.getRxPacketError(error), "[RxPacketError] Overload error!")
    servos.write1ByteTxRx(port, 2, TORQUE, 0)
    servos.write1ByteTxRx(port, 2, TORQUE, 1)
    check("cycling torque forgives it", servos.ping(port, 2)[2], 0)

    fault(http, {"fault": "corrupt", "rate": 1.0})
    _, result, _ = servos.read2ByteTxRx(port, 1, POSITION)
    check("a spoilt reply is noticed", result in (COMM_RX_CORRUPT, COMM_RX_TIMEOUT), True)
    fault(http, None, "DELETE")
    time.sleep(0.1)
    port.ser.reset_input_buffer()
    check("and then all is well", servos.ping(port, 1)[1:], (COMM_SUCCESS, 0))

    result, error = servos.write1ByteTxRx(port, 3, 5, 13)
    check("a new id", (result, error), (COMM_SUCCESS, 0))
    check("answers", servos.ping(port, 13)[1], COMM_SUCCESS)
    servos.write1ByteTxRx(port, 13, 5, 3)

    servos.write1ByteTxRx(port, 4, 6, 1)
    check("another baud rate is deaf", servos.ping(port, 4)[1], COMM_RX_TIMEOUT)
    port.setBaudRate(500_000)
    check("until the host follows", servos.ping(port, 4)[1], COMM_SUCCESS)
    port.closePort()


if __name__ == "__main__":
    main(*sys.argv[1:])
