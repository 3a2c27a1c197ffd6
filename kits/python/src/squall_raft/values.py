"""What a node is told, as plain values: its disk, a snapshot, a configuration, the run's settings.

Knows nothing of frames but which item stands for which value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from . import cbor


class Role(IntEnum):
    """What a node is."""

    FOLLOWER = 0
    PRE_CANDIDATE = 1
    CANDIDATE = 2
    LEADER = 3


class MessageKind(IntEnum):
    """What a message is. Only a leader sends APPEND, HEARTBEAT, SNAPSHOT and TIMEOUT_NOW."""

    APPEND = 0
    APPEND_REPLY = 1
    HEARTBEAT = 2
    HEARTBEAT_REPLY = 3
    VOTE = 4
    VOTE_REPLY = 5
    PRE_VOTE = 6
    PRE_VOTE_REPLY = 7
    SNAPSHOT = 8
    TIMEOUT_NOW = 9
    FORWARD = 10


class Becomes(IntEnum):
    """What a change of the configuration makes of a node."""

    VOTER = 0
    LEARNER = 1
    NOTHING = 2


class Transition(IntEnum):
    """How a change of the configuration goes about it."""

    SIMPLE = 0
    JOINT = 1
    JOINT_EXPLICIT = 2
    LEAVE = 3


class LibraryEvent(IntEnum):
    """Something in a library that is worth counting: see ``Replica.report_event``."""

    DROPPED_PROPOSAL = 0
    DECLINED_CHANGE = 1
    SKIPPED_CHANGE = 2
    FETCH_BEGUN = 3
    FETCH_DONE = 4
    SNAPSHOT_WANTED = 5
    SNAPSHOT_ASKED = 6
    SETTING_CHANGED = 7
    PINGED = 8
    CAMPAIGNED = 9
    FORWARDED_READ = 10
    FORWARDED_COMMAND = 11
    CHANGED_OTHERWISE = 12


class BrokenPromise(IntEnum):
    """A promise that a library makes beyond Raft: see ``Replica.report_broken_promise``."""

    STOOD_WITHOUT_VOTE = 0
    HANDED_OVER_TO_NO_VOTER = 1


class Configuration(NamedTuple):
    """Who votes. Outside a joint configuration ``outgoing`` is empty."""

    voters: tuple[int, ...]
    outgoing: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()
    learners_next: tuple[int, ...] = ()
    auto_leave: bool = False

    @classmethod
    def of(cls, item: cbor.Item) -> Configuration:
        """From an item of a frame."""
        voters, outgoing, learners, learners_next, auto_leave = item
        return cls(
            tuple(voters), tuple(outgoing), tuple(learners), tuple(learners_next), auto_leave
        )

    def encode(self) -> bytes:
        """As an item of a frame."""
        sets = b"".join(cbor.encode_uints(nodes) for nodes in self[:4])
        return b"\x85" + sets + cbor.BOOL[self.auto_leave]


@dataclass(frozen=True)
class Snapshot:
    """Where a snapshot stands. What is in it stays on Squall's side."""

    index: int
    term: int
    configuration: Configuration

    @classmethod
    def of(cls, item: cbor.Item) -> Snapshot:
        """From an item of a frame."""
        index, term, configuration = item
        return cls(index, term, Configuration.of(configuration))


class Entry(NamedTuple):
    """An entry of the log. ``kind`` is 0 for a command, or for nothing where ``data`` is empty;
    others are changes of the configuration, in a format of the adapter's."""

    term: int
    kind: int
    data: bytes


class Disk(NamedTuple):
    """What a node starts from: what its disk kept."""

    #: 0 for the first start, one more for each restart.
    incarnation: int
    #: Of all that the node may draw at random; the same for all incarnations.
    seed: int
    term: int
    #: 0 is nobody.
    vote: int
    #: As far as it was written with ``write_commit``, or the snapshot's index.
    commit: int
    #: The snapshot's, or the cluster's first; without voters for a node that is to join later,
    #: which must not elect itself.
    configuration: Configuration
    snapshot: Snapshot | None
    #: The index of the first of ``entries``, or of the next where there is none.
    first: int
    #: The term of the entry before that.
    before: int
    entries: list[Entry]

    @property
    def last(self) -> int:
        """The index of the last entry."""
        return self.first + len(self.entries) - 1

    @classmethod
    def of(cls, item: Mapping[str, cbor.Item]) -> Disk:
        """From an item of a frame."""
        snapshot = item["snapshot"]
        return cls(
            incarnation=item["incarnation"],
            seed=item["seed"],
            term=item["term"],
            vote=item["vote"],
            commit=item["commit"],
            configuration=Configuration.of(item["configuration"]),
            snapshot=None if snapshot is None else Snapshot.of(snapshot),
            first=item["first"],
            before=item["before"],
            entries=[Entry(term, kind, data) for term, kind, data in item["entries"]],
        )


class RaftSettings(NamedTuple):
    """Settings of the library, as plans have them. One that a node does not support stays as it is
    here."""

    #: Ask before raising the term (dissertation, section 9.6).
    pre_vote: bool = False
    #: A leader that hears from no quorum for an election time-out steps down.
    check_quorum: bool = False
    #: Ticks without word from a leader before an election; the wait is drawn from once to twice
    #: this.
    election_ticks: int = 10
    #: Ticks between a leader's heartbeats.
    heartbeat_ticks: int = 2
    #: Append messages on their way to one follower at a time.
    max_inflight_messages: int = 256
    #: Bytes of entries in one append message; 0 means one entry, 2**64 - 1 no limit.
    max_size_per_message: int = 4096
    #: Bytes of committed entries handed over at once; 0 means one entry, 2**64 - 1 no limit.
    max_committed_size_per_ready: int = 65_536
    #: Append entries to a message that is waiting to be sent.
    batch_append: bool = False
    #: Do not tell followers at once that an entry is committed.
    skip_broadcast_commit: bool = False
    #: Election priority of each node, in order; empty when all are equal.
    priorities: Sequence[int] = ()
    #: Reads go by the leader's lease and ask no quorum.
    lease_reads: bool = False
    #: Bytes of uncommitted entries above which a leader takes no more; 0 and 2**64 - 1: no limit.
    max_uncommitted_size: int = 0
    #: Odd and even nodes form two groups, and an entry commits when it is in both.
    group_commit: bool = False


class DriverSettings(NamedTuple):
    """Settings of the code around the library, as far as they concern a process."""

    #: ``synchronous`` or ``asynchronous``: when a node waits for its disk.
    persistence: str = "synchronous"
    #: Messages and requests stepped into the library before its output is handled.
    inputs_per_ready: int = 1
    #: Messages that may leave before what is written is durable wait for it all the same.
    send_after_sync: bool = False
    #: Tell the library of the newest durable ready only.
    acknowledge_newest: bool = False
    #: ``fresh`` or ``request``: what names a read while it waits to be confirmed.
    read_context: str = "fresh"


class Settings(NamedTuple):
    """What a run is set up with."""

    #: Of the run. A node draws from ``Disk.seed``.
    seed: int = 0
    #: The ids of all nodes that may run.
    nodes: tuple[int, ...] = ()
    raft: RaftSettings = RaftSettings()
    driver: DriverSettings = DriverSettings()
    #: The adapter's own options that are on.
    options: tuple[str, ...] = ()
    #: All of it by name, with what the fields above do not have.
    given: Mapping[str, cbor.Item] = {}

    @classmethod
    def of(cls, item: Mapping[str, cbor.Item]) -> Settings:
        """From an item of a frame. Names that are not known here are in ``given`` alone."""
        return cls(
            seed=item["seed"],
            nodes=tuple(item["nodes"]),
            raft=RaftSettings(**_known(RaftSettings._fields, item["raft"])),
            driver=DriverSettings(**_known(DriverSettings._fields, item["driver"])),
            options=tuple(item["options"]),
            given=item,
        )


def _known(fields: Sequence[str], item: Mapping[str, cbor.Item]) -> Mapping[str, Any]:
    return {name: item[name] for name in fields if name in item}


class Option(NamedTuple):
    """An option of the adapter's own, which plans draw. Those that are on are in
    ``Settings.options``."""

    name: str
    about: str
    #: In how many plans of a hundred it is on; where it is None, in all if it triggers a known
    #: issue, and else in none.
    percent: int | None = None


class KnownIssue(NamedTuple):
    """A defect that is known, which plans avoid unless it is wanted."""

    name: str
    about: str
    #: The properties that it breaks, as ``squall list checks`` has them.
    breaks: Sequence[str]
    #: The options that are taken out of plans.
    triggers: Sequence[str] = ()
    #: Conditions that plans keep clear of: the names of ``squall_core::own::Hazard``, in kebab case.
    hazards: Sequence[str] = ()
