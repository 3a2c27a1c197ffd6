"""Classes that the tests serve. They are no Rafts."""

from __future__ import annotations

import os
import random
import sys
import time
from typing import Any

from squall_raft import KnownIssue, Option, Replica, Settings, Snapshot, StateMachine
from squall_raft.machine import Answer, Append, Command, Done, Get, Put, Value, mix


class Register(StateMachine):
    """One key, however it is named, and no sessions."""

    def __init__(self) -> None:
        self.value: int | None = None
        self.changes = 0

    def perform(self, command: Command) -> Answer:
        asked = command.operation
        if isinstance(asked, Put):
            self.value = asked.value
        elif isinstance(asked, Append):
            self.value = mix(self.value or 0, asked.value)
        else:
            return self.query(command)
        self.changes += 1
        return Done(self.changes)

    def query(self, command: Command) -> Answer:
        assert isinstance(command.operation, Get), "it has one key, and nothing else"
        return Value(self.value)

    def snapshot(self) -> bytes:
        return f"{self.changes} {'' if self.value is None else self.value}".encode()

    def restore(self, data: bytes) -> bool:
        changes, _, value = data.decode().partition(" ")
        if not changes.isdecimal():
            return False
        self.value, self.changes = (int(value) if value else None), int(changes)
        return True


class Recorder(Replica):
    """Notes each call. It supports everything.

    This is not in the first line.
    """

    name = "recorder"
    supports = (
        "ReadIndex",
        "simple membership changes",
        "leadership transfer",
        "campaign on request",
        "requests for snapshots",
        "settings at run time",
        "snapshots",
        "asynchronous persistence",
        "streams",
    )
    batch = 8
    wants_waiting = True
    options = (Option("a", "the option a"), Option("b", "the option b", percent=25))
    known_issues = (
        KnownIssue("c", "the issue c", breaks=["liveness"], triggers=["a"]),
        KnownIssue(
            "d",
            "the issue d",
            breaks=["liveness", "log-matching"],
            hazards=["priorities-with-bare-quorum"],
        ),
    )

    def seen(self, *what: Any) -> None:
        self.note(repr(what))

    def boot(self, disk: Any) -> None:
        self.seen("boot", disk)

    def tick(self) -> None:
        self.seen("tick", self.now_us)

    def deliver(self, sender: int, data: bytes, snapshot: Snapshot | None) -> None:
        self.seen("deliver", sender, data, snapshot)

    def propose(self, request: int, data: bytes) -> None:
        self.seen("propose", request, data)

    def synced(self, number: int, ok: bool) -> None:
        self.seen("synced", number, ok)

    def read(self, request: int) -> None:
        self.seen("read", request)

    def change(self, changes: Any, transition: int) -> None:
        self.seen("change", changes, transition)

    def transfer(self, to: int) -> None:
        self.seen("transfer", to)

    def campaign(self) -> None:
        self.seen("campaign")

    def request_snapshot(self) -> None:
        self.seen("request_snapshot")

    def ping(self) -> None:
        self.seen("ping")

    def change_setting(self, name: str, value: object) -> None:
        self.seen("change_setting", name, value)

    def unreachable(self, peer: int) -> None:
        self.seen("unreachable", peer)

    def snapshot_sent(self, peer: int, delivered: bool) -> None:
        self.seen("snapshot_sent", peer, delivered)

    def compacted(self, through: int, snapshot: Snapshot) -> None:
        self.seen("compacted", through, snapshot)

    def connected(self, peer: int) -> None:
        self.seen("connected", peer)

    def disconnected(self, peer: int) -> None:
        self.seen("disconnected", peer)


class Plain(Replica):
    """The least that can be served."""

    def boot(self, disk: Any) -> None:
        pass

    def tick(self) -> None:
        pass

    def deliver(self, sender: int, data: bytes, snapshot: Snapshot | None) -> None:
        pass

    def propose(self, request: int, data: bytes) -> None:
        pass


class Panic(BaseException):
    """As PyO3 makes of a panic in Rust: it is no Exception."""


class Clumsy(Plain):
    """A command says what goes wrong."""

    def propose(self, request: int, data: bytes) -> None:
        self.report_committed(1)
        getattr(self, data.decode())()

    def print(self) -> None:
        print("a line for people")
        os.write(1, b"and one around Python\n")
        sys.stdout.write("and one without an end")

    def fails(self) -> None:
        raise ValueError("a mistake")

    def fails_in_the_standard_library(self) -> None:
        os.path.join("/", 2)  # type: ignore[call-overload]

    def fails_with_an_address(self) -> None:
        raise RuntimeError(f"{object()!r} is here")

    def fails_at_length(self) -> None:
        raise RuntimeError("x" * 5000)

    def fails_to_say(self) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise TypeError

        raise Mute

    def panics(self) -> None:
        raise Panic("at the disco")

    def exits(self) -> None:
        sys.exit(3)

    def recurses(self) -> None:
        self.recurses()

    def sends_text(self) -> None:
        self.send(2, 0, 1, "text")  # type: ignore[arg-type]

    def sends_too_much(self) -> None:
        for _ in range(17):
            self.note("x" * (1 << 20))

    def reads_input(self) -> None:
        self.note(repr(sys.stdin.read()))


class Forbidding(Clumsy):
    """The same, and it must not ask for the time."""

    forbid_nondeterminism = True

    def draws(self) -> None:
        random.shuffle([1, 2])

    def asks_for_the_time(self) -> None:
        time.monotonic()

    def draws_from_a_seed(self) -> None:
        self.note(str(random.Random(5).random()))

    def logs(self) -> None:
        import logging

        logging.getLogger().warning("the standard library may ask")


class Global(Plain):
    """Says when it is told of a run, and of its nodes' ends."""

    def boot(self, disk: Any) -> None:
        print(f"boot {self.id} {self.settings.seed}")

    def close(self) -> None:
        print(f"close {self.id}")

    @classmethod
    def reset(cls, settings: Settings) -> None:
        print(f"reset {settings.seed}")


class Lazy(Plain):
    """Does something in its tenth tick."""

    def boot(self, disk: Any) -> None:
        self.left = 10

    def tick(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.left = 10
            self.note("tenth")

    def idle_ticks(self) -> int:
        return self.left - 1


class Unfinished(Replica):
    """Lacks methods."""

    supports = ("ReadIndex",)

    def boot(self, disk: Any) -> None:
        pass


class Described(Plain):
    """Has words for its messages."""

    @classmethod
    def describe(cls, data: bytes) -> str | None:
        return data.decode() if data else None


class WithRegister(Plain):
    """Nodes with state machines of their own, and what they say at their ends."""

    machine = Register

    def close(self) -> None:
        print(f"close {self.id}")
