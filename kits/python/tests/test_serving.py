"""The process, over its pipes."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest
from support import ENVIRONMENT, HELLO, KIT, RESET, TESTS, TICK, Process, disk, step


def serving(name: str) -> Process:
    process = Process("-m", "squall_raft", f"nodes.py:{name}")
    assert process.ask(HELLO)[0] == 0
    assert process.ask(RESET) == []
    assert process.ask([2, 1, disk()]) == []
    return process


def propose(command: str) -> list[Any]:
    return step(1, [3, 1, command.encode()])


def test_it_answers_until_its_input_ends() -> None:
    process = serving("Plain")
    for _ in range(100):
        assert process.ask(step(1, TICK)) == []
    assert process.end() == (0, b"", "")


def test_what_is_printed_goes_to_people_and_between_no_frames() -> None:
    process = serving("Clumsy")
    assert process.ask(propose("print")) == [[8, 1]]
    assert process.ask(step(1, TICK)) == []
    status, output, errors = process.end()
    assert (status, output) == (0, b"")
    assert "a line for people\n" in errors
    assert "and one around Python\n" in errors
    assert "and one without an end" in errors


def test_what_a_module_prints_when_it_is_imported_goes_to_people(tmp_path: Any) -> None:
    file = tmp_path / "chatty.py"
    file.write_text("from nodes import Plain as P\nprint('x' * 20_000)\nclass Chatty(P): pass\n")
    process = Process("-m", "squall_raft", f"{file}:Chatty")
    assert process.ask(HELLO)[1]["name"] == "chatty"
    status, output, errors = process.end()
    assert (status, output, len(errors)) == (0, b"", 20_001)


def test_it_goes_on_after_a_failure() -> None:
    process = serving("Clumsy")
    [[kind, text, file, _]] = process.ask(propose("exits"))
    assert (kind, text, file) == (22, "SystemExit: 3", "nodes.py")
    assert process.ask(RESET) == []
    assert process.ask([2, 1, disk()]) == []
    [[kind, text, *_]] = process.ask(propose("recurses"))
    assert (kind, text.partition(":")[0]) == (22, "RecursionError")
    assert process.ask(RESET) == []
    status, output, errors = process.end()
    assert (status, output) == (0, b"")
    assert "sys.exit(3)" in errors


def test_input_is_at_its_end_for_everybody_else() -> None:
    process = serving("Clumsy")
    assert process.ask(propose("reads_input")) == [[8, 1], [20, "''"]]
    assert process.end()[0] == 0


def test_an_interrupt_is_quiet() -> None:
    process = serving("Plain")
    process.child.send_signal(signal.SIGINT)
    assert process.ask(step(1, TICK)) == []
    assert process.end() == (0, b"", "")


def test_a_reader_that_is_gone_ends_it_quietly() -> None:
    process = serving("Plain")
    assert process.child.stdout is not None
    process.child.stdout.close()
    process.send(b"\x02\x00\x00\x00\x82\x04")
    status, _, errors = process.end()
    assert status == 2
    assert "cut short" in errors
    process = serving("Plain")
    assert process.child.stdout is not None
    process.child.stdout.close()
    process.send(b"\x03\x00\x00\x00\x82\x04\x01")
    assert process.child.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x01\x00", "within the length of a frame"),
        (b"\x05\x00\x00\x00abc", "within a frame"),
        (b"\x00\x00\x00\x00", "a frame of 0 bytes"),
        (b"\x01\x00\x00\x01", "a frame of 16777217 bytes"),
        (b"\x01\x00\x00\x00\xff", "float or simple value"),
        (b"\x02\x00\x00\x00\x81\x0a", "there is no request 10"),
    ],
)
def test_what_is_no_request_ends_it(data: bytes, message: str) -> None:
    process = serving("Plain")
    process.send(data)
    status, output, errors = process.end()
    assert (status, output) == (2, b"")
    assert errors.startswith("squall_raft: a request is not as the protocol has it: ")
    assert message in errors
    assert "Traceback" not in errors


def test_a_large_answer_arrives_whole() -> None:
    process = Process("-m", "squall_raft", "nodes.py:Recorder")
    process.ask(HELLO)
    process.ask(RESET)
    entries = [[1, 0, bytes(1000)]] * 1000
    [[_, noted]] = process.ask([2, 1, disk(entries=entries)])
    assert len(noted) > 4_000_000
    assert process.end() == (0, b"", "")


def test_a_class_that_cannot_be_served_is_told_why() -> None:
    process = Process("-m", "squall_raft", "nodes.py:Unfinished")
    status, output, errors = process.end()
    assert (status, output) == (2, b"")
    for method in ("tick", "deliver", "propose"):
        assert f"it has no method {method}" in errors
    assert "it has no method boot" not in errors
    assert "it supports 'ReadIndex', and has no method read" in errors


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nodes.py", "neither MODULE:CLASS nor"),
        ("missing.py:Raft", "no file 'missing.py'"),
        ("missing:Raft", "no module 'missing'"),
        ("nodes:Raft", "no class Raft that derives from squall_raft.Replica; there is Recorder"),
        ("nodes:random", "no class random"),
    ],
)
def test_a_class_that_is_not_there_is_told(target: str, message: str) -> None:
    status, output, errors = Process("-m", "squall_raft", target).end()
    assert (status, output) == (2, b"")
    assert message in errors
    assert "Traceback" not in errors


def test_a_module_that_fails_when_it_is_imported_is_told_as_python_does(tmp_path: Any) -> None:
    (tmp_path / "broken_module.py").write_text("import of_a_library_that_is_missing\n")
    target = f"{tmp_path / 'broken_module.py'}:Raft"
    status, output, errors = Process("-m", "squall_raft", target).end()
    assert (status, output) == (1, b"")
    assert "No module named 'of_a_library_that_is_missing'" in errors


def test_a_file_that_serves_itself_is_served(tmp_path: Any) -> None:
    process = Process(str(KIT / "examples" / "raft.py"))
    assert process.ask(HELLO)[1]["name"] == "raft"
    assert process.end() == (0, b"", "")


def test_at_a_terminal_it_says_how_it_is_run() -> None:
    pty = pytest.importorskip("pty")
    _, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "squall_raft", "nodes.py:Plain"],
        stdin=terminal,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=TESTS,
        check=False,
    )
    assert done.returncode == 2
    assert "squall sweep --command" in done.stderr


def test_what_makes_runs_unrepeatable_is_forbidden_where_a_class_asks_for_that() -> None:
    process = serving("Forbidding")
    for command, name in [("draws", "random.shuffle"), ("asks_for_the_time", "time.monotonic")]:
        [[kind, text, file, _]] = process.ask(propose(command))
        assert (kind, file) == (22, "nodes.py")
        assert text.startswith(f"NondeterminismError: a node must not call {name}; use ")
        assert process.ask([2, 1, disk()]) == []
    assert process.ask(propose("draws_from_a_seed")) == [[8, 1], [20, "0.6229016948897019"]]
    assert process.ask(propose("logs")) == [[8, 1]]
    status, _, errors = process.end()
    assert status == 0
    assert "the standard library may ask" in errors
