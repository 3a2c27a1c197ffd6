#!/usr/bin/env python3
"""Measures what a step costs in which language, and writes the table of docs/protocol/speed.md.

    cargo build --release && python3 kits/speed.py [--seconds 10] [--record]

Steps are counted in wall time, for the work is shared between two processes. Needs a C compiler; rraft-py and libraft are
measured where they have been built (adapters/*/README.md), and left out otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SQUALL = ROOT / "target/release/squall"
TABLE = ROOT / "docs/protocol/speed.md"
BEGIN, END = "<!-- begin: python3 kits/speed.py --record -->", "<!-- end -->"


def compiled(name: str, source: Path, *flags: str) -> Path:
    """The program of a C source that uses the kit."""
    program = ROOT / "target" / name
    kit = ROOT / "kits/c"
    command = ["cc", "-std=c11", "-O2", f"-I{kit}", *flags, source, kit / "squall_raft.c", "-o", program]
    subprocess.run([str(word) for word in command], check=True)
    return program


def subjects() -> list[tuple[str, list[str]]]:
    """What is measured: in words, and as arguments of a sweep."""
    python = [sys.executable, "-m", "squall_raft"]
    example = ROOT / "kits/python/examples/raft.py:Raft"
    nothing = ROOT / "tests/process/nothing.c"

    def command(*words: object) -> list[str]:
        return ["--command", shlex.join(str(word) for word in words)]

    rows = [
        ("raft-rs, in process", ["--subject", "raft-rs"]),
        ("raftbare, in process", ["--subject", "raftbare"]),
        ("nothing, in C: every tick is sent", command(compiled("nothing", nothing))),
        ("nothing, in C: idle ticks are counted and not sent", command(compiled("nothing-idle", nothing, "-DIDLE"))),
        ("the example of the C kit", command(compiled("raft-in-c", ROOT / "kits/c/examples/raft.c"))),
        ("the example of the Python kit", command(*python, example)),
    ]
    libraft = ROOT / "adapters/c-raft/build/c-raft"
    if libraft.exists():
        rows.append(("libraft, in C", command(libraft)))
    rraft = ROOT / "adapters/rraft-py/build/venv/bin/python"
    if rraft.exists():
        rows.append(("rraft-py, in Python", command(rraft, ROOT / "adapters/rraft-py/rraft_node.py")))
    return rows


def steps_a_second(arguments: list[str], jobs: int, seconds: int) -> float:
    """Of a sweep of so many seconds, in wall time."""
    sweep = [SQUALL, "sweep", *arguments, "--for", f"{seconds}s", "-j", jobs, "--keep-going", "--no-shrink"]
    sweep += ["--no-page", "--out", ROOT / "target/speed", "--json", "-"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "kits/python/src")}
    words = [str(word) for word in sweep]
    # What does nothing breaks liveness in every run, which is no matter here.
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=False)
    summary = json.loads(done.stdout)
    return float(summary["steps"] / summary["wall_seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="of each sweep [default: 10]")
    parser.add_argument("--record", action="store_true", help=f"write the table into {TABLE.relative_to(ROOT)}")
    options = parser.parse_args()
    if not SQUALL.exists():
        sys.exit("target/release/squall is not there: cargo build --release")
    lines = ["| subject | one job | two jobs | beside raft-rs in process |", "| --- | ---: | ---: | ---: |"]
    print("\n".join(lines))
    bare = 0.0
    for words, arguments in subjects():
        one, two = (steps_a_second(arguments, jobs, options.seconds) for jobs in (1, 2))
        bare = bare or one
        lines.append(f"| {words} | {one:,.0f} | {two:,.0f} | {one / bare:.3f} |")
        print(lines[-1], flush=True)
    if options.record:
        text = TABLE.read_text()
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        TABLE.write_text("\n".join([before + BEGIN, *lines, END]) + after)


if __name__ == "__main__":
    main()
