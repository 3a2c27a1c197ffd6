"""A timer counted in ticks, for libraries that ask for one and keep none.

Its draws are those of Squall's own adapters: they depend on the node's seed, its id, its
incarnation and a count of waits, and on nothing else.
"""

from __future__ import annotations

from .values import Disk, Role, Settings

_WORD = (1 << 64) - 1


def mix(word: int, value: int) -> int:
    """Folds ``value`` into the running 64-bit hash ``word``."""
    word = (((word << 23) | (word >> 41)) & _WORD) ^ value
    word = (word * 0x9E37_79B9_7F4A_7C15) & _WORD
    word = ((word << 29) | (word >> 35)) & _WORD
    return (word + 0xD1B5_4A32_D192_ED03) & _WORD


def finish(word: int) -> int:
    """The last step of a hash: spreads every bit over the whole word."""
    word ^= word >> 33
    word = (word * 0xFF51_AFD7_ED55_8CCD) & _WORD
    word ^= word >> 33
    word = (word * 0xC4CE_B9FE_1A85_EC53) & _WORD
    return word ^ (word >> 33)


class ElectionTimer:
    """One wait for a leader's next heartbeat, a longer, random one for any other node's next
    election.

    An election's wait is drawn evenly from one to two times ``election_ticks`` (Raft paper,
    section 5.2). A library that draws time-outs from its own randomness has to be given these
    instead, or its runs do not repeat.
    """

    def __init__(self, node: int, disk: Disk, settings: Settings) -> None:
        self._key = mix(disk.seed, node << 32 | disk.incarnation)
        self._election_ticks = settings.raft.election_ticks
        self._heartbeat_ticks = settings.raft.heartbeat_ticks
        self._waits = 0
        #: Ticks left; 0 when the timer is not set.
        self.left = 0

    def set(self, role: int) -> None:
        """Sets it anew for a node in this role, whatever was left."""
        leads = role == Role.LEADER
        self.left = self._heartbeat_ticks if leads else self.draw_election_ticks()

    def draw_election_ticks(self) -> int:
        """How many ticks the next election waits: for a library that counts them itself."""
        self._waits += 1
        drawn = finish(mix(self._key, self._waits))
        return self._election_ticks + drawn % self._election_ticks

    def tick(self, count: int = 1) -> bool:
        """So many ticks have passed. Returns whether the wait is over; it is over once."""
        left = self.left
        if left == 0:
            return False
        self.left = left = left - count if left > count else 0
        return left == 0
