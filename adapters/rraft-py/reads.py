"""Linearizable reads under way at a node: how they are named, and which name was whose."""

from __future__ import annotations

from typing import Any, NamedTuple

_COUNT_BYTES = 8


class _Waiting(NamedTuple):
    request: int
    #: The term that the node led when it took the read; none where it passed it on.
    led: int | None


class Reads:
    """Names reads for the library, which knows them by a string of bytes alone.

    A leader calls a read by the name that it came with and a count of its own behind it, and so by
    a name that was never used before. An answer to a heartbeat names the read that it was sent
    for, and one that is late would otherwise confirm a read that has come again since, by a retry
    or as a copy on the network.
    """

    def __init__(self, node: int, incarnation: int) -> None:
        self._prefix = bytes((node,)) + incarnation.to_bytes(4, "big")
        self._asked = 0
        self._arrived = 0
        #: By the name that this node gave.
        self._waiting: dict[bytes, _Waiting] = {}
        #: The node that each read of a leader came from, by the leader's name for it; 0: itself.
        self._from: dict[bytes, int] = {}

    def begin(self, request: int, led: int | None) -> bytes:
        """This node is asked for a read. Its name."""
        self._asked += 1
        name = self._prefix + self._asked.to_bytes(_COUNT_BYTES, "big")
        self._waiting[name] = _Waiting(request, led)
        return name

    def name_at_leader(self, raft: Any, sender: int, name: bytes) -> bytes:
        """Under which name a leader is to confirm a read that came as `name` from this node (0: it
        was asked itself): as long as it waits for one that has come so, under the same."""
        queue = [bytes(waiting) for waiting in raft.get_readonly_read_index_queue()]
        for waiting in queue:
            if waiting.startswith(name) and self._from.get(waiting) == sender:
                return waiting
        # Names that are not waited for are never used again.
        self._from = {known: self._from[known] for known in queue if known in self._from}
        self._arrived += 1
        named = name + self._arrived.to_bytes(_COUNT_BYTES, "big")
        self._from[named] = sender
        return named

    def confirm(self, name: bytes) -> int | None:
        """The library has confirmed a read. The request, if this node still waits for it."""
        waiting = self._waiting.pop(name[: len(self._prefix) + _COUNT_BYTES], None)
        return None if waiting is None else waiting.request

    def forget(self, request: int) -> None:
        """A read is waited for no longer."""
        for name, waiting in self._waiting.items():
            if waiting.request == request:
                del self._waiting[name]
                return

    def take_of_other_terms(self, leads: int | None) -> list[int]:
        """The requests that the node took as a leader, where that is over; `leads` is the term
        that it leads now. The library has forgotten them."""
        lost: list[tuple[bytes, int]] = [
            (name, waiting.request)
            for name, waiting in self._waiting.items()
            if waiting.led is not None and waiting.led != leads
        ]
        for name, _ in lost:
            del self._waiting[name]
        return [request for _, request in lost]
