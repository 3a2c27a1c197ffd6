"""The library's journal, kept by Squall's disk, and its serializer, whose dumps are Squall's snapshots.

The library's log begins with an entry 1 that no leader wrote, of term 0. Squall's begins behind it: the library's entry
`n + 1` is Squall's `n`. Once a dump stands for the beginning of the log, the library keeps the dump's last two entries.
Squall keeps of those no more than the last one's index and term, so here the journal begins with that one.
"""

from __future__ import annotations

from typing import Any, Callable

from squall_raft import Disk, Replica, Snapshot

from library import SERIALIZER_STATE

Entry = tuple[bytes, int, int]

_REGULAR, _NO_OP, _MEMBERSHIP = 0, 1, 2
#: What begins the bytes of a command: its type, and the mark that `library` puts on what clients ask for.
_COMMAND = b"\x00C"
NO_OP = bytes((_NO_OP,))
MEMBERSHIP = bytes((_MEMBERSHIP,))


def kind_and_data(command: bytes) -> tuple[int, bytes]:
    """An entry's command as Squall knows it."""
    if command.startswith(_COMMAND):
        return 0, command[len(_COMMAND) :]
    return (0, b"") if command == NO_OP else (1, command)


def command_of(kind: int, data: bytes) -> bytes:
    """The command of an entry on Squall's disk."""
    if kind == 0:
        return _COMMAND + data if data else NO_OP
    return data


def forgotten(disk: Disk) -> Disk:
    """What is left of a disk to a node that keeps all in memory: nothing."""
    return disk._replace(term=0, vote=0, commit=0, snapshot=None, first=1, before=0, entries=[])


class Journal:
    """What the library's `Journal` asks for, written to Squall's disk."""

    def __init__(self, disk: Disk, actions: Replica, *, keeps_behind_dump: bool) -> None:
        self._actions = actions
        base = disk.first
        self._entries: list[Entry] = [(NO_OP, base, disk.before)]
        for index, entry in enumerate(disk.entries, base + 1):
            self._entries.append((command_of(entry.kind, entry.data), index, entry.term))
        if disk.snapshot is not None and keeps_behind_dump:
            # A crash has come between a dump and the cut of the log that it stands for.
            end, term = disk.snapshot.index + 1, disk.snapshot.term
            if base < end <= self._entries[-1][1] and self._entries[end - base][2] == term:
                self._entries = [(NO_OP, end, term), *self._entries[end - base + 1 :]]
        self._term, self._vote = disk.term, disk.vote
        self._stored_commit = self._commit = disk.commit + 1
        #: Where the newest durable dump ends, as the library counts, and its last entry's term.
        self.dump: tuple[int, int] | None = None
        if disk.snapshot is not None:
            self.dump = disk.snapshot.index + 1, disk.snapshot.term
        #: Something has been written since `settle`.
        self.is_dirty = False
        #: Entries have been cut off, and none has been written in their place.
        self._is_cut = False
        self._is_cleared = False
        #: There is a dump, and nothing has been added behind it.
        self._is_new = False
        #: The library loads the dump that it starts from.
        self.is_starting = True
        #: The dump that has taken the place of the log since `settle`.
        self.installed: int | None = None
        #: Called before anything is written.
        self.after_add: Callable[[int], None] = lambda index: None
        self.before_write: Callable[[int, int | None], None] = lambda term, vote: None

    # ---- what the library calls

    def add(self, command: bytes, index: int, term: int) -> None:
        if self._is_cleared:
            self._take_place_of_log(index, term)
            return
        entries = self._entries
        if entries[-1][1] == index and self._is_new:
            # Both entries of a dump are its last one.
            return
        self.before_write(self._term, None)
        kind, data = kind_and_data(command)
        self._actions.write_entry(index - 1, term, data, kind)
        entries.append((command, index, term))
        self._is_cut = self._is_new = False
        self.is_dirty = True
        self.after_add(index)

    def clear(self) -> None:
        self._entries = []
        self._is_cleared = True

    def deleteEntriesFrom(self, position: int) -> None:
        del self._entries[position:]
        self._is_cut = self.is_dirty = True

    def deleteEntriesTo(self, position: int) -> None:
        self._entries = self._entries[position:]

    def __getitem__(self, item: Any) -> Any:
        if item == 1 and self.dump is not None:
            # The library asks for where the dump ends, by the place that this has in its journal.
            return NO_OP, *self.dump
        return self._entries[item]

    def __len__(self) -> int:
        # The library keeps one more entry of a dump.
        return len(self._entries) + (self.dump is not None)

    def _destroy(self) -> None:
        pass

    def setRaftCommitIndex(self, index: int) -> None:
        self._commit = index

    def getRaftCommitIndex(self) -> int:
        return self._commit

    def setCurrentTerm(self, term: int, vote: int | None) -> None:
        self.before_write(term, vote)
        self._term, self._vote = term, vote or 0
        self._actions.write_hard_state(term, self._vote)
        self.is_dirty = True
        self._store_commit()

    def getCurrentTerm(self) -> int:
        return self._term

    def getVotedForNodeId(self) -> int | None:
        return self._vote or None

    def onOneSecondTimer(self) -> None:
        self._store_commit()

    # ---- what the node calls

    def settle(self) -> bool:
        """A step is over. Whether something has been written in it."""
        if self._is_cut:
            self._cut()
        was_dirty, self.is_dirty = self.is_dirty, False
        return was_dirty

    def commands(self) -> list[bytes]:
        return [command for command, _, _ in self._entries]

    def change_after(self, index: int, head: bytes) -> int | None:
        """The first entry after `index` whose command begins so."""
        for command, at, _ in self._entries:
            if at > index and command.startswith(head):
                return at
        return None

    def has(self, index: int, term: int) -> bool:
        """Whether this entry, which is committed, is in the log or before it, as the library counts."""
        at = index - self._entries[0][1]
        return at < 0 or (at < len(self._entries) and self._entries[at][2] == term)

    def compacted(self, snapshot: Snapshot) -> None:
        self.dump = snapshot.index + 1, snapshot.term

    def _store_commit(self) -> None:
        if self._commit != self._stored_commit:
            self._stored_commit = self._commit
            self._actions.write_commit(self._commit - 1)
            self.is_dirty = True

    def _cut(self) -> None:
        """What has been cut off goes from the disk as well, where the last entry that is left is written again."""
        self._is_cut = False
        command, index, term = self._entries[-1]
        if len(self._entries) > 1:
            kind, data = kind_and_data(command)
            self._actions.write_entry(index - 1, term, data, kind)
        else:
            self._actions.reset_log(index)

    def _take_place_of_log(self, index: int, term: int) -> None:
        """A dump that comes from a leader is durable before the log is given up for it."""
        self._is_cleared, self._is_cut = False, False
        self._entries = [(NO_OP, index, term)]
        self.dump = index, term
        self._is_new = True
        if not self.is_starting:
            self.installed = index - 1
            self._actions.save_snapshot(index - 1)
            self._actions.sync()
        self._actions.reset_log(index)
        self.is_dirty = True


class Dumps:
    """What the library's `Serializer` does, with Squall's snapshots for dumps. As a dump is sent in
    parts, there are two here as well: the dump, and an empty one that ends it, with which the
    snapshot travels."""

    def __init__(self, journal: Journal, kept: Snapshot | None, *, takes_older: bool) -> None:
        self._journal = journal
        #: The dump that the node starts from.
        self.kept = kept
        #: A dump takes the place of a log that has all of it, and more.
        self._takes_older = takes_older
        #: The last of the entries that a dump of this node's stands for, until the library has been told.
        self._finished: int | None = None
        #: How many parts of the dump each peer has been sent.
        self._sent: dict[Any, int] = {}
        self._is_coming = False
        #: What the library calls the nodes.
        self.nodes: dict[int, Any] = {}
        #: The snapshot that has come with the message that is being handled.
        self.arrived: Snapshot | None = None

    def finish(self, through: int) -> None:
        """A snapshot of the node's own is durable, and the log up to `through`, as Squall counts,
        may go. Of the entries that go, the library keeps two."""
        self._finished = through

    # ---- what the library calls

    def checkSerializing(self) -> tuple[int, int | None]:
        if self._finished is None:
            return SERIALIZER_STATE.NOT_SERIALIZING, None
        finished, self._finished = self._finished, None
        self._sent.clear()
        return SERIALIZER_STATE.SUCCESS, finished

    def getTransmissionData(self, peer: Any) -> tuple[bytes, bool, bool] | None:
        sent = self._sent.get(peer, 0)
        if sent == 0:
            self._sent[peer] = 1
            return b"dump", True, False
        del self._sent[peer]
        return b"", False, True

    def cancelTransmisstion(self, peer: Any) -> None:
        self._sent.pop(peer, None)

    def setTransmissionData(self, part: Any) -> bool:
        if part is None:
            return False
        _, is_first, is_last = part
        if is_first:
            self._is_coming = True
        elif not self._is_coming:
            return False
        if not is_last:
            return False
        self._is_coming = False
        arrived = self.arrived
        if arrived is None:
            return False
        return self._takes_older or not self._journal.has(arrived.index + 1, arrived.term)

    def deserialize(self) -> tuple[None, Entry, Entry, list[Any]]:
        dump = self.arrived or self.kept
        assert dump is not None
        last = (NO_OP, dump.index + 1, dump.term)
        return None, last, last, [self.nodes[voter] for voter in dump.configuration.voters]
