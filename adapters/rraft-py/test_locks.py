"""The lock service alone, against a table; it needs the kit and no Raft. `python -m pytest` runs it."""

from __future__ import annotations

import json

import pytest
from squall_raft.machine import (
    Acquire,
    Answer,
    Append,
    Command,
    CompareAndSet,
    Delete,
    Differs,
    Done,
    Get,
    Granted,
    GuardedWrite,
    Held,
    NotHeld,
    Operation,
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
    mix,
)

from broken_locks import BROKEN
from locks import NEVER, Locks

ACQUIRE, TRY, WITHOUT_END = Acquire(1, 100), TryAcquire(1, 100), Acquire(1, NEVER)

#: Client, time, what it asks for, what it is told.
Case = tuple[int, int, Operation, Answer]

TABLE: dict[str, list[Case]] = {
    "a lease ends by the latest time of any lock, and who waits has it from then on": [
        (1, 10, TRY, Granted(1, 10, 110)),
        (1, 20, TRY, Granted(1, 10, 110)),
        (2, 20, TRY, Held()),
        (2, 30, ACQUIRE, Waiting()),
        (2, 5, ACQUIRE, Waiting()),
        (3, 150, GuardedWrite(2, 0), Written()),
        (2, 0, ACQUIRE, Granted(2, 110, 210)),
        (1, 150, Renew(1, 1, 100), NotHeld()),
        (1, 150, Release(1, 1), NotHeld()),
    ],
    "a lease that ends now has ended": [
        (1, 10, TRY, Granted(1, 10, 110)),
        (2, 109, TRY, Held()),
        (2, 110, TRY, Granted(2, 110, 210)),
    ],
    "the line is first come first, and a lease may begin and end while nobody looks": [
        (1, 0, ACQUIRE, Granted(1, 0, 100)),
        (2, 1, Acquire(1, 50), Waiting()),
        (3, 2, ACQUIRE, Waiting()),
        (2, 3, ACQUIRE, Waiting()),
        (4, 4, ACQUIRE, Waiting()),
        (4, 160, ACQUIRE, Waiting()),
        (3, 160, TRY, Granted(3, 150, 250)),
        (2, 160, TRY, Held()),
        (3, 170, Release(1, 3), Released(170)),
        (4, 180, ACQUIRE, Granted(4, 170, 270)),
    ],
    "a renewal makes a lease longer and never shorter": [
        (1, 0, TRY, Granted(1, 0, 100)),
        (1, 50, Renew(1, 1, 100), Granted(1, 0, 150)),
        (1, 60, Renew(1, 1, 5), Granted(1, 0, 150)),
        (2, 60, Renew(1, 1, 100), NotHeld()),
        (1, 60, Renew(1, 2, 100), NotHeld()),
        (1, 150, Renew(1, 1, 100), NotHeld()),
    ],
    "who gives a lock back has to hold it, with that token": [
        (1, 0, TRY, Granted(1, 0, 100)),
        (2, 1, Release(1, 1), NotHeld()),
        (1, 1, Release(1, 0), NotHeld()),
        (1, 2, Release(1, 1), Released(2)),
        (1, 2, Release(1, 1), NotHeld()),
        (1, 2, TRY, Granted(2, 2, 102)),
    ],
    "a write is refused where a newer token has been seen, whoever holds the lock": [
        (1, 0, GuardedWrite(0, 2), Written()),
        (1, 0, GuardedWrite(0, 1), Stale()),
        (2, 0, GuardedWrite(0, 2), Written()),
        (1, 0, GuardedWrite(3, 1), Written()),
    ],
    "a lease without an end is revoked by who has seen its last renewal": [
        (1, 10, WITHOUT_END, Granted(1, 10, NEVER)),
        (2, 10, ACQUIRE, Waiting()),
        (1, 10, Renew(1, 1, NEVER), Granted(1, 10, NEVER)),
        (9, 20, Revoke(1, 1, 0, False), NotHeld()),
        (9, 20, Revoke(1, 2, 1, True), NotHeld()),
        (9, 20, Revoke(1, 1, 1, False), Revoked(1)),
        (1, 20, Release(1, 1), NotHeld()),
        (2, 20, ACQUIRE, Granted(2, 20, 120)),
        (9, 30, Revoke(1, 2, 7, True), Revoked(0)),
        (9, 30, Revoke(1, 2, 7, True), NotHeld()),
    ],
    "a renewal that ends is not counted": [
        (1, 0, ACQUIRE, Granted(1, 0, 100)),
        (1, 10, Renew(1, 1, 100), Granted(1, 0, 110)),
        (9, 10, Revoke(1, 1, 0, False), Revoked(0)),
    ],
    "locks are apart, and there are four": [
        (1, 0, Acquire(0, 100), Granted(1, 0, 100)),
        (2, 0, Acquire(3, 100), Granted(1, 0, 100)),
        (3, 0, TryAcquire(4, 100), Held()),
        (3, 0, TryAcquire(255, 100), Held()),
    ],
    "keys count their changes, and there are eight": [
        (1, 0, Get(3), Value(None)),
        (1, 0, Put(3, 7), Done(1)),
        (2, 0, Get(11), Value(7)),
        (1, 0, CompareAndSet(3, None, 8), Differs(7)),
        (1, 0, CompareAndSet(3, 7, 8), Done(2)),
        (1, 0, Append(3, 5), Done(3)),
        (1, 0, Get(3), Value(mix(8, 5))),
        (1, 0, Delete(3), Done(4)),
        (1, 0, Delete(3), Done(5)),
        (1, 0, CompareAndSet(3, 0, 1), Differs(None)),
        (1, 0, CompareAndSet(3, None, 0), Done(6)),
        (1, 0, Get(3), Value(0)),
        (1, 0, Append(4, 5), Done(1)),
        (1, 0, Get(4), Value(mix(0, 5))),
    ],
    "the time of a command on a key is of no concern": [
        (1, 0, TRY, Granted(1, 0, 100)),
        (2, 500, Put(0, 1), Done(1)),
        (2, 50, TRY, Held()),
    ],
}


def commands(name: str) -> list[tuple[Command, Answer]]:
    return [
        (Command(client, at, time_us, asked), told)
        for at, (client, time_us, asked, told) in enumerate(TABLE[name])
    ]


def moved(state: Locks, to: type[Locks] = Locks) -> Locks:
    """The state on another node."""
    copy = to()
    assert copy.restore(state.snapshot())
    return copy


def is_wrong(locks: type[Locks], name: str) -> bool:
    """Whether it fails this case: told otherwise, as it is or after snapshots, or when it is asked again."""
    state = locks()
    for command, told in commands(name):
        if (state.perform(command), state.perform(command)) != (told, told):
            return True
        state = moved(state, locks)
        if state.perform(command) != told:
            return True
    return False


@pytest.mark.parametrize("name", TABLE)
def test_each_case_is_told_as_the_table_has_it(name: str) -> None:
    state = Locks()
    for command, told in commands(name):
        assert state.perform(command) == told, command


@pytest.mark.parametrize("name", TABLE)
def test_neither_retries_nor_snapshots_make_a_difference(name: str) -> None:
    assert not is_wrong(Locks, name)


@pytest.mark.parametrize("broken", BROKEN)
def test_each_mistake_is_told_by_a_case(broken: str) -> None:
    assert any(is_wrong(BROKEN[broken], name) for name in TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_snapshot_of_what_was_restored_is_the_same(name: str) -> None:
    state = Locks()
    for command, _ in commands(name):
        state.perform(command)
        assert moved(state).snapshot() == state.snapshot()


def test_a_command_before_the_last_is_told_what_the_last_was() -> None:
    state = Locks()
    assert state.perform(Command(1, 5, 0, Put(0, 1))) == Done(1)
    assert state.perform(Command(1, 4, 0, Get(0))) == Done(1)
    assert state.perform(Command(2, 4, 0, Get(0))) == Value(1)


def test_a_read_changes_nothing() -> None:
    state = Locks()
    state.perform(Command(1, 0, 0, Put(0, 1)))
    before = state.snapshot()
    assert state.query(Command(1, 9, 999, Get(8))) == Value(1)
    assert state.snapshot() == before


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"{}", b"[]", b"[0, [], [], 5]", json.dumps([0, [5], [], []]).encode()]
)
def test_what_is_no_snapshot_is_not_taken_and_changes_nothing(data: bytes) -> None:
    state = Locks()
    state.perform(Command(1, 0, 0, Acquire(1, 100)))
    before = state.snapshot()
    assert not state.restore(data)
    assert state.snapshot() == before
