"""The log and the snapshot as the library reads them: what raft-rs calls a `Storage`, in Python.

rraft-py has a `MemStorage`, which the library's own authors call a toy: it makes a snapshot of whatever is committed
each time that one is asked for, and forgets the term of the last entry that was compacted. This one has the newest
snapshot that is durable, and says where there is none. It is a node's memory; its disk is Squall's.
"""

from __future__ import annotations

from typing import Any, NoReturn

import rraft
from squall_raft import Configuration, Disk, Snapshot

from messages import conf_state_of, configuration_of, library_snapshot

ENTRY_TYPES = (
    rraft.EntryType.EntryNormal,
    rraft.EntryType.EntryConfChange,
    rraft.EntryType.EntryConfChangeV2,
)


class Store:
    """What the library may read back."""

    def __init__(self, disk: Disk) -> None:
        self.term = disk.term
        self.vote = disk.vote
        self.commit = disk.commit
        self.configuration = disk.configuration
        #: The newest snapshot that is durable.
        self.kept = disk.snapshot
        #: The library has asked for a snapshot that is not there.
        self.wanted = False
        self._kept_for_library = library_snapshot(disk.snapshot)
        self._first = disk.first
        self._term_before = disk.before
        self._entries: list[Any] = []
        self._terms: list[int] = []
        self._sizes: list[int] = []
        for index, kept in enumerate(disk.entries, disk.first):
            entry: Any = rraft.Entry.default()
            it = entry.make_ref()
            it.set_index(index)
            it.set_term(kept.term)
            it.set_data(kept.data)
            it.set_entry_type(ENTRY_TYPES[kept.kind])
            self.place(index, kept.term, entry, it.compute_size())

    # ---- what the driver writes

    def place(self, index: int, term: int, entry: Any, size: int) -> None:
        """Puts an entry in place of the one at its index and of all after it."""
        at = index - self._first
        if at < len(self._terms):
            del self._entries[at:], self._terms[at:], self._sizes[at:]
        self._entries.append(entry)
        self._terms.append(term)
        self._sizes.append(size)

    def restore(self, snapshot: Snapshot) -> None:
        """Puts a leader's snapshot in place of the whole log."""
        self.keep(snapshot)
        self.configuration = snapshot.configuration
        self._first = snapshot.index + 1
        self._term_before = snapshot.term
        self._entries, self._terms, self._sizes = [], [], []

    def keep(self, snapshot: Snapshot) -> None:
        """Keeps a snapshot of the node's own."""
        self.kept = snapshot
        self._kept_for_library = library_snapshot(snapshot)

    def compact(self, through: int) -> None:
        """Drops entries up to and including `through`, for which the snapshot stands."""
        count = through + 1 - self._first
        if count > 0:
            self._term_before = self._terms[count - 1]
            self._first = through + 1
            del self._entries[:count], self._terms[:count], self._sizes[:count]

    def set_conf_state(self, conf_state: Any) -> Configuration:
        """Enters another configuration, and says which."""
        self.configuration = configuration_of(conf_state)
        return self.configuration

    # ---- what the library calls

    def initial_state(self) -> Any:
        state: Any = rraft.RaftState
        hard_state = rraft.HardState.default()
        it = hard_state.make_ref()
        it.set_term(self.term)
        it.set_vote(self.vote)
        it.set_commit(self.commit)
        return state(hard_state, conf_state_of(self.configuration))

    def first_index(self) -> int:
        return self._first

    def last_index(self) -> int:
        return self._first + len(self._terms) - 1

    def term_of(self, index: int) -> int | None:
        at = index - self._first
        if at == -1:
            return self._term_before
        return self._terms[at] if 0 <= at < len(self._terms) else None

    def entries(self, low: int, high: int, context: Any, max_size: int | None) -> list[Any]:
        if low < self._first:
            _raise(rraft.CompactedError)
        start, end = low - self._first, high - self._first
        if end > len(self._terms):
            raise IndexError(f"entries up to {high} of {self._first + len(self._terms)}")
        if max_size is not None:
            size = 0
            for at in range(start, end):
                size += self._sizes[at]
                # One entry is handed over whatever its size.
                if size > max_size and at > start:
                    end = at
                    break
        return self._entries[start:end]

    def snapshot(self, request_index: int, to: int) -> Any:
        kept = self.kept
        # One from before `to` was a member is of no use to it: the library ignores a snapshot
        # whose configuration does not hold its receiver.
        if kept is None or kept.index < request_index or to not in _members(kept.configuration):
            self.wanted = True
            _raise(rraft.SnapshotTemporarilyUnavailableError)
        return self._kept_for_library


class Readable:
    """The store by the names that the library calls. `term` is the hard state's there, and an entry's here."""

    def __init__(self, store: Store) -> None:
        self.initial_state = store.initial_state
        self.first_index = store.first_index
        self.last_index = store.last_index
        self.entries = store.entries
        self.snapshot = store.snapshot
        self._store = store

    def term(self, index: int) -> int:
        term = self._store.term_of(index)
        if term is None:
            is_low = index < self._store.first_index()
            _raise(rraft.CompactedError if is_low else rraft.UnavailableError)
        return term


def _members(configuration: Configuration) -> tuple[int, ...]:
    return configuration.voters + configuration.learners + configuration.outgoing


def _raise(kind: Any) -> NoReturn:
    raise rraft.StoreError(kind())
