"""Runs a sweep from a test. Knows Squall's command line, and nothing of frames."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from .loading import target_of
from .replica import Replica


class SquallError(RuntimeError):
    """The sweep did not come to a verdict, or there is no program to run it."""


def check(
    replica_class: type[Replica],
    seeds: int | range | str = 200,
    profile: str | None = None,
    *,
    jobs: int | None = None,
    out: str = "squall-out",
    arguments: Sequence[str] = (),
    program: str | None = None,
) -> dict[str, Any]:
    """Sweeps this class over seeds, and returns the summary of the sweep, as ``--json`` has it.

    ``seeds`` is a number, counted from 0, or a range, or what ``squall sweep --seeds`` takes.
    ``profile`` is what plans are drawn from, Squall's default where it is None. Plans and pages of
    failures go into the folder ``out``. ``arguments`` are more options of ``squall sweep``.
    The program is ``program``, else what the environment variable ``SQUALL`` names, else
    ``squall`` on the path.

    Raises ``AssertionError`` when a property is violated. Its message is the failure as
    ``squall sweep`` prints it: the property, how it came about, the command that reproduces it, and
    the path of the HTML page. Raises :class:`SquallError` when there is no verdict.
    """
    __tracebackhide__ = True
    with tempfile.TemporaryDirectory(prefix="squall-raft-") as folder:
        summary = os.path.join(folder, "summary.json")
        command = [_program(program), "sweep", "--command", command_of(replica_class)]
        command += ["--seeds", _seeds(seeds), "--json", summary, "--out", out, "--color", "never"]
        if profile is not None:
            command += ["--profile", profile]
        if jobs is not None:
            command += ["--jobs", str(jobs)]
        command += arguments
        status, printed, complaints = _run(command)
        if status == 1:
            raise AssertionError(f"{replica_class.__name__} fails\n\n{printed.strip()}")
        if status != 0:
            said = "\n".join(text.strip() for text in (printed, complaints) if text.strip())
            raise SquallError(f"`{shlex.join(command)}` ended with status {status}\n{said}")
        with open(summary, encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)
            return found


def command_of(replica_class: type[Replica]) -> str:
    """The command that serves this class to Squall, quoted for a shell."""
    command = [sys.executable, "-m", "squall_raft"]
    for folder in _folders_of_this_process():
        command += ["--path", folder]
    return shlex.join(command + [target_of(replica_class)])


def _folders_of_this_process() -> list[str]:
    """The folders that this process imports modules from, and another one would not."""
    there = subprocess.run(
        [sys.executable, "-c", "import json, sys; print(json.dumps(sys.path))"],
        stdout=subprocess.PIPE,
        check=True,
    )
    known = {os.path.abspath(folder) for folder in json.loads(there.stdout)}
    folders: list[str] = []
    for folder in map(os.path.abspath, sys.path):
        if folder not in known and folder not in folders and os.path.exists(folder):
            folders.append(folder)
    return folders


def _program(program: str | None) -> str:
    wanted = program or os.environ.get("SQUALL") or "squall"
    found = shutil.which(wanted)
    if found is None:
        raise SquallError(
            f"there is no program {wanted!r}. `cargo install --path .` in a clone of Squall puts "
            "`squall` on the path; or set the environment variable SQUALL to where it is"
        )
    return found


def _seeds(seeds: int | range | str) -> str:
    if isinstance(seeds, range):
        if seeds.step != 1 or not seeds:
            raise ValueError(f"{seeds} is no range of seeds: one by one, and at least one")
        return f"{seeds.start}..{seeds.stop}"
    return str(seeds)


def _run(command: list[str]) -> tuple[int, str, str]:
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        printed, complaints = child.communicate()
    except BaseException:
        # As by Ctrl-C. The processes that it started end with it: their standard input does.
        child.terminate()
        try:
            child.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
        raise
    return child.returncode, printed, complaints
