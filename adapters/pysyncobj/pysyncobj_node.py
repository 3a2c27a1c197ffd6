#!/usr/bin/env python3
"""A node of PySyncObj 0.3.17 under Squall. The library runs as a program runs it that calls `doTick` itself: what has
arrived is handed over by the poll at the end of a tick, and the next tick follows at once.
"""

from __future__ import annotations

import argparse
import random
from typing import Any, ClassVar

from squall_raft import (
    Disk,
    LibraryEvent,
    MessageKind,
    Replica,
    Role,
    Settings,
    Snapshot,
    serve,
)

import library
import wire
from broken import PLANTED
from issues import KNOWN_ISSUES, OPTIONS
from journal import Dumps, Journal, forgotten
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
_SUCCESS, _LEADER_CHANGED, _UNKNOWN = 0, 5, 7
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


class PySyncObjNode(Replica):
    """One node of PySyncObj 0.3.17."""

    name = "pysyncobj"
    about = "PySyncObj 0.3.17, a Raft in Python"
    library_class: ClassVar[type[Library]]
    supports = ("streams", "message size", "snapshots", "leadership transfer", "forwarding")
    wants_waiting = True
    options = OPTIONS
    known_issues = KNOWN_ISSUES
    #: What is changed of the library beside what is mended: a planted mistake.
    planted: frozenset[Patch] = frozenset()
    #: The same, of the adapter's: it sends before what it has written is durable.
    sends_early = False

    @classmethod
    def reset(cls, settings: Settings) -> None:
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
        self.peers = {peer: Node(peer) for peer in self.settings.nodes if peer != self.id}
        self.transport = PeerTransport(self)
        library.enter(self)
        others = [self.peers[peer] for peer in disk.configuration.voters if peer != self.id]
        self.library = self.library_class(
            Node(self.id), others, self._conf(), transport=self.transport
        )
        # The library loads its dump with the first tick.
        self._go_on(ticks=True)
        self.journal.is_starting = False

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
        self._show_role()
        kind, term = message["type"], self.library.raftCurrentTerm
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
            self.report_configuration(installed, self.serializer.arrived.configuration)
        self.serializer.arrived = None
        commit = self.library.raftCommitIndex - 1
        if commit != self._shown_commit:
            self._shown_commit = commit
            self.report_committed(commit)
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
        if term > self._shown_role[1]:
            role = library.CANDIDATE if vote == self.id else library.FOLLOWER
            self._show(role, term)
        else:
            self._show_role()

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


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves PySyncObj to Squall.")
    parser.add_argument("--broken", choices=[*PLANTED, SEND_EARLY], help="with this mistake in it")
    broken = parser.parse_args().broken
    if broken == SEND_EARLY:
        PySyncObjNode.sends_early = True
    elif broken is not None:
        PySyncObjNode.planted = all_of([broken], PLANTED)
    serve(PySyncObjNode)


if __name__ == "__main__":
    main()
