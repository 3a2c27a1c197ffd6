"""A replica process that does nothing, or something wrong: what its argument says. Its process id
goes into the file that a second argument names, beside which another says when it hangs.

It speaks the frames of docs/protocol by hand, for what a kit would not let it do. Nodes do nothing:
no node ever stands for election.
"""

import os
import sys
import time

what = sys.argv[1] if len(sys.argv) > 1 else "nothing"
if len(sys.argv) > 2 and what == "removes-itself":
    os.remove(sys.argv[2])
elif len(sys.argv) > 2:
    with open(sys.argv[2], "w") as file:
        file.write(str(os.getpid()))
requests = os.fdopen(os.dup(0), "rb")
answers = os.fdopen(os.dup(1), "wb")


def cbor(item):
    def head(major, number):
        for size, code in ((1, 24), (2, 25), (4, 26), (8, 27)):
            if number < 24:
                return bytes([major << 5 | number])
            if number < 1 << 8 * size:
                return bytes([major << 5 | code]) + number.to_bytes(size, "big")

    if item is None or item is True or item is False:
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[item]
    if isinstance(item, int):
        return head(0, item)
    if isinstance(item, bytes):
        return head(2, len(item)) + item
    if isinstance(item, str):
        return head(3, len(item.encode())) + item.encode()
    if isinstance(item, dict):
        return head(5, len(item)) + b"".join(cbor(k) + cbor(v) for k, v in item.items())
    return head(4, len(item)) + b"".join(map(cbor, item))


def send(data):
    answers.write(len(data).to_bytes(4, "little") + data)
    answers.flush()


WELCOME = {"protocol": 1, "name": "nothing", "about": "does nothing"}
WELCOMES = {
    "speaks-version-2": {**WELCOME, "protocol": 2},
    "has-no-name": {**WELCOME, "name": ""},
    "has-a-long-name": {**WELCOME, "name": "My Raft"},
    "is-called-raft-rs": {**WELCOME, "name": "raft-rs"},
    "supports-flying": {**WELCOME, "supports": ["flying"]},
    "takes-batches-of-0": {**WELCOME, "batch": 0},
    "breaks-nothing-known": {
        **WELCOME,
        "known_issues": [{"name": "x", "about": "x", "breaks": ["physics"], "triggers": []}],
    },
    "has-an-unknown-trigger": {
        **WELCOME,
        "known_issues": [{"name": "x", "about": "x", "breaks": ["liveness"], "triggers": ["y"]}],
    },
}

# What is answered to the tenth step, as it is.
TENTH = {
    "answers-no-array": cbor({}),
    "answers-an-unknown-action": cbor([[99]]),
    "answers-half-an-action": cbor([[0, 1]]),
    "answers-too-much": cbor([]) + b"\x80",
    "answers-half-an-item": b"\x82\x00",
    "answers-nested-arrays": b"\x81" * 100_000,
    "answers-an-array-without-end": b"\x9f\xff",
    "writes-beyond-its-log": cbor([[1, 7, 1, 0, b"x"]]),
    "writes-at-index-0": cbor([[1, 0, 1, 0, b"x"]]),
    "writes-at-index-2-to-the-63": cbor([[1, 1 << 63, 1, 0, b"x"]]),
    "sends-to-itself": None,
    "empties-its-log-to-index-0": cbor([[3, 0]]),
    "votes-for-node-31": cbor([[0, 1, 31]]),
    "goes-by-node-31": cbor([[10, 1, [[1, 2, 31], [], [], [], False]]]),
    "hands-over-to-node-31": cbor([[13, 31]]),
    "waits-and-fails": cbor([[5, True, False], [22, "ValueError: after a sync"]]),
    "sends-to-node-31": cbor([[6, 31, 0, 1, 0, 0, b"", False]]),
    "sends-to-node-200": cbor([[6, 200, 0, 1, 0, 0, b"", False]]),
    "sends-an-unknown-kind": cbor([[6, 1, 99, 1, 0, 0, b"", False]]),
    "sends-no-snapshot": None,
    "applies-what-is-not-there": cbor([[9, 5, False]]),
    "saves-what-has-not-come": cbor([[16, 5]]),
    "installs-what-is-not-there": cbor([[17, 5]]),
    "refuses-what-nobody-asked": cbor([[11, 12345, 0]]),
    "confirms-what-nobody-asked": cbor([[12, 12345, 1]]),
    "has-an-unknown-role": cbor([[7, 9, 1]]),
    "fails": cbor([[22, "ValueError: no such thing", "my_raft.py", 17]]),
}

if what == "prints-and-ends":
    print("my_raft: no such option", file=sys.stderr)
    sys.exit(3)

idle_nodes = set()
steps = runs = 0
while True:
    length = requests.read(4)
    if len(length) < 4:
        break
    request = requests.read(int.from_bytes(length, "little"))
    code = request[1]
    answer = cbor([])
    if code == 0:
        answer = cbor([0, WELCOMES.get(what, WELCOME)])
    elif code == 1:
        steps = 0
        runs += 1
        idle_nodes.clear()
        print(f"run {runs} begins", file=sys.stderr)
        if b"snapshot-requests-ahead" in request:
            answer = cbor([[22, "an option that is not ours"]])
    elif code == 3:
        steps += 1
        node = request[2]
        if what in ("remembers", "fails-later") and steps == 60:
            answer = cbor([[22, "enough"]])
        if what == "remembers" and runs >= 50 and steps == 50:
            answer = cbor([[7, 1, 0]])
        if what == "remembers-soon" and runs >= 5 and steps == 50:
            answer = cbor([[7, 1, 0]])
        if what == "idles-falsely":
            # A tick alone, in the middle of what was said to be idle.
            if node in idle_nodes and request.endswith(b"\x00\x81\x81\x00"):
                answer = cbor([[7, 1, 0]])
            else:
                answer = cbor([[21, 30]])
                idle_nodes.add(node)
        # At a tick alone: what is sent for each message would never end.
        if what == "dies-in-describe" and node in (1, 2) and request.endswith(b"\x81\x81\x00"):
            # A pre-vote's answer says nothing that could be wrong.
            answer = cbor([[6, 3 - node, 7, 0, 0, 0, b"?", False]])
        if steps == 10:
            print("the tenth step", file=sys.stderr, flush=True)
            if what == "dies":
                os._exit(7)
            if what == "aborts":
                os.abort()
            if what == "hangs":
                if len(sys.argv) > 2:
                    open(sys.argv[2] + ".hangs", "w").close()
                time.sleep(3600)
            if what == "prints-on-standard-output":
                answers.write(b"a line of a log\n")
                answers.flush()
                continue
            if what == "says-too-long-a-frame":
                answers.write(b"\xff\xff\xff\xff")
                answers.flush()
                continue
            if what == "answers-twice":
                answers.write((len(answer).to_bytes(4, "little") + answer) * 2)
                answers.flush()
                continue
            if what == "prints-much":
                sys.stderr.write("a line of a log\n" * 100_000)
                os._exit(7)
            if what == "sends-half-a-frame":
                answers.write(b"\x0a\x00\x00\x00\x80")
                answers.flush()
                break
            if what == "sends-to-itself":
                answer = cbor([[6, node, 0, 1, 0, 0, b"", False]])
            elif what == "sends-no-snapshot":
                answer = cbor([[6, node % 2 + 1, 8, 1, 0, 0, b"", True]])
            else:
                answer = TENTH.get(what, answer)
    elif code == 5:
        if what == "dies-in-describe":
            print("no words for that", file=sys.stderr, flush=True)
            os._exit(9)
        answer = cbor(None)
    send(answer)
