#!/usr/bin/env python3
"""A node of PySyncObj 0.3.17 under Squall. The library runs as a program runs it that calls `doTick` itself: what has
arrived is handed over by the poll at the end of a tick, and the next tick follows at once.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from typing import Any, ClassVar

from squall_raft import (
    Becomes,
    Configuration,
    Disk,
    KnownIssue,
    LibraryEvent,
    MessageKind,
    Option,
    Replica,
    Role,
    Settings,
    Snapshot,
    serve,
)

import library
import wire
from broken import PLANTED
from issues import KNOWN_ISSUES, MEMBERSHIP_ISSUES, MEMBERSHIP_OPTIONS, OPTIONS
from journal import MEMBERSHIP, Dumps, Journal, forgotten
from library import Library, Node, SyncObjConf, Transport
from mended import MENDED
from patches import Patch, all_of, patched

#: The library's seconds in a tick. An election time-out of 10 ticks is the library's own default.
_TICK = 0.04
#: Bytes of entries in a message: with fewer, an entry would go out in hundreds of parts.
_SMALLEST_BATCH = 64
_ROLES = {
    library.FOLLOWER: Role.FOLLOWER,
    library.CANDIDATE: Role.CANDIDATE,
    library.LEADER: Role.LEADER,
}
#: What has become of a command: done; and not done, as far as anybody can know.
_SUCCESS, _LEADER_CHANGED, _DENIED, _UNKNOWN = 0, 5, 6, 7
_NOBODY = 0
SEND_EARLY = "sends-before-sync"


class PeerTransport(Transport):  # type: ignore[misc]
    """The library's way to its peers: what it sends goes out when the step is over."""

    def __init__(self, node: PySyncObjNode) -> None:
        super().__init__(None, None, ())
        self._node = node
        self.connected: set[int] = set()

    def send(self, node: Node, message: wire.Message) -> bool:
        if node.id not in self.connected:
            return False
        self._node.post(node.id, message)
        return True

    # The library's own names for these are for subclasses.

    def hand_over(self, node: Node, message: wire.Message) -> None:
        self._onMessageReceived(node, message)

    def connect(self, node: Node) -> None:
        self.connected.add(node.id)
        self._onNodeConnected(node)

    def disconnect(self, node: Node) -> None:
        self.connected.discard(node.id)
        self._onNodeDisconnected(node)


class ChangingTransport(PeerTransport):
    """The same where members come and go. As over TCP, two nodes are connected when each knows the other: who does not
    know a node turns it away."""

    def __init__(self, node: PySyncObjNode) -> None:
        super().__init__(node)
        #: Peers that can be reached, those of them that have said hello, and those that have been said it to.
        self._reached: set[int] = set()
        self._greeted: set[int] = set()
        self._said: set[int] = set()
        self._known: set[int] = set()

    def addNode(self, node: Node) -> None:
        self._known.add(node.id)
        if node.id in self._reached:
            self._greet(node)

    def dropNode(self, node: Node) -> None:
        self._known.discard(node.id)
        if node.id in self.connected:
            self.connected.discard(node.id)
            self._said.discard(node.id)
            self._node.post(node.id, {"type": "bye"})

    def _greet(self, node: Node) -> None:
        if node.id not in self._said:
            self._said.add(node.id)
            self._node.post(node.id, {"type": "hello"})
        if node.id in self._greeted and node.id not in self.connected:
            self.connected.add(node.id)
            self._onNodeConnected(node)

    # The library's own names for these are for subclasses.

    def hand_over(self, node: Node, message: wire.Message) -> None:
        if message["type"] == "hello":
            self._greeted.add(node.id)
            if node.id in self._known:
                self._greet(node)
        elif message["type"] == "bye":
            self._greeted.discard(node.id)
            self._said.discard(node.id)
            self._lose(node)
            if node.id in self._known:
                # It tries again, and will be told when it is known there.
                self._said.add(node.id)
                self._node.post(node.id, {"type": "hello"})
        elif node.id in self.connected:
            self._onMessageReceived(node, message)

    def connect(self, node: Node) -> None:
        self._reached.add(node.id)
        if node.id in self._known:
            self._greet(node)

    def disconnect(self, node: Node) -> None:
        for peers in (self._reached, self._greeted, self._said):
            peers.discard(node.id)
        self._lose(node)

    def _lose(self, node: Node) -> None:
        if node.id in self.connected:
            self.connected.discard(node.id)
            self._onNodeDisconnected(node)


class PySyncObjNode(Replica):
    """One node of PySyncObj 0.3.17."""

    name = "pysyncobj"
    about = "PySyncObj 0.3.17, a Raft in Python"
    library_class: ClassVar[type[Library]]
    supports: ClassVar[Sequence[str]] = (
        "streams",
        "message size",
        "snapshots",
        "leadership transfer",
        "forwarding",
    )
    wants_waiting = True
    options: ClassVar[Sequence[Option]] = OPTIONS
    known_issues: ClassVar[Sequence[KnownIssue]] = KNOWN_ISSUES
    #: What is changed of the library beside what is mended: a planted mistake.
    planted: frozenset[Patch] = frozenset()
    #: The same, of the adapter's: it sends before what it has written is durable.
    sends_early = False

    #: Changes of the membership are asked for.
    members_change = False
    #: Who was there from the start: whoever starts a node that is to join gives it their addresses.
    founders: ClassVar[tuple[int, ...]] = ()

    @classmethod
    def reset(cls, settings: Settings) -> None:
        PySyncObjNode.founders = ()
        mended = [name for name in MENDED if name not in settings.options]
        cls.library_class = patched(all_of(mended, MENDED) | cls.planted)

    def boot(self, disk: Disk) -> None:
        options = self.settings.options
        self._ticks = 0
        self.now = 0.0
        #: What has been handed over has not been followed by a tick.
        self._has_more = False
        key = disk.seed << 16 | self.id << 8 ^ disk.incarnation
        self.random = random.Random(key).random
        if "in-memory" in options:
            disk = forgotten(disk)
        self.journal = Journal(
            disk, self, keeps_behind_dump="journal-cleared-at-start" not in options
        )
        self.serializer = Dumps(
            self.journal, disk.snapshot, takes_older="dump-over-newer-log" in options
        )
        self.journal.before_write = self._before_write
        self._takes_late_answers = "late-answers" in options
        self._syncs_writes = "unsynced" not in options
        self._outbox: list[tuple[Any, ...]] = []
        self._refused: list[int] = []
        self._shown_role = library.FOLLOWER, disk.term
        self._shown_commit = disk.commit
        self._applied = 0 if disk.snapshot is None else disk.snapshot.index
        self.journal.after_add = self._after_add
        self.peers = {peer: Node(peer) for peer in self.settings.nodes}
        self.serializer.nodes = self.peers
        self.transport = ChangingTransport(self) if self.members_change else PeerTransport(self)
        library.enter(self)
        voters = disk.configuration.voters
        if voters and not self.founders:
            PySyncObjNode.founders = voters
        #: Where the configuration in force comes from, and what was in force before.
        self._configurations = [(self._applied, voters)]
        self._is_member = self.id in voters
        self._change_to_show: tuple[int, ...] | None = None
        others = [self.peers[peer] for peer in voters or self.founders if peer != self.id]
        # Whoever starts a node that is to join gives it the addresses of the members by then.
        for peer in others if self.id in voters else self.peers.values():
            if peer.id != self.id:
                self.transport.addNode(peer)
        self.library = self.library_class(
            self.peers[self.id],
            others,
            self._conf(),
            nodeClass=self.peers.__getitem__,
            transport=self.transport,
        )
        # The library loads its dump with the first tick.
        self._go_on(ticks=True)
        self.journal.is_starting = False
        if "changes-when-applied" not in options:
            self.library.enter_changes(self.journal.commands())

    def _conf(self) -> SyncObjConf:
        settings, options = self.settings.raft, self.settings.options
        shortest = settings.election_ticks * _TICK
        # Between two ticks, so that it is over with the second.
        period = min((settings.heartbeat_ticks - 0.5) * _TICK, shortest / 3.5)
        return SyncObjConf(
            autoTick=False,
            raftMinTimeout=shortest,
            raftMaxTimeout=2 * shortest,
            appendEntriesPeriod=period,
            connectionTimeout=5 * shortest,
            leaderFallbackTimeout=(2 if "fall-back-soon" in options else 75) * shortest,
            appendEntriesUseBatch="append-at-once" not in options,
            fullDumpFile="dump",
            dynamicMembershipChange=self.members_change,
            appendEntriesBatchSizeBytes=max(_SMALLEST_BATCH, settings.max_size_per_message),
            logCompactionMinEntries=1 << 62,
            logCompactionMinTime=float(1 << 62),
        )

    # ---- what happens to the node

    def tick(self) -> None:
        self._ticks += 1
        self.now = self._ticks * _TICK
        library.enter(self)
        self._go_on(ticks=True)

    def idle_ticks(self) -> int:
        if self._has_more or self.library.role == library.LEADER:
            return 0
        # The next tick that does something, and the one before it, which does nothing yet.
        return max(0, int(self.library.quiet_until() / _TICK) - 1 - self._ticks)

    def skip_ticks(self, count: int) -> None:
        self._ticks += count
        self.now = self._ticks * _TICK

    def deliver(self, sender: int, data: bytes, snapshot: Snapshot | None) -> None:
        library.enter(self)
        self.serializer.arrived = snapshot
        message = wire.decode(data)
        answered = message.get(wire.ANSWERED)
        if answered is None or self._takes_late_answers or answered == self.library.raftCurrentTerm:
            self.transport.hand_over(self.peers[sender], message)
        self._go_on()

    def connected(self, peer: int) -> None:
        library.enter(self)
        self.transport.connect(self.peers[peer])
        self._go_on()

    def disconnected(self, peer: int) -> None:
        library.enter(self)
        self.transport.disconnect(self.peers[peer])
        self._go_on()

    def propose(self, request: int, data: bytes) -> None:
        library.enter(self)
        if self.library.role != library.LEADER and self.library.leader != _NOBODY:
            self.report_event(LibraryEvent.FORWARDED_COMMAND)

        def answered(_: object, error: int) -> None:
            # A command whose outcome is not known is left: it may be committed yet.
            if error not in (_SUCCESS, _LEADER_CHANGED, _UNKNOWN):
                self._refused.append(request)

        self.library.carry_out(data, callback=answered)
        self._go_on()

    def transfer(self, to: int) -> None:
        library.enter(self)

        def answered(_: object, error: int) -> None:
            if error == _SUCCESS:
                # It has been asked to stand, and nobody waits for what comes of it.
                self.report_transfer(to)
                self.report_transfer()

        self.library.transferLeadership(self.peers.get(to, self.library.selfNode), answered)
        self._go_on()

    def change(self, changes: Sequence[tuple[int, int]], transition: int) -> None:
        library.enter(self)

        def answered(_: object, error: int) -> None:
            if error == _DENIED:
                self.report_event(LibraryEvent.DECLINED_CHANGE)

        for peer, becomes in changes:
            node = self.peers[peer]
            if becomes == Becomes.VOTER:
                self.library.addNodeToCluster(node, answered)
            else:
                self.library.removeNodeFromCluster(node, answered)
        self._go_on()

    def changed(self, request: Any, reverse: bool, applied: int | None) -> None:
        """The library goes by another configuration."""
        if request[1] == self.id:
            is_member = (request[0] == "add") != reverse
            if is_member == self._is_member:
                return
            self._is_member = is_member
        voters = {node.id for node in self.library.otherNodes}
        self._change_to(
            request, reverse, applied, voters | {self.id} if self._is_member else voters
        )

    def _change_to(self, request: Any, reverse: bool, applied: int | None, nodes: set[int]) -> None:
        voters = tuple(sorted(nodes))
        if reverse:
            self._configurations.pop()
            index = self._configurations[-1][0] if self._configurations else 0
            self._show_configuration(index, voters)
            return
        if applied is None:
            head = MEMBERSHIP + library.pickled([request[0], request[1], request[1]])
            applied = self.journal.change_after(self._configurations[-1][0] + 1, head)
            if applied is None:
                # A leader goes by it before it has written the entry.
                self._change_to_show = voters
                return
        self._show_configuration(applied - 1, voters)

    def _show_configuration(self, index: int, voters: tuple[int, ...]) -> None:
        if not self._configurations or self._configurations[-1][0] < index:
            self._configurations.append((index, voters))
        self.report_configuration(index, Configuration(voters))

    def _after_add(self, index: int) -> None:
        if self._change_to_show is not None:
            voters, self._change_to_show = self._change_to_show, None
            self._show_configuration(index - 1, voters)

    def compacted(self, through: int, snapshot: Snapshot) -> None:
        library.enter(self)
        # Squall may keep entries that the snapshot stands for; the library keeps none but the last two.
        self.compact_log(snapshot.index)
        self.journal.compacted(snapshot)
        self.serializer.finish(snapshot.index)
        self._go_on()

    def synced(self, number: int, ok: bool) -> None:
        """What Squall mended of the disk as the node started is durable."""

    # ---- what the library wants

    def carry_out(self, data: bytes) -> None:
        """An entry is applied: Squall does that, once the step is over."""

    def post(self, to: int, message: wire.Message) -> None:
        """Sends a message when the step is over, with what it is and what it promises by now."""
        kind = message["type"]
        if kind in ("hello", "bye"):
            self._outbox.append(
                (to, MessageKind.FORWARD, 0, wire.encode(message), None, None, False)
            )
            return
        self._show_role()
        term = self.library.raftCurrentTerm
        voted_for = appended = None
        carries = False
        if kind == "append_entries":
            label = MessageKind.APPEND
            if "serialized" in message:
                part = message["serialized"]
                if part is not None and part[2]:
                    label, carries = MessageKind.SNAPSHOT, True
            elif message.get("entries") == []:
                label = MessageKind.HEARTBEAT
        elif kind == "next_node_idx":
            label = MessageKind.APPEND_REPLY
            # It carries no term; it is an answer to who leads this one.
            message[wire.ANSWERED] = term
            if message["success"] and message["next_node_idx"] > 2:
                appended = message["next_node_idx"] - 2
        elif kind == "request_vote":
            label, voted_for = MessageKind.VOTE, self.id
        elif kind == "response_vote":
            label, voted_for = MessageKind.VOTE_REPLY, to
        elif kind == "timeout_now":
            label = MessageKind.TIMEOUT_NOW
        else:
            label, term = MessageKind.FORWARD, 0
        data = wire.encode(message)
        self._outbox.append((to, label, term, data, voted_for, appended, carries))

    def _go_on(self, ticks: bool = False) -> None:
        """The library has been told of something. Its tick goes on when the poll has handed over all that there is."""
        self._has_more = not ticks and self.waiting > 0
        if not self._has_more:
            self.library.doTick(0.0)
        self._show_role()
        if self.sends_early:
            self._send_all()
        if self.journal.settle() and self._syncs_writes:
            # What follows is done when it is over, and nothing is taken in before.
            self.sync()
        installed = self.journal.installed
        if installed is not None:
            self.journal.installed = None
            self._applied = installed
            self.install_snapshot(installed)
            assert self.serializer.arrived is not None
            configuration = self.serializer.arrived.configuration
            self._configurations = [(installed, configuration.voters)]
            self._is_member = self.id in configuration.voters
            self.report_configuration(installed, configuration)
        self.serializer.arrived = None
        self._show_commit()
        applied = self.library.raftLastApplied - 1
        if applied != self._applied:
            self._applied = applied
            self.apply(applied)
        self._send_all()
        for request in self._refused:
            self.refuse(request, self.library.leader)
        self._refused.clear()

    def _send_all(self) -> None:
        for to, kind, term, data, voted_for, appended, carries in self._outbox:
            self.send(
                to, kind, term, data, voted_for=voted_for, appended=appended, snapshot=carries
            )
        self._outbox.clear()

    # ---- what Squall is shown

    def _before_write(self, term: int, vote: int | None) -> None:
        """The library writes. When it enters a term, its role comes after that."""
        if self.library.raftCommitIndex - 1 != self._shown_commit:
            # What it has written it takes to be durable: a voter that is alone commits that at once.
            if self.journal.is_dirty and self._syncs_writes:
                self.sync()
                self.journal.is_dirty = False
            self._show_commit()
        if term > self._shown_role[1]:
            role = library.CANDIDATE if vote == self.id else library.FOLLOWER
            self._show(role, term)
        else:
            self._show_role()

    def _show_commit(self) -> None:
        commit = self.library.raftCommitIndex - 1
        if commit != self._shown_commit:
            self._shown_commit = commit
            self.report_committed(commit)

    def _show_role(self) -> None:
        shown = self.library.role, self.library.raftCurrentTerm
        if shown != self._shown_role:
            self._show(*shown)

    def _show(self, role: int, term: int) -> None:
        self._shown_role = role, term
        self.report_role(_ROLES[role], term)

    @classmethod
    def describe(cls, data: bytes) -> str | None:
        return wire.describe(data)


class ChangingNode(PySyncObjNode):
    """The same, with changes of the membership."""

    name = "pysyncobj-members"
    about = "PySyncObj 0.3.17, with changes of the membership"
    supports = (*PySyncObjNode.supports, "simple membership changes")
    members_change = True
    options = (*OPTIONS, *MEMBERSHIP_OPTIONS)
    known_issues = (*KNOWN_ISSUES, *MEMBERSHIP_ISSUES)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves PySyncObj to Squall.")
    parser.add_argument("--broken", choices=[*PLANTED, SEND_EARLY], help="with this mistake in it")
    parser.add_argument("--members", action="store_true", help="with changes of the membership")
    arguments = parser.parse_args()
    broken = arguments.broken
    if broken == SEND_EARLY:
        PySyncObjNode.sends_early = True
    elif broken is not None:
        PySyncObjNode.planted = all_of([broken], PLANTED)
    serve(ChangingNode if arguments.members else PySyncObjNode)


if __name__ == "__main__":
    main()
