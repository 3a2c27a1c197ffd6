"""The library, and what it finds around it. It takes its clock, its randomness, its poller, its journal, its serializer
and its pickle from globals of one module of its own. They are replaced here by those of the node that is being called,
which says so with `enter`. The library's code is as it was installed.
"""

from __future__ import annotations

import logging
from typing import Any, Callable, Protocol

from pysyncobj import SyncObj, SyncObjConf, pickle, replicated, syncobj
from pysyncobj.config import SERIALIZER_STATE
from pysyncobj.node import Node
from pysyncobj.transport import Transport
from squall_raft import cbor

__all__ = [
    "SERIALIZER_STATE",
    "Library",
    "Node",
    "Surroundings",
    "SyncObjConf",
    "Transport",
    "enter",
]

FOLLOWER, CANDIDATE, LEADER = 0, 1, 2


class Surroundings(Protocol):
    """What a node has for its library."""

    #: The time, in the library's seconds.
    now: float
    journal: Any
    serializer: Any

    def random(self) -> float: ...

    def note(self, line: str) -> None: ...

    def carry_out(self, data: bytes) -> None: ...

    def changed(self, request: Any, reverse: bool, applied: int | None) -> None: ...


class _Around:
    """Whose library is running."""

    node: Surroundings


def enter(node: Surroundings) -> None:
    """The library of this node is called next."""
    _Around.node = node


class Library(SyncObj):  # type: ignore[misc]
    """What a user of the library writes: one method that is replicated."""

    @replicated  # type: ignore[untyped-decorator]
    def carry_out(self, data: bytes) -> None:
        _Around.node.carry_out(data)

    # ---- what the library keeps to itself

    def enter_changes(self, commands: list[bytes]) -> None:
        """It goes by the changes of the membership among these."""
        for command in commands:
            request = self._SyncObj__parseChangeClusterRequest(command)
            if request is not None:
                self._SyncObj__doChangeCluster(request)

    def _SyncObj__doChangeCluster(self, request: Any, reverse: bool = False) -> bool:
        done: bool = super()._SyncObj__doChangeCluster(request, reverse)
        # It takes itself for a member, whatever its log says.
        if done or (request[1] == self.selfNode.id and not self._asks):
            applied = self.raftLastApplied + 1 if self._applies else None
            _Around.node.changed(request, reverse, applied)
        return done

    def _SyncObj__changeCluster(self, request: Any) -> bool:
        self._asks = True
        try:
            return bool(super()._SyncObj__changeCluster(request))
        finally:
            self._asks = False

    #: An entry is being applied; a change is asked for, and is not in the log.
    _applies = _asks = False

    def _SyncObj__doApplyCommand(self, command: bytes) -> Any:
        self._applies = True
        try:
            return super()._SyncObj__doApplyCommand(command)
        finally:
            self._applies = False

    @property
    def role(self) -> int:
        role: int = self._SyncObj__raftState
        return role

    @property
    def leader(self) -> int:
        """The node that leads, as far as this one knows; 0: it knows none."""
        leader = self._SyncObj__raftLeader
        return 0 if leader is None else int(leader.id)

    def quiet_until(self) -> float:
        """When a follower or a candidate does something by itself: it stands for election, unless it is connected to
        nobody, or its journal's timer is due."""
        second: float = self._SyncObj__startTime + self._SyncObj__numOneSecondDumps
        deadline: float = self._SyncObj__raftElectionDeadline
        return min(second, deadline) if self._SyncObj__connectedToAnyone() else second


class _Random:
    @staticmethod
    def random() -> float:
        return _Around.node.random()


class _Poller:
    """Has nothing to watch: what has arrived is handed over before the library's tick."""

    def subscribe(self, *_: object) -> None:
        pass

    def unsubscribe(self, *_: object) -> None:
        pass

    def poll(self, timeout: float) -> None:
        pass


class _Pickle:
    """What the library pickles, as bytes. A command of Squall's is what the one replicated method has as its argument,
    and is written as it is. An entry that is sent in parts is pickled indeed, for its length matters.
    """

    _COMMAND, _OTHER, _PICKLED = b"C", b"O", b"\x80"

    def dumps(self, item: Any) -> bytes:
        if type(item) is tuple and len(item) == 2 and item[0] == 0:
            data: bytes = item[1][0]
            return self._COMMAND + data
        if type(item) is tuple:
            entry: bytes = pickle.dumps(item)
            return entry
        if type(item) is list:
            item = [member.id if isinstance(member, Node) else member for member in item]
        return self._OTHER + cbor.encode(item)

    def loads(self, data: bytes) -> Any:
        if data[:1] == self._COMMAND:
            return 0, (data[1:],)
        if data[:1] == self._PICKLED:
            return pickle.loads(data)
        item = cbor.decode(data[1:])
        return tuple(item) if type(item) is list else item


class _Log(logging.Handler):
    """The library's log goes into traces."""

    def emit(self, record: logging.LogRecord) -> None:
        node = getattr(_Around, "node", None)
        if node is not None:
            node.note(self.format(record))


def pickled(item: Any) -> bytes:
    """As the library has it in its log."""
    return _PICKLE.dumps(item)


def _replace(name: str, replacement: Any) -> None:
    if not hasattr(syncobj, name):
        raise RuntimeError(f"pysyncobj.syncobj has no {name}")
    setattr(syncobj, name, replacement)


def _forbidden(what: str) -> Callable[..., Any]:
    def call(*_: object) -> Any:
        raise RuntimeError(f"the library calls {what}")

    return call


class _Path:
    @staticmethod
    def isfile(path: str) -> bool:
        return _Around.node.serializer.kept is not None


class _Os:
    """Is asked for one thing: whether there is a dump to start from."""

    path = _Path


class _Time:
    time = sleep = staticmethod(_forbidden("time"))


_replace("monotonicTime", lambda: _Around.node.now)
_replace("random", _Random)
_replace("time", _Time)
_replace("os", _Os)
_replace("createPoller", lambda kind: _Poller())
_replace("createJournal", lambda file: _Around.node.journal)
_replace("Serializer", lambda *_: _Around.node.serializer)
_PICKLE = _Pickle()
_replace("pickle", _PICKLE)
# It would open a pipe to wake its own loop, which is called anyhow.
_replace("PIPE_NOTIFIER_ENABLED", False)

logging.raiseExceptions = False
_log = logging.getLogger("pysyncobj")
_log.propagate = False
_log.addHandler(_Log())
