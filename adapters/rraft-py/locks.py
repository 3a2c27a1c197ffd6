"""A lock service behind a Raft: leases, fencing tokens, a line of waiters, and a few keys.

As those who would run it may write it: plain Python, and nothing of logs, terms or nodes. Time is the latest that any
lock command has carried, so that a lease ends at the same place of the log on every node.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, field
from typing import Any

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
    StateMachine,
    TryAcquire,
    Value,
    Waiting,
    Written,
    answer_of,
    mix,
)

KEYS, LOCKS = 8, 4
#: A lease until then has no end, and has to be revoked.
NEVER = 2**64 - 1


@dataclass
class Grant:
    """A lock in someone's hands."""

    client: int
    token: int
    since_us: int
    until_us: int
    #: How often it has been renewed, where it has no end.
    renewals: int = 0

    def told(self) -> Answer:
        return Granted(self.token, self.since_us, self.until_us)


@dataclass
class Lock:
    """One lock, and what it protects."""

    holder: Grant | None = None
    #: The fencing token granted last.
    token: int = 0
    #: The newest token that a write has carried.
    seen: int = 0
    #: Who waits, first come first, and for how long a lease.
    line: list[tuple[int, int]] = field(default_factory=list)

    def grant(self, client: int, now_us: int, lease_us: int) -> Grant:
        self.token += 1
        self.holder = Grant(client, self.token, now_us, min(now_us + lease_us, NEVER))
        return self.holder

    def pass_on(self, now_us: int) -> None:
        """Nobody holds it any longer but who is first in line."""
        self.holder = None
        if self.line:
            client, lease_us = self.line.pop(0)
            self.grant(client, now_us, lease_us)

    def expire(self, now_us: int) -> None:
        """Whoever waits gets it from when the lease before has run out, and may have lost it since."""
        while self.holder and self.holder.until_us <= now_us:
            self.pass_on(self.holder.until_us)

    def acquire(self, client: int, now_us: int, lease_us: int, *, waits: bool) -> Answer:
        if self.holder is None:
            return self.grant(client, now_us, lease_us).told()
        if self.holder.client == client:
            return self.holder.told()
        if not waits:
            return Held()
        if client not in [waiting for waiting, _ in self.line]:
            self.line.append((client, lease_us))
        return Waiting()

    def held_with(self, client: int, token: int) -> Grant | None:
        holder = self.holder
        return holder if holder and (holder.client, holder.token) == (client, token) else None

    def renew(self, client: int, token: int, now_us: int, lease_us: int) -> Answer:
        grant = self.held_with(client, token)
        if grant is None:
            return NotHeld()
        grant.until_us = max(grant.until_us, min(now_us + lease_us, NEVER))
        if grant.until_us == NEVER:
            grant.renewals += 1
        return grant.told()

    def release(self, client: int, token: int, now_us: int) -> Answer:
        if self.held_with(client, token) is None:
            return NotHeld()
        self.pass_on(now_us)
        return Released(now_us)

    def write(self, token: int) -> Answer:
        if token < self.seen:
            return Stale()
        self.seen = token
        return Written()

    def revoke(self, asked: Revoke, now_us: int) -> Answer:
        grant = self.holder
        if grant is None or grant.token != asked.token:
            return NotHeld()
        if not asked.blind and grant.renewals != asked.renewals:
            return NotHeld()
        self.pass_on(now_us)
        return Revoked(grant.renewals)

    def plain(self) -> list[Any]:
        holder = None if self.holder is None else astuple(self.holder)
        return [holder, self.token, self.seen, self.line]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> Lock:
        holder, token, seen, line = plain
        return cls(holder and Grant(*holder), token, seen, [tuple(one) for one in line])


class Locks(StateMachine):
    """Locks and keys behind client sessions."""

    lock_class = Lock

    def __init__(self) -> None:
        self.time_us = 0
        self.locks = [self.lock_class() for _ in range(LOCKS)]
        #: What each key holds, and how often it has been changed.
        self.keys: list[tuple[int | None, int]] = [(None, 0)] * KEYS
        #: The number of each client's last command, and what it was told.
        self.sessions: dict[int, tuple[int, Answer]] = {}

    def perform(self, command: Command) -> Answer:
        last, answer = self.sessions.get(command.client, (-1, None))
        if answer is None or command.sequence > last:
            answer = self.perform_once(command)
            self.sessions[command.client] = command.sequence, answer
        return answer

    def perform_once(self, command: Command) -> Answer:
        client, asked = command.client, command.operation
        if isinstance(asked, (Get, Put, CompareAndSet, Append, Delete)):
            return self.on_key(asked.key % KEYS, asked)
        assert isinstance(asked, (Acquire, TryAcquire, Renew, Release, GuardedWrite, Revoke))
        now_us = self.time_us = max(self.time_us, command.time_us)
        lock = self.locks[asked.lock % LOCKS]
        lock.expire(now_us)
        if isinstance(asked, (Acquire, TryAcquire)):
            return lock.acquire(client, now_us, asked.lease_us, waits=isinstance(asked, Acquire))
        if isinstance(asked, Renew):
            return lock.renew(client, asked.token, now_us, asked.lease_us)
        if isinstance(asked, Release):
            return lock.release(client, asked.token, now_us)
        if isinstance(asked, GuardedWrite):
            return lock.write(asked.token)
        return lock.revoke(asked, now_us)

    def on_key(self, key: int, asked: Operation) -> Answer:
        value, version = self.keys[key]
        if isinstance(asked, Put):
            value = asked.value
        elif isinstance(asked, CompareAndSet):
            if asked.expected != value:
                return Differs(value)
            value = asked.value
        elif isinstance(asked, Append):
            value = mix(value or 0, asked.value)
        elif isinstance(asked, Delete):
            value = None
        else:
            return Value(value)
        self.keys[key] = value, version + 1
        return Done(version + 1)

    def query(self, command: Command) -> Answer:
        assert isinstance(command.operation, Get)
        return self.on_key(command.operation.key % KEYS, command.operation)

    def snapshot(self) -> bytes:
        sessions = [(client, last, told.item()) for client, (last, told) in self.sessions.items()]
        locks = [lock.plain() for lock in self.locks]
        return json.dumps([self.time_us, locks, self.keys, sessions]).encode()

    def restore(self, data: bytes) -> bool:
        restored = type(self)()
        try:
            restored.time_us, locks, keys, sessions = json.loads(data)
            restored.locks = [self.lock_class.of_plain(lock) for lock in locks]
            restored.keys = [(value, version) for value, version in keys]
            restored.sessions = {client: (last, answer_of(told)) for client, last, told in sessions}
        except (ValueError, TypeError, IndexError):
            return False
        self.__dict__.update(restored.__dict__)
        return True
