"""The state machine of a node, where the user's own service takes the place of Squall's: keys and
locks, as the protocol's text has them.

Knows what commands and answers look like in a frame, and nothing of logs, terms or nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from . import cbor

#: What numbers are below.
_WORD = 1 << 64


class Operation:
    """What a command asks for: one of the classes below."""


@dataclass(frozen=True)
class Get(Operation):
    """The value of a key. It is the only operation that changes nothing."""

    key: int


@dataclass(frozen=True)
class Put(Operation):
    """Sets a key."""

    key: int
    value: int


@dataclass(frozen=True)
class CompareAndSet(Operation):
    """Sets a key if it holds what is expected; ``None``: if there is no such key."""

    key: int
    expected: int | None
    value: int


@dataclass(frozen=True)
class Append(Operation):
    """Folds a value into what the key holds: see :func:`mix`."""

    key: int
    value: int


@dataclass(frozen=True)
class Delete(Operation):
    """Takes a key away."""

    key: int


@dataclass(frozen=True)
class Acquire(Operation):
    """Takes a lock, or waits in line for it."""

    lock: int
    lease_us: int


@dataclass(frozen=True)
class TryAcquire(Operation):
    """Takes a lock if it is free."""

    lock: int
    lease_us: int


@dataclass(frozen=True)
class Renew(Operation):
    """Goes on holding a lock for so long from now."""

    lock: int
    token: int
    lease_us: int


@dataclass(frozen=True)
class Release(Operation):
    """Gives a lock back."""

    lock: int
    token: int


@dataclass(frozen=True)
class GuardedWrite(Operation):
    """Writes to what the lock protects."""

    lock: int
    token: int


@dataclass(frozen=True)
class Revoke(Operation):
    """Takes a lock from its holder, whose lease has run out by the clock of the node that asks: if
    it has been renewed so often, or, ``blind``, however often."""

    lock: int
    token: int
    renewals: int
    blind: bool


@dataclass(frozen=True)
class Command:
    """One command of a client."""

    client: int
    #: That client's own count of its commands. A retry carries the same number.
    sequence: int
    #: When it was first sent, in microseconds.
    time_us: int
    operation: Operation

    @classmethod
    def of(cls, item: cbor.Item) -> Command:
        """The command of a frame. Raises ``ValueError`` or ``TypeError`` where it is none."""
        client, sequence, time_us, (code, *arguments) = item
        if type(code) is not int or not 0 <= code < len(_OPERATIONS):
            raise ValueError(f"there is no operation {code!r}")
        operation = _OPERATIONS[code](*arguments)
        for number in (client, sequence, time_us, *arguments):
            if number is not None and not isinstance(number, int):
                raise TypeError(f"{number!r} is no number")
        return cls(client, sequence, time_us, operation)


class Answer:
    """What a client is told: one of the classes below."""

    def item(self) -> list[cbor.Item]:
        """The answer as a list of plain values, for snapshots; :func:`answer_of` reads it."""
        cls = type(self)
        return [_CODES[cls], *(getattr(self, name) for name in _FIELDS[cls])]


@dataclass(frozen=True)
class Value(Answer):
    """What a key holds; ``None`` where there is no such key."""

    value: int | None


@dataclass(frozen=True)
class Done(Answer):
    """A key was changed; how often it has been, this change included."""

    version: int


@dataclass(frozen=True)
class Differs(Answer):
    """A comparison failed, and nothing was changed; what the key holds."""

    value: int | None


@dataclass(frozen=True)
class Granted(Answer):
    """The client holds the lock, in replicated time."""

    token: int
    since_us: int
    until_us: int


@dataclass(frozen=True)
class Waiting(Answer):
    """The client stands in line for the lock."""


@dataclass(frozen=True)
class Held(Answer):
    """Another holds the lock."""


@dataclass(frozen=True)
class NotHeld(Answer):
    """The client does not hold the lock (any more)."""


@dataclass(frozen=True)
class Released(Answer):
    """The lock is given back, at this replicated time."""

    at_us: int


@dataclass(frozen=True)
class Written(Answer):
    """What the lock protects has been written."""


@dataclass(frozen=True)
class Stale(Answer):
    """What the lock protects has seen a newer token."""


@dataclass(frozen=True)
class Revoked(Answer):
    """The lock is taken from its holder; how often the lease had been renewed."""

    renewals: int


#: In the order of their numbers.
_OPERATIONS: tuple[Callable[..., Operation], ...] = (
    Get,
    Put,
    CompareAndSet,
    Append,
    Delete,
    Acquire,
    TryAcquire,
    Renew,
    Release,
    GuardedWrite,
    Revoke,
)
_ANSWERS: tuple[Callable[..., Answer], ...] = (
    Value,
    Done,
    Differs,
    Granted,
    Waiting,
    Held,
    NotHeld,
    Released,
    Written,
    Stale,
    Revoked,
)
_CODES: dict[object, int] = {cls: code for code, cls in enumerate(_ANSWERS)}
#: The fields of each answer.
_FIELDS: dict[object, tuple[str, ...]] = {
    Value: ("value",),
    Done: ("version",),
    Differs: ("value",),
    Granted: ("token", "since_us", "until_us"),
    Waiting: (),
    Held: (),
    NotHeld: (),
    Released: ("at_us",),
    Written: (),
    Stale: (),
    Revoked: ("renewals",),
}
_MAY_HAVE_NONE = (Value, Differs)


def answer_of(item: Sequence[cbor.Item]) -> Answer:
    """The answer that :meth:`Answer.item` made this list of."""
    code, *values = item
    return _ANSWERS[code](*values)


def told(answer: object) -> bytes:
    """The answer in a frame. Raises ``TypeError`` or ``CborError`` where it is none."""
    cls = type(answer)
    if cls not in _CODES:
        raise TypeError(f"a command is answered with an Answer, not {answer!r}")
    names = _FIELDS[cls]
    parts = [cbor.ARRAY[1 + len(names)], cbor.UINT[_CODES[cls]]]
    for name in names:
        value = getattr(answer, name)
        nothing = value is None and cls in _MAY_HAVE_NONE
        parts.append(cbor.NULL if nothing else cbor.UINT[value])
    return b"".join(parts)


class StateMachine:
    """The state machine of one node. Derive from it, and name the class in ``Replica.machine``.

    A booted node has an instance, made without arguments, into which its snapshot is restored.
    Commands are performed in the order of the log, on every node alike: what one does must come
    from the commands alone. Numbers are below 2**64.
    """

    def perform(self, command: Command) -> Answer:
        """Carries out a command, and says what its client is told. A command that a client sent
        again, with the same ``sequence``, does nothing and is answered as it was the first time."""
        raise _missing(self, "perform")

    def query(self, command: Command) -> Answer:
        """What a read (:class:`Get`), which is not in the log, is told now. It changes nothing."""
        raise _missing(self, "query")

    def snapshot(self) -> bytes:
        """The whole state as bytes."""
        raise _missing(self, "snapshot")

    def restore(self, data: bytes) -> bool:
        """Puts the state that ``snapshot`` has made these bytes of, on whichever node, in place of
        this one. Returns whether they held one."""
        raise _missing(self, "restore")


def _missing(machine: StateMachine, method: str) -> NotImplementedError:
    return NotImplementedError(f"{type(machine).__name__} has no method {method}")


def missing_methods(cls: type[StateMachine]) -> list[str]:
    """What keeps ``cls`` from being served, a line each."""
    return [
        f"its machine {cls.__name__} has no method {method}"
        for method in ("perform", "query", "snapshot", "restore")
        if getattr(cls, method) is getattr(StateMachine, method)
    ]


def mix(fold: int, value: int) -> int:
    """What a key that holds ``fold`` (0 where there is none) holds after an :class:`Append`."""
    word = (_rotated(fold, 23) ^ value) * 0x9E3779B97F4A7C15 % _WORD
    return (_rotated(word, 29) + 0xD1B54A32D192ED03) % _WORD


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> (64 - by)) % _WORD
