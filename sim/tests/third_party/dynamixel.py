"""Drives simulated X series servos with the maker's own driver, unmodified (PyPI: dynamixel-sdk).

usage: dynamixel.py PTY HTTP

Exits 0 when everything the driver can ask was answered as real servos answer it.
"""

import json
import sys
import time
import urllib.request

from dynamixel_sdk import (
    COMM_RX_CORRUPT,
    COMM_RX_TIMEOUT,
    COMM_SUCCESS,
    GroupBulkRead,
    GroupBulkWrite,
    GroupSyncRead,
    GroupSyncWrite,
    PacketHandler,
    PortHandler,
)

IDS = [1, 2, 3, 4, 5, 6]
XL430, FIRMWARE = 1060, 45
MODE, TORQUE, LED, HARDWARE_ERROR, WATCHDOG = 11, 64, 65, 70, 98
VELOCITY, GOAL, POSITION = 112, 116, 132
ALERT, RANGE, LIMIT, ACCESS = 0x80, 4, 6, 7
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


def four(value):
    return list(value.to_bytes(4, "little"))


def main(pty, http):
    port = PortHandler(pty)
    check("open", port.openPort() and port.setBaudRate(1_000_000), True)
    servos = PacketHandler(2.0)

    for i in IDS:
        model, result, error = servos.ping(port, i)
        check(f"ping {i}", (model, result, error), (XL430, COMM_SUCCESS, 0))
    check("nobody at id 9", servos.ping(port, 9)[1], COMM_RX_TIMEOUT)
    found, result = servos.broadcastPing(port)
    check("ping to all", (found, result), ({i: [XL430, FIRMWARE] for i in IDS}, COMM_SUCCESS))

    here = {}
    for i in IDS:
        here[i], result, error = servos.read4ByteTxRx(port, i, POSITION)
        check(f"read {i}", (result, error), (COMM_SUCCESS, 0))
        check(f"position of {i} is a turn", 0 <= here[i] <= 4095, True)

    for fast in (False, True):
        group = GroupSyncRead(port, servos, 126, 10)
        for i in IDS:
            group.addParam(i)
        result = group.fastSyncRead() if fast else group.txRxPacket()
        check(f"sync read, fast {fast}", result, COMM_SUCCESS)
        for i in IDS:
            check(f"it has {i}", group.isAvailable(i, POSITION, 4), True)
            near = abs(group.getData(i, POSITION, 4) - here[i]) < 20
            check(f"and agrees on {i}", near, True)

    check("a read-only register", servos.write1ByteTxRx(port, 1, 146, 1), (COMM_SUCCESS, ACCESS))
    check("a goal out of range", servos.write4ByteTxRx(port, 1, GOAL, 4095), (COMM_SUCCESS, LIMIT))
    check("torque 2", servos.write1ByteTxRx(port, 1, TORQUE, 2), (COMM_SUCCESS, RANGE))

    group = GroupSyncWrite(port, servos, GOAL, 4)
    goals = dict(here)
    goals[1] += 100
    for i in IDS:
        group.addParam(i, four(goals[i]))
    check("sync write", group.txPacket(), COMM_SUCCESS)
    for i in IDS:
        check(f"a goal leaves {i} limp", servos.read1ByteTxRx(port, i, TORQUE)[0], 0)
        check(f"torque of {i}", servos.write1ByteTxRx(port, i, TORQUE, 1), (COMM_SUCCESS, 0))
    time.sleep(1.5)
    moved = servos.read4ByteTxRx(port, 1, POSITION)[0]
    check("the arm moved there", abs(moved - goals[1]) < 15, True)
    check("EEPROM is closed", servos.write1ByteTxRx(port, 1, MODE, 4), (COMM_SUCCESS, ACCESS))

    servos.regWriteTxRx(port, 1, GOAL, 4, four(here[1]))
    check("a staged goal waits", servos.read4ByteTxRx(port, 1, GOAL)[0], goals[1])
    # To all: the driver waits for no answer of a single servo, and would take it for the next.
    servos.action(port, 254)
    check("an action acts", servos.read4ByteTxRx(port, 1, GOAL)[0], here[1])

    group = GroupBulkWrite(port, servos)
    group.addParam(1, LED, 1, [1])
    group.addParam(2, VELOCITY, 4, four(77))
    check("bulk write", group.txPacket(), COMM_SUCCESS)
    group = GroupBulkRead(port, servos)
    group.addParam(1, LED, 1)
    group.addParam(2, VELOCITY, 4)
    check("bulk read", group.txRxPacket(), COMM_SUCCESS)
    check("LED", group.getData(1, LED, 1), 1)
    check("velocity", group.getData(2, VELOCITY, 4), 77)

    # What looks like a header is stuffed. The driver can take that out, but not put it in.
    tricky = [0xFF, 0xFF, 0xFD, 0x00]
    for at, byte in enumerate(tricky):
        servos.write1ByteTxRx(port, 1, 224 + at, byte)
    check("stuffing", servos.readTxRx(port, 1, 224, 4), (tricky, COMM_SUCCESS, 0))

    check("watchdog", servos.write1ByteTxRx(port, 1, WATCHDOG, 5), (COMM_SUCCESS, 0))
    time.sleep(0.3)
    check("it trips", servos.read1ByteTxRx(port, 1, WATCHDOG)[0], 0xFF)
    check("no goal then", servos.write4ByteTxRx(port, 1, GOAL, here[1]), (COMM_SUCCESS, RANGE))
    check("it is cleared", servos.write1ByteTxRx(port, 1, WATCHDOG, 0), (COMM_SUCCESS, 0))
    check("a goal again", servos.write4ByteTxRx(port, 1, GOAL, here[1]), (COMM_SUCCESS, 0))

    fault(http, {"fault": "overload", "id": 2})
    time.sleep(0.05)
    _, result, error = servos.ping(port, 2)
    check("an overload alerts", (result, error), (COMM_SUCCESS, ALERT))
    what = servos.read1ByteTxRx(port, 2, HARDWARE_ERROR)[0]
    check("and is named", what, OVERLOAD)
    check("it is limp", servos.read1ByteTxRx(port, 2, TORQUE)[0], 0)
    refused = servos.write1ByteTxRx(port, 2, TORQUE, 1)
    check("and stays so", refused, (COMM_SUCCESS, ALERT | ACCESS))
    check("reboot", servos.reboot(port, 2)[0], COMM_SUCCESS)
    time.sleep(0.1)
    check("it is well", servos.ping(port, 2)[1:], (COMM_SUCCESS, 0))
    check("and takes torque", servos.write1ByteTxRx(port, 2, TORQUE, 1), (COMM_SUCCESS, 0))

    fault(http, {"fault": "corrupt", "rate": 1.0})
    _, result, _ = servos.read4ByteTxRx(port, 1, POSITION)
    check("a spoilt reply is noticed", result in (COMM_RX_CORRUPT, COMM_RX_TIMEOUT), True)
    fault(http, None, "DELETE")
    time.sleep(0.1)
    port.ser.reset_input_buffer()
    check("and then all is well", servos.ping(port, 1)[1:], (COMM_SUCCESS, 0))

    servos.write1ByteTxRx(port, 3, TORQUE, 0)
    check("a new id", servos.write1ByteTxRx(port, 3, 7, 13), (COMM_SUCCESS, 0))
    check("answers", servos.ping(port, 13)[1], COMM_SUCCESS)
    check("factory reset", servos.factoryReset(port, 13, 0x02), (COMM_SUCCESS, 0))
    time.sleep(0.1)
    check("keeps id and rate", servos.ping(port, 13)[1], COMM_SUCCESS)
    servos.write1ByteTxRx(port, 4, TORQUE, 0)
    servos.write1ByteTxRx(port, 4, 8, 6)
    check("another baud rate is deaf", servos.ping(port, 4)[1], COMM_RX_TIMEOUT)
    port.setBaudRate(4_000_000)
    check("until the host follows", servos.ping(port, 4)[1], COMM_SUCCESS)
    port.closePort()


if __name__ == "__main__":
    main(*sys.argv[1:])
