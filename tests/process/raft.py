"""The example of the Python kit, and what its argument changes of what is asked and answered. What
comes after that goes to the file, or the folder, that a second argument names.

    takes-batches FILE      takes eight inputs in a step; the most that came is in FILE
    fails-where-asked FEATURE
                            supports it, and fails in every run whose plan has it
    takes-its-time          takes a tenth of a second of processor time to begin a run
    removes FILE RUNS       removes FILE when so many runs have begun
    stays                   goes on when nothing more is asked
    tells-...               has a state machine, which answers every command so
"""

import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "kits/python", folder) for folder in ("src", "examples")]

import raft  # noqa: E402
from squall_raft import cbor  # noqa: E402
from squall_raft.host import Host  # noqa: E402

what, *others = sys.argv[1:] or ["nothing"]

# What is answered to `perform`, as it is.
TOLD = {
    "tells-what-is-no-item": b"\xff",
    "tells-half-an-item": cbor.encode([1, 1])[:-1],
    "tells-too-much": cbor.encode([1, 1]) + b"\x00",
    "tells-a-text": cbor.encode("done"),
    "tells-nothing": cbor.encode([]),
    "tells-too-short-a-grant": cbor.encode([3, 1]),
    "tells-an-unknown-answer": cbor.encode([99]),
    "tells-a-number-below-0": cbor.encode([0, -1]),
    "tells-actions": cbor.encode([[7, 0, 1]]),
    "tells-bytes": cbor.encode(b"done"),
    "tells-of-a-failure": cbor.encode([[22, "KeyError: 3", "locks.py", 17]]),
}

requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
host, runs, most = Host(raft.Raft), 0, 0
while len(head := requests.read(4)) == 4:
    frame = requests.read(int.from_bytes(head, "little"))
    request = cbor.decode(frame)
    answer = host.handle(frame) if request[0] < 6 else cbor.encode(None)
    if request[0] == 0:
        welcome = cbor.decode(answer)
        if what == "takes-batches":
            welcome[1]["batch"] = 8
        if what == "fails-where-asked":
            welcome[1]["supports"] = [others[0]]
        welcome[1]["machine"] = what in TOLD
        answer = cbor.encode(welcome)
    elif request[0] == 1:
        runs += 1
        if what == "takes-its-time":
            until = time.process_time() + 0.1
            while time.process_time() < until:
                pass
        if what == "removes" and runs == int(others[1]):
            os.remove(others[0])
        if what == "fails-where-asked" and request[1]["raft"][others[0].replace("-", "_")]:
            answer = cbor.encode([[22, f"asked for {others[0]}"]])
    elif request[0] == 3 and what == "takes-batches" and len(request[4]) > most:
        most = len(request[4])
        with open(others[0], "w") as file:
            file.write(str(most))
    elif request[0] == 6:
        answer = TOLD[what]
    answers.write(len(answer).to_bytes(4, "little") + answer)
    answers.flush()
if what == "stays":
    time.sleep(3600)
