#!/usr/bin/env python3
"""Makes of docs/protocol/vectors.json the table that vectors.c reads: of each vector its bytes, and
of each request what the recorder (recorder.h) is to say when it comes. That is made of the vectors'
items, and knows nothing of the kit.

    vectors.py VECTORS.json > vectors.inc
"""

import json
import sys


def words_of_bytes(item):
    plain = range(ord(" "), 127)
    data = bytes.fromhex(item["bytes"])
    return "".join(chr(byte) if byte in plain else f"\\x{byte:02x}" for byte in data)


def configuration(item):
    sets = [",".join(map(str, sorted(nodes))) for nodes in item[:4]]
    return "/".join([*sets, str(int(item[4]))])


def snapshot(item):
    return "none" if item is None else f"{item[0]} of {item[1]} {configuration(item[2])}"


def setting(item):
    if item is None:
        return "0:0:"
    if isinstance(item, bool):
        return f"1:{int(item)}:"
    if isinstance(item, str):
        return f"3:0:{item}"
    if isinstance(item, list):
        return f"4:{len(item)}:" + "".join(f"{number};" for number in item)
    # The kit has no type for a number below 0.
    return f"2:{item}:" if item >= 0 else "5:0:"


def change(item):
    steps = [f" {node}:{becomes}" for node, becomes in item[1]]
    return f"change {item[2]}" + "".join(steps)


INPUTS = {
    0: lambda i: "tick",
    1: lambda i: f"deliver {i[1]} {words_of_bytes(i[2])} snapshot {snapshot(i[3])}",
    2: lambda i: f"synced {i[1]} {int(i[2])}",
    3: lambda i: f"propose {i[1]} {words_of_bytes(i[2])}",
    4: lambda i: f"read {i[1]}",
    5: change,
    6: lambda i: f"transfer {i[1]}",
    7: lambda i: "campaign",
    8: lambda i: "request snapshot",
    9: lambda i: "ping",
    10: lambda i: f"set {i[1]} {setting(i[2])}",
    11: lambda i: f"unreachable {i[1]}",
    12: lambda i: f"snapshot sent {i[1]} {int(i[2])}",
    13: lambda i: f"compacted {i[1]} snapshot {snapshot(i[2])}",
    14: lambda i: f"waiting {i[1]}",
    15: lambda i: f"connected {i[1]}",
    16: lambda i: f"disconnected {i[1]}",
}


def reset(item):
    run = item[1]
    raft, driver = run["raft"], run["driver"]
    said = f"reset {run['seed']} of {','.join(map(str, run['nodes']))}"
    # The one option that vectors know is the first of vectors.c.
    said += f" options {int(run['options'] == ['compare-lengths']):x}"
    said += f" ticks {raft['election_ticks']} {raft['heartbeat_ticks']}"
    said += f" pre-vote {int(raft['pre_vote'])}"
    said += f" priorities {setting(raft['priorities'])}"
    return said + f" persistence {setting(driver['persistence'])}\n"


def boot(item):
    node, disk = item[1], item[2]
    said = f"boot {node}.{disk['incarnation']} of seed {disk['seed']} 7:"
    said += f" term {disk['term']} vote {disk['vote']} commit {disk['commit']}"
    said += f" {configuration(disk['configuration'])} snapshot {snapshot(disk['snapshot'])}"
    said += f" log from {disk['first']} after {disk['before']}"
    for index, (term, kind, data) in enumerate(disk["entries"], disk["first"]):
        said += f" {index}:{term}:{kind}:{words_of_bytes(data)}"
    return said + "\n"


def step(item):
    ticks = " tick" * item[3]
    inputs = "".join(" " + INPUTS[one[0]](one) for one in item[4])
    return f"{item[1]} at {item[2]}:{ticks}{inputs}\n"


def said(item):
    """What the recorder says of a request; None where the kit does not take such requests."""
    nothing = {0: "", 5: ""}
    told = {1: reset, 2: boot, 3: step, 4: lambda i: f"kill {i[1]}\n"}
    code = item[0]
    if code in range(6, 10):
        return None
    return nothing[code] if code in nothing else told[code](item)


def literal(text):
    if text is None:
        return "NULL"
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    escaped = [escapes.get(one, one) for one in text]
    lines = ["".join(escaped[at : at + 80]) for at in range(0, len(escaped), 80)]
    return "\n     ".join(f'"{line}"' for line in lines or [""])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    for vector in vectors:
        kind, about = vector["about"].split(": ", 1)
        node = vector["item"][1] if kind == "request" and vector["item"][0] in (2, 3, 4) else 0
        expected = said(vector["item"]) if kind == "request" else None
        is_known = "true" if kind != "request" or vector["item"][0] < 6 else "false"
        print(f"    {{{literal(kind)}, {literal(about)},\n     {literal(vector['hex'])},")
        print(f"     {node}, {is_known}, {literal(expected)}}},")


if __name__ == "__main__":
    main()
