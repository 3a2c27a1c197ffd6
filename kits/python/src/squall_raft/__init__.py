"""Puts a Raft written in Python under Squall's storm.

Derive from :class:`Replica`, end the file with ``serve(MyRaft)``, and sweep it from the command
line, or from pytest with :func:`check`.
"""

from __future__ import annotations

from .cbor import CborError, decode, encode
from .checking import SquallError, check
from .machine import Answer, Command, Operation, StateMachine
from .nondeterminism import NondeterminismError
from .replica import Replica
from .serving import serve
from .timer import ElectionTimer
from .values import (
    Becomes,
    BrokenPromise,
    Configuration,
    Disk,
    DriverSettings,
    Entry,
    KnownIssue,
    LibraryEvent,
    MessageKind,
    Option,
    RaftSettings,
    Role,
    Settings,
    Snapshot,
    Transition,
)

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Becomes",
    "BrokenPromise",
    "CborError",
    "Command",
    "Configuration",
    "Disk",
    "DriverSettings",
    "ElectionTimer",
    "Entry",
    "KnownIssue",
    "LibraryEvent",
    "MessageKind",
    "NondeterminismError",
    "Operation",
    "Option",
    "RaftSettings",
    "Replica",
    "Role",
    "Settings",
    "Snapshot",
    "SquallError",
    "StateMachine",
    "Transition",
    "check",
    "decode",
    "encode",
    "serve",
]
