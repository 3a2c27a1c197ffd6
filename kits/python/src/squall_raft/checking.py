"""Runs a sweep from a test. Knows Squall's command line, and nothing of frames."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from typing import Any

from .loading import from_here, root_and_module, target_of
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
    """The command that serves this class to Squall, quoted for a shell. It holds in the current
    folder, and needs nothing of this process."""
    target = target_of(replica_class)
    there = _another_python()
    kit = os.path.dirname(os.path.abspath(__file__))
    is_installed = there["kit"] is not None and os.path.samefile(there["kit"], kit)
    command = [sys.executable, *(["-m", "squall_raft"] if is_installed else [from_here(kit)])]
    known = {os.path.realpath(folder) for folder in there["path"]}
    known.add(os.path.realpath(sysconfig.get_path("scripts")))
    known.add(os.path.realpath(os.path.dirname(kit)))
    path, _, _ = target.rpartition(":")
    if path.endswith(".py"):
        known.add(os.path.realpath(root_and_module(path)[0]))
    for folder in sys.path:
        if os.path.exists(folder) and os.path.realpath(folder) not in known:
            known.add(os.path.realpath(folder))
            command += ["--path", from_here(folder)]
    return shlex.join([*command, target])


def _another_python() -> dict[str, Any]:
    """What another process would import modules from, and the kit."""
    code = (
        "import json, os, sys; from importlib.util import find_spec; kit = find_spec('squall_raft');"
        "kit = kit and kit.origin and os.path.dirname(kit.origin);"
        "print(json.dumps({'path': sys.path, 'kit': kit}))"
    )
    asked = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(asked.stdout)
    return found


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
