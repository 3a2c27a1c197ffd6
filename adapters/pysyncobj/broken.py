"""Mistakes to plant in the library: each is found by the default sweep."""

from __future__ import annotations

from patches import Patch

_RECEIVE = "__onMessageReceived"

PLANTED: dict[str, tuple[Patch, ...]] = {
    "vote-not-recorded": (
        Patch(_RECEIVE, "self.__setCurrentTerm(self.__raftCurrentTerm, node.id)", "pass"),
    ),
    "term-not-restored": (
        Patch(
            "__init__",
            "self.__raftCurrentTerm = max(self.__raftLog.getCurrentTerm(), self.__getCurrentLogTerm())",
            "self.__raftCurrentTerm = self.__getCurrentLogTerm()",
        ),
    ),
    "any-term-counts": (
        Patch("_onTick", "if commitTerm != self.__raftCurrentTerm:\n    continue", ""),
    ),
    "previous-term-not-compared": (
        Patch(_RECEIVE, "if prevEntries[0][2] != prevLogTerm:", "if False:"),
    ),
    "votes-for-older-logs": (
        Patch(_RECEIVE, "if lastLogTerm < self.__getCurrentLogTerm():\n    return", ""),
    ),
    "conflicts-kept": (Patch(_RECEIVE, "self.__deleteEntriesFrom(prevLogIdx + 1)", "pass"),),
    "half-is-a-majority": (
        Patch(
            "_onTick",
            "if count <= (len(self.__otherNodes) + 1) / 2:\n    break",
            "if count < len(self.__otherNodes) / 2:\n    break",
        ),
    ),
}
