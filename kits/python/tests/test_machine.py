"""State machines in the process: requests, answers, failures, and what becomes of each instance."""

from __future__ import annotations

from typing import Any

import pytest
from nodes import Plain, Register, WithRegister
from support import HELLO, RESET, TICK, Driver, disk, step, vectors

from squall_raft import Command, StateMachine, cbor
from squall_raft.host import MalformedRequest
from squall_raft.machine import (
    Acquire,
    Append,
    CompareAndSet,
    Delete,
    Differs,
    Done,
    Get,
    Granted,
    GuardedWrite,
    Held,
    NotHeld,
    Put,
    Release,
    Released,
    Renew,
    Revoke,
    Revoked,
    Stale,
    TryAcquire,
    Value,
    Waiting,
    Written,
    answer_of,
    mix,
    told,
)
from squall_raft.replica import missing_methods

MOST = 2**64 - 1
ITEMS = {about: item for about, _, item in vectors()}
OPERATIONS = {
    "get": Get(7),
    "put": Put(7, MOST),
    "compare and set": CompareAndSet(0, 3, 4),
    "compare and set, where there is no such key": CompareAndSet(0, None, 4),
    "append": Append(1, 2),
    "delete": Delete(255),
    "acquire": Acquire(3, 1_000_000),
    "try to acquire, until it is revoked": TryAcquire(3, MOST),
    "renew": Renew(3, 5, 1_000_000),
    "release": Release(3, 5),
    "write under the lock": GuardedWrite(3, 5),
    "revoke": Revoke(3, 5, 2, False),
    "revoke, renewed or not": Revoke(3, 5, 0, True),
}
ANSWERS = {
    "a value": Value(MOST),
    "no value": Value(None),
    "done": Done(3),
    "differs": Differs(4),
    "differs, as there is no such key": Differs(None),
    "granted": Granted(5, 1_500_000, 2_500_000),
    "granted until it is revoked": Granted(5, 0, MOST),
    "waiting": Waiting(),
    "held by another": Held(),
    "not held": NotHeld(),
    "released": Released(1_500_000),
    "written": Written(),
    "stale": Stale(),
    "revoked": Revoked(2**32 - 1),
}
#: `mix` of crates/world/src/hash.rs over these.
FOLD_OF_1_2_3 = 0xBF0842285A5545
GET, PUT = [0, 1], [1, 1, 10]


def perform(operation: Any, node: int = 1) -> list[Any]:
    return [6, node, [4, 1, 0, operation]]


def booted(machine: type[StateMachine]) -> Driver:
    driver = Driver(type("Node", (Plain,), {"machine": machine}))
    driver.ask([2, 1, disk()])
    return driver


def performing(perform: Any) -> Driver:
    """A node whose machine performs commands so."""
    return booted(type("Machine", (Register,), {"perform": lambda _, command: perform(command)}))


def test_each_operation_comes_as_its_class() -> None:
    seen: list[Command] = []

    def see(command: Command) -> Waiting:
        seen.append(command)
        return Waiting()

    driver = performing(see)
    for about, operation in OPERATIONS.items():
        request = ITEMS[f"request: perform, {about}"]
        assert driver.ask([6, 1, *request[2:]]) == [4]
        assert seen[-1] == Command(4, 17, 1_500_000, operation), about
        assert type(seen[-1].operation) is type(operation), about
    given = {about for about in ITEMS if about.startswith("request: perform, ")}
    assert given == {f"request: perform, {about}" for about in OPERATIONS}


def test_each_answer_is_as_its_vector() -> None:
    given = {about for about in ITEMS if about.startswith("answer: told, ")}
    assert given == {f"answer: told, {about}" for about in ANSWERS}
    for about, answer in ANSWERS.items():
        item = ITEMS[f"answer: told, {about}"]
        assert cbor.decode(told(answer)) == item, about
        assert answer.item() == item, about
        assert answer_of(item) == answer and type(answer_of(item)) is type(answer), about


def test_a_state_goes_from_node_to_node_and_a_read_changes_nothing() -> None:
    driver = Driver(WithRegister)
    for node in (1, 2):
        driver.ask([2, node, disk()])
    assert driver.ask(perform(PUT)) == [1, 1]
    assert driver.ask(perform(PUT, node=2)) == [1, 1], "each node has its own"
    assert driver.ask(perform(PUT)) == [1, 2]
    data = driver.ask([7, 1])
    assert data == b"2 10"
    assert driver.ask([8, 2, b"of another"]) is False
    assert driver.ask([9, 2, [4, 2, 0, GET]]) == [0, 10]
    assert driver.ask([8, 2, data]) is True
    assert driver.ask(perform([3, 1, 5], node=2)) == [1, 3]
    assert driver.ask([9, 2, [4, 2, 0, GET]]) == [0, mix(10, 5)]
    assert driver.ask([9, 1, [4, 2, 0, GET]]) == [0, 10]
    assert driver.ask([9, 1, [4, 2, 0, GET]]) == [0, 10]


def test_a_machine_is_as_old_as_its_node() -> None:
    driver = booted(Register)
    ends: list[Any] = [[4, 1], RESET, None]
    for end in ends:
        assert driver.ask(perform(PUT)) == [1, 1]
        if end is not None:
            assert driver.ask(end) == []
            with pytest.raises(MalformedRequest, match="not booted"):
                driver.ask(perform(GET))
        assert driver.ask([2, 1, disk()]) == []
        assert driver.ask(perform(GET)) == [0, None]


def test_hello_says_whether_there_are_machines() -> None:
    assert Driver(WithRegister).ask(HELLO)[1]["machine"] is True
    assert Driver(Plain).ask(HELLO)[1]["machine"] is False


def fails(*_: Any) -> Any:
    raise ValueError("a mistake")


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("perform", perform(GET)),
        ("snapshot", [7, 1]),
        ("restore", [8, 1, b""]),
        ("query", [9, 1, [4, 2, 0, GET]]),
    ],
)
def test_an_exception_is_a_failure_of_the_node(method: str, request_: Any, capsys: Any) -> None:
    machine = type("Machine", (Register,), {method: fails})
    driver = Driver(type("Node", (WithRegister,), {"machine": machine}))
    driver.ask([2, 1, disk()])
    failure = driver.ask(request_)
    [[kind, text, file, _]] = failure
    assert (kind, text, file) == (22, "ValueError: a mistake", "test_machine.py")
    assert "close 1" in capsys.readouterr().out
    assert driver.ask(request_) == failure
    assert driver.ask(step(1, TICK)) == failure
    assert driver.ask([2, 1, disk()]) == []
    assert driver.ask(step(1, TICK)) == []


def test_a_machine_that_cannot_be_made_is_a_failure() -> None:
    driver = Driver(type("Node", (Plain,), {"machine": fails}))
    [[kind, text, *_]] = driver.ask([2, 1, disk()])
    assert (kind, text) == (22, "ValueError: a mistake")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "TypeError: a command is answered with an Answer, not None"),
        ("done", "TypeError: a command is answered with an Answer, not 'done'"),
        (Granted, "TypeError: a command is answered with an Answer, not "),
        (Value(-1), "CborError: -1 is not an integer"),
        (Done(2**64), "CborError: 18446744073709551616 is not an integer"),
        (Released(None), "CborError: None is not an integer"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_answer_is_a_failure(answer: Any, text: str) -> None:
    [[kind, told_, *_]] = performing(lambda _: answer).ask(perform(GET))
    assert kind == 22
    assert told_.startswith(text)


@pytest.mark.parametrize(
    ("method", "returns", "request_", "text"),
    [
        ("snapshot", "text", [7, 1], "TypeError: a snapshot is bytes, not str"),
        ("restore", None, [8, 1, b""], "TypeError: restore returns whether it was one, not None"),
    ],
)
def test_what_is_no_snapshot_is_a_failure(
    method: str, returns: Any, request_: Any, text: str
) -> None:
    machine = type("Machine", (Register,), {method: lambda *_: returns})
    [[kind, told_, *_]] = booted(machine).ask(request_)
    assert (kind, told_) == (22, text)


@pytest.mark.parametrize(
    "request_",
    [
        [6, 1],
        [6, "n", [4, 1, 0, GET]],
        [6, 2, [4, 1, 0, GET]],
        [6, 1, [4, 1, GET]],
        [6, 1, [4, 1, 0, []]],
        [6, 1, [4, 1, 0, [11, 1]]],
        [6, 1, [4, 1, 0, ["get", 1]]],
        [6, 1, [4, 1, 0, [0]]],
        [6, 1, [4, 1, 0, [0, "k"]]],
        [6, 1, [b"", 1, 0, GET]],
        [7, 1, 2],
        [8, 1, "text"],
        [9, 1, 5],
    ],
)
def test_a_request_that_is_none_ends_it(request_: Any) -> None:
    driver = booted(Register)
    with pytest.raises(MalformedRequest):
        driver.ask(request_)


def test_methods_that_a_machine_lacks_are_told() -> None:
    machine = type("Half", (StateMachine,), {"perform": fails, "query": fails})
    lines = missing_methods(type("Node", (Plain,), {"machine": machine}))
    assert lines == [
        "its machine Half has no method snapshot",
        "its machine Half has no method restore",
    ]
    assert missing_methods(WithRegister) == []


def test_appends_are_folded_as_squall_folds_them() -> None:
    assert mix(0, 0) == 0xD1B54A32D192ED03
    assert mix(MOST, MOST) == 0xD1B54A32D192ED03
    fold = 0
    for value in (1, 2, 3):
        fold = mix(fold, value)
    assert fold == FOLD_OF_1_2_3
