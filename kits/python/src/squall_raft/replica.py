"""The class to derive from: one instance is one node. Knows nothing of frames or of the process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from . import machine as machines
from .actions import Actions
from .machine import StateMachine
from .values import Disk, KnownIssue, Option, Settings, Snapshot


class Replica(Actions):
    """One node of a Raft implementation.

    Derive from it, and override ``boot``, ``tick``, ``deliver`` and ``propose``, and what else
    belongs to the features in ``supports``. Each of these methods is called when something
    happens to the node, and calls the methods of :class:`Actions` for what it wants done.

    A node has no clock, socket, disk or randomness of its own. It may be gone at any moment,
    without a word, and is booted again, as a new instance, from what its disk kept.
    """

    #: The subject's name: one word, lower case, with hyphens. Where it is left out, ``MyRaft`` is
    #: ``my-raft``.
    name: ClassVar[str] = ""
    #: What it is, in one line. Where it is left out, the first line of the class's docstring.
    about: ClassVar[str] = ""
    #: Features besides elections and replication, as ``squall list options`` names them.
    supports: ClassVar[Sequence[str]] = ()
    #: How many inputs may come in one step.
    batch: ClassVar[int] = 1
    #: ``waiting`` is to be known.
    wants_waiting: ClassVar[bool] = False
    #: Options of the adapter's own, which plans draw.
    options: ClassVar[Sequence[Option]] = ()
    #: Defects that are known, which plans avoid.
    known_issues: ClassVar[Sequence[KnownIssue]] = ()
    #: The state machine of each node, where it is to be this in place of Squall's own.
    machine: ClassVar[type[StateMachine] | None] = None
    #: Calls of ``random``, ``time`` and the like fail, but for those that the standard library
    #: makes itself: see ``squall_raft.nondeterminism``.
    forbid_nondeterminism: ClassVar[bool] = False

    def __init__(self, node: int, settings: Settings, actions: list[bytes] | None = None) -> None:
        super().__init__(actions)
        #: This node.
        self.id = node
        #: Of the run.
        self.settings = settings
        #: The node's own idea of the time in microseconds, which may jump back.
        self.now_us = 0
        #: How many inputs wait behind those of this step, where ``wants_waiting`` says so.
        self.waiting = 0

    # ---- what happens to every node

    def boot(self, disk: Disk) -> None:
        """The node starts from what its disk kept. Its state machine is as the snapshot has it."""
        raise _missing(self, "boot")

    def tick(self) -> None:
        """One tick of the node's clock."""
        raise _missing(self, "tick")

    def deliver(self, sender: int, data: bytes, snapshot: Snapshot | None) -> None:
        """A message has arrived, as it was given to ``send``, and where a snapshot came with it,
        what that is of."""
        raise _missing(self, "deliver")

    def propose(self, request: int, data: bytes) -> None:
        """A client asks for ``data`` to be replicated. Refuse the request, or leave it: its client
        is answered when the entry is applied."""
        raise _missing(self, "propose")

    # ---- what happens with a feature, or an action, that asks for it

    def synced(self, number: int, ok: bool) -> None:
        """A sync with ``tell`` is over; ``number`` is what ``sync`` returned. ``ok`` is true: a node
        whose sync failed is restarted."""
        raise _missing(self, "synced")

    def read(self, request: int) -> None:
        """A client asks for a linearizable read that goes around the log (``ReadIndex``)."""
        raise _missing(self, "read")

    def change(self, changes: Sequence[tuple[int, int]], transition: int) -> None:
        """An operator asks for a change of the configuration: pairs of a node and what it
        ``Becomes``, and a ``Transition``."""
        raise _missing(self, "change")

    def transfer(self, to: int) -> None:
        """An operator asks for leadership to be handed over (``leadership transfer``)."""
        raise _missing(self, "transfer")

    def campaign(self) -> None:
        """An operator asks the node to stand for election (``campaign on request``)."""
        raise _missing(self, "campaign")

    def request_snapshot(self) -> None:
        """An operator asks the node to get a snapshot from its leader (``requests for
        snapshots``)."""
        raise _missing(self, "request_snapshot")

    def change_setting(self, name: str, value: object) -> None:
        """An operator changes a setting of ``raft`` (``settings at run time``)."""
        raise _missing(self, "change_setting")

    def compacted(self, through: int, snapshot: Snapshot) -> None:
        """This snapshot of the node's own is durable; entries up to ``through`` are gone from its
        disk, and may go from its memory (0: none) (``snapshots``)."""
        raise _missing(self, "compacted")

    def connected(self, peer: int) -> None:
        """A connection to this peer stands from now on (``streams``): what is sent on it arrives in
        order, once, or the connection ends. A node is booted without any."""
        raise _missing(self, "connected")

    def disconnected(self, peer: int) -> None:
        """The connection to this peer is over, and what was on its way is lost (``streams``). What
        is sent to it until the next one stands goes nowhere."""
        raise _missing(self, "disconnected")

    # ---- what may be ignored

    def ping(self) -> None:
        """An operator asks for heartbeats at once."""

    def unreachable(self, peer: int) -> None:
        """The transport could not deliver something to this peer."""

    def snapshot_sent(self, peer: int, delivered: bool) -> None:
        """The transport is done with a snapshot for this peer."""

    def idle_ticks(self) -> int:
        """How many ticks will do nothing, if nothing else comes first. Asked after each step, so
        that Squall need not send ticks that nobody waits for. Must not change anything."""
        return 0

    def skip_ticks(self, count: int) -> None:
        """So many ticks have passed of those that ``idle_ticks`` said would do nothing."""
        for _ in range(count):
            self.tick()

    def close(self) -> None:
        """The node is gone, or the run is over: let go of what Python does not free by itself."""

    # ---- what is no node's

    @classmethod
    def reset(cls, settings: Settings) -> None:
        """A new run begins: for libraries that keep state outside of their nodes."""

    @classmethod
    def describe(cls, data: bytes) -> str | None:
        """A message in words, for traces."""
        return None


def _missing(replica: Replica, method: str) -> NotImplementedError:
    return NotImplementedError(f"{type(replica).__name__} has no method {method}")


#: The methods that a class has to have, whatever it supports.
REQUIRED = ("boot", "tick", "deliver", "propose")
#: The methods that a class has to have where it supports a feature.
OF_FEATURES = {
    "ReadIndex": ("read",),
    "simple membership changes": ("change",),
    "joint consensus": ("change",),
    "explicit leave": ("change",),
    "learners": ("change",),
    "demotion": ("change",),
    "leadership transfer": ("transfer",),
    "campaign on request": ("campaign",),
    "requests for snapshots": ("request_snapshot",),
    "settings at run time": ("change_setting",),
    "snapshots": ("compacted",),
    "asynchronous persistence": ("synced",),
    "streams": ("connected", "disconnected"),
}


def missing_methods(cls: type[Replica]) -> list[str]:
    """What keeps ``cls`` from being served, a line each."""

    def lacks(method: str) -> bool:
        return getattr(cls, method) is getattr(Replica, method)

    lines = [f"it has no method {method}" for method in REQUIRED if lacks(method)]
    for feature in cls.supports:
        for method in OF_FEATURES.get(feature, ()):
            if lacks(method):
                lines.append(f"it supports {feature!r}, and has no method {method}")
    if cls.machine is not None:
        lines += machines.missing_methods(cls.machine)
    return lines
