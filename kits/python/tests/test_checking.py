"""`check`: with a program that stands in for Squall, and with Squall itself where the environment
variable SQUALL names it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from broken import ForgetVote, SendBeforePersist
from nodes import Clumsy, Plain
from raft import Raft
from support import ENVIRONMENT, HELLO, KIT, Process

from squall_raft import SquallError, check
from squall_raft.checking import command_of
from squall_raft.loading import NotFound

STAND_IN = """#!{python}
import json, os, signal, sys, time
arguments = sys.argv[1:]
with open(os.environ["STAND_IN_SAW"], "w") as file:
    json.dump(arguments, file)
with open(os.environ["STAND_IN_SAW"] + ".pid", "w") as file:
    file.write(str(os.getpid()))
does = os.environ["STAND_IN_DOES"]
if does == "wait":
    time.sleep(60)
with open(arguments[arguments.index("--json") + 1], "w") as file:
    json.dump({{"runs": 200}}, file)
if does == "violate":
    print("VIOLATION log-matching: two logs\\n\\npage  squall-out/x.html")
if does == "give up":
    print("it cannot be told", file=sys.stderr)
sys.exit({{"hold": 0, "violate": 1, "give up": 2}}[does])
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says what the program does; what it returns reads the arguments that the program saw."""
    program = tmp_path / "a folder" / "squall"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    saw = tmp_path / "saw.json"
    monkeypatch.setenv("SQUALL", str(program))
    monkeypatch.setenv("STAND_IN_SAW", str(saw))

    def does(what: str) -> Any:
        monkeypatch.setenv("STAND_IN_DOES", what)
        return lambda: json.loads(saw.read_text())

    return does


def test_a_clean_sweep_returns_its_summary(stand_in: Any, tmp_path: Path) -> None:
    seen = stand_in("hold")
    more = ["--keep-going"]
    assert check(Plain, range(5, 9), "storm", jobs=1, out="else where", arguments=more) == {
        "runs": 200
    }
    arguments = seen()
    options = dict(zip(arguments[1:-1:2], arguments[2:-1:2]))
    assert arguments[0] == "sweep"
    assert arguments[-1] == "--keep-going"
    assert options["--seeds"] == "5..9"
    assert options["--profile"] == "storm"
    assert options["--jobs"] == "1"
    assert options["--out"] == "else where"
    command = shlex.split(options["--command"])
    assert command[0] == sys.executable
    assert command[-1].endswith("nodes.py:Plain")
    assert not os.path.exists(options["--json"]), "nothing is left behind"


def test_seeds_are_a_number_a_range_or_text(stand_in: Any) -> None:
    seen = stand_in("hold")
    cases: list[tuple[int | range | str, str]] = [
        (30, "30"),
        (range(4), "0..4"),
        ("7..+2", "7..+2"),
    ]
    for seeds, told in cases:
        check(Plain, seeds)
        arguments = seen()
        assert arguments[arguments.index("--seeds") + 1] == told
        assert "--profile" not in arguments
    for none in (range(0), range(0, 10, 2)):
        with pytest.raises(ValueError, match="no range of seeds"):
            check(Plain, none)


def test_a_violation_is_an_assertion_that_says_what_squall_says(stand_in: Any) -> None:
    stand_in("violate")
    with pytest.raises(AssertionError) as caught:
        check(Plain)
    assert str(caught.value) == (
        "Plain fails\n\nVIOLATION log-matching: two logs\n\npage  squall-out/x.html"
    )


def test_no_verdict_is_another_error(stand_in: Any) -> None:
    stand_in("give up")
    with pytest.raises(SquallError, match="status 2\nit cannot be told"):
        check(Plain)


def test_a_program_that_is_missing_is_told_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SQUALL", raising=False)
    with pytest.raises(SquallError, match="cargo install --path .*variable SQUALL"):
        check(Plain)
    monkeypatch.setenv("SQUALL", "/nowhere/squall")
    with pytest.raises(SquallError, match="no program '/nowhere/squall'"):
        check(Plain)


def test_a_class_that_another_process_cannot_find_is_told(stand_in: Any) -> None:
    class Hidden(Plain):
        pass

    stand_in("hold")
    with pytest.raises(NotFound, match="at the top of its module"):
        check(Hidden)


def test_the_command_serves_the_class_whatever_folders_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "it's a 'folder'"
    folder.mkdir()
    (folder / "of_my_own.py").write_text("from helper_of_it import Mine as M\nclass Mine(M): pass")
    helpers = tmp_path / "helpers & more"
    helpers.mkdir()
    (helpers / "helper_of_it.py").write_text("from nodes import Plain\nclass Mine(Plain): pass")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.syspath_prepend(helpers)
    module: Any = __import__("of_my_own")
    _, *arguments = shlex.split(command_of(module.Mine))
    for environment in (None, {"PATH": os.environ["PATH"]}):
        process = Process(*arguments, folder=Path.cwd(), environment=environment)
        assert process.ask(HELLO)[1]["name"] == "mine"
        assert process.end() == (0, b"", "")


def test_the_command_names_no_folder_that_it_need_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_of_a_user.py").write_text("from nodes import Plain\nclass Mine(Plain): pass")
    (tmp_path / "installed").symlink_to(KIT / "src")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.chdir(tmp_path)
    module: Any = __import__("test_of_a_user")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "installed"), *sys.path[-3:]])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"))
    expected = [sys.executable, "-m", "squall_raft", "test_of_a_user.py:Mine"]
    assert shlex.split(command_of(module.Mine)) == expected


def test_an_interrupt_ends_the_sweep(stand_in: Any, tmp_path: Path) -> None:
    seen = stand_in("wait")
    code = "from nodes import Plain; from squall_raft import check; check(Plain)"
    environment = {**os.environ, "PYTHONPATH": ENVIRONMENT["PYTHONPATH"]}
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    pid_file = tmp_path / "saw.json.pid"
    deadline = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    summary = Path(seen()[seen().index("--json") + 1])
    assert summary.parent.is_dir()
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert not summary.parent.exists()


needs_squall = pytest.mark.skipif("SQUALL" not in os.environ, reason="SQUALL names no program")


@needs_squall
def test_the_example_holds(tmp_path: Path) -> None:
    summary = check(Raft, seeds=200, out=str(tmp_path))
    assert summary["runs"] == 200


@needs_squall
@pytest.mark.parametrize("broken", [SendBeforePersist, ForgetVote])
def test_each_broken_one_is_found(broken: Any, tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        check(broken, seeds=200, out=str(tmp_path))
    message = str(caught.value)
    assert message.startswith(f"{broken.__name__} fails\n\n")
    assert "VIOLATION ack-before-durable: " in message
    assert " replay " in message
    pages = [word for word in message.split() if word.endswith(".html")]
    assert pages
    assert all(Path(page).is_file() for page in pages)


class Failing(Clumsy):
    """Fails in its first tick."""

    def tick(self) -> None:
        raise ValueError("a mistake")


@needs_squall
def test_an_exception_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        check(Failing, seeds=20, out=str(tmp_path))
    message = str(caught.value)
    assert "VIOLATION no-panic" in message
    assert "ValueError: a mistake" in message
    assert "test_checking.py:" in message


def test_the_examples_are_as_short_as_they_say() -> None:
    assert len((KIT / "examples" / "raft.py").read_text().splitlines()) < 120
