#!/usr/bin/env python3
"""Runs plans on raft-rs in process and on rraft-py by frames, and compares the digests of the runs.

Plans are drawn for raft-rs, as a sweep of the profile draws them, and their driver is then set to what both can do. A
digest has each input with its time, each write, sync, report, message and answer, in order. Where two differ, `squall
diff` and `squall replay --trace` of the plan show where.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
NODE = (HERE / "build" / "venv" / "bin" / "python", HERE / "rraft_node.py")
#: The driver of plans that are compared: others are of raft-rs's own driver alone.
PLAIN = {
    "persistence": "synchronous",
    "inputs_per_ready": 1,
    "apply_lag_us": 0,
    "snapshot_install_us": 0,
    "snapshot_build_us": 0,
    "fetch_us": 0,
    "acknowledge_newest": False,
    "read_context": "fresh",
}


class End(NamedTuple):
    """How a run ended."""

    steps: str
    #: The digest of a clean run.
    digest: str | None
    #: What a run that was not clean broke. Its text names the subject's own code.
    broken: str | None
    #: All that was printed, where it is neither.
    printed: str | None = None


class Squall:
    """The program."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._command = shlex.join(str(word) for word in NODE)

    def _run(self, *words: str) -> str:
        options = [*words, "--no-page"]
        command = [self._program, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout if "--json" in words else done.stdout + done.stderr

    def draw(self, profile: str, seed: int) -> dict[str, Any]:
        """The plan of a seed."""
        words = ["--seed", str(seed), "--profile", profile, "--subject", "raft-rs"]
        plan: dict[str, Any] = json.loads(self._run("replay", "--json", *words))["plan"]
        plan["driver"].update(PLAIN)
        plan["driver"].pop("own", None)
        return plan

    def compare(self, profile: str, folder: Path, seed: int) -> tuple[Path, End, End]:
        """The file of a seed's plan, and how it ends in process and by frames."""
        path = folder / f"{seed}.json"
        path.write_text(json.dumps(self.draw(profile, seed), indent=2), encoding="utf-8")
        return path, self.in_process(path), self.by_frames(path)

    def in_process(self, plan: Path) -> End:
        return _end(self._run("replay", str(plan), "--subject", "raft-rs"))

    def by_frames(self, plan: Path) -> End:
        words = ["--subject", "rraft-py", "--command", self._command]
        return _end(self._run("replay", str(plan), *words))


def _end(printed: str) -> End:
    clean = re.search(r"^clean: ([\d,]+) steps, .* digest (\w+)$", printed, re.MULTILINE)
    if clean:
        return End(clean[1], clean[2], None)
    broken = re.search(r"^VIOLATION ([\w-]+)", printed, re.MULTILINE)
    step = re.search(r"^ +at step ([\d,]+)", printed, re.MULTILINE)
    if broken and step:
        return End(step[1], None, broken[1])
    return End("", None, None, printed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--squall", default="squall", help="the program [default: squall]")
    parser.add_argument("--profile", action="append", required=True, help="may come again")
    parser.add_argument("--seeds", default="0..200", help="[default: 0..200]")
    parser.add_argument("--out", type=Path, help="keep the plans in this folder")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    seeds = range(*(int(seed) for seed in asked.seeds.split("..")))
    squall = Squall(asked.squall)
    out = asked.out or HERE / "build" / "plans"
    differ = 0
    for profile in asked.profile:
        folder = out / profile
        folder.mkdir(parents=True, exist_ok=True)

        with ThreadPoolExecutor(asked.jobs) as pool:
            ends = list(pool.map(partial(squall.compare, profile, folder), seeds))
        others = [
            (path, here, there) for path, here, there in ends if here != there or here.printed
        ]
        broken = sum(here.broken is not None for _, here, _ in ends)
        print(
            f"{profile}: {len(ends) - len(others)} of {len(ends)} alike, {broken} not clean in both"
        )
        for path, here, there in others:
            print(f"  {path}: in process {here}, by frames {there}")
        differ += len(others)
        sys.stdout.flush()
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
