"""The adapter's options, and what is known of the library: FINDINGS.md has the defects."""

from __future__ import annotations

from squall_raft import KnownIssue, Option

OPTIONS = (
    Option(
        "append-at-once",
        "appendEntriesUseBatch is off: commands are sent as they come, and not with the next "
        "heartbeat",
        percent=50,
    ),
    Option(
        "fall-back-soon",
        "leaderFallbackTimeout is two election time-outs, and not 75",
        percent=50,
    ),
    Option(
        "commit-before-dump",
        "a part of a dump raises the commit index; otherwise the whole dump does",
    ),
    Option(
        "dump-over-newer-log",
        "a dump takes the place of a log that has all of it; otherwise it is dropped",
    ),
    Option(
        "journal-cleared-at-start",
        "a node that crashed before its journal was cut for a dump starts from the dump alone",
    ),
    Option(
        "cut-what-matches",
        "an append cuts off all that follows its previous entry; otherwise what conflicts with it",
    ),
    Option(
        "optimistic-from-the-start",
        "a leader sends all it has to a follower whose log it does not know yet; otherwise one "
        "message at a time",
    ),
    Option(
        "finish-early",
        "of an entry that is sent in parts, each one that reaches the length of the command is "
        "called the last; "
        "otherwise the last is",
    ),
    Option(
        "late-answers",
        "a leader takes answers to appends of an earlier term of its own; otherwise they are "
        "dropped",
    ),
    Option("unsynced", "nothing is ever synced, as by the library's own journal"),
    Option("in-memory", "a node starts with nothing, as by the library's defaults"),
)


def _issue(name: str, about: str, *breaks: str) -> KnownIssue:
    return KnownIssue(name, about, breaks, triggers=(name,))


KNOWN_ISSUES = (
    _issue(
        "commit-before-dump",
        "entries of a follower's own are committed while a dump that is to replace them is on its "
        "way",
        "state-machine-safety",
        "leader-completeness",
        "monotonic",
    ),
    _issue(
        "dump-over-newer-log",
        "a follower drops entries that it has acknowledged, for a dump that is older",
        "monotonic",
        "durable-commit",
        "ack-before-durable",
    ),
    _issue(
        "journal-cleared-at-start",
        "a node that has crashed after a dump, before its journal was cut, starts without what "
        "follows the dump",
        "monotonic",
        "durable-commit",
    ),
    _issue(
        "cut-what-matches",
        "a follower cuts off entries that it has acknowledged, when earlier ones come again",
        "ack-before-durable",
        "durable-commit",
        "monotonic",
    ),
    _issue(
        "optimistic-from-the-start",
        "a follower with other entries never catches up, where what it lacks takes two messages",
        "liveness",
    ),
    _issue("finish-early", "a follower fails to read an entry that is sent in parts", "no-panic"),
    _issue(
        "late-answers",
        "a leader counts an answer to an append of an earlier term of its own",
        "durable-commit",
        "leader-completeness",
        "state-machine-safety",
    ),
    _issue("unsynced", "acknowledgements and votes are not durable", "ack-before-durable"),
    _issue("in-memory", "a node that restarts has forgotten its term, vote and log", "monotonic"),
)

#: With changes of the membership.
MEMBERSHIP_OPTIONS = (
    Option(
        "changes-overlap",
        "a leader begins a change of the membership while another is not committed; otherwise it "
        "refuses",
    ),
    Option(
        "changes-when-applied",
        "changes of the membership in a log are in force after a restart when they are applied, "
        "and are carried out "
        "again then; otherwise they are in force from the start",
    ),
)
MEMBERSHIP_ISSUES = (
    _issue(
        "changes-overlap",
        "a leader begins a change of the membership while another is not committed",
        "configuration",
        "election-safety",
        "leader-completeness",
        "durable-commit",
    ),
    _issue(
        "changes-when-applied",
        "a node that has restarted goes by a membership that is older than its log",
        "configuration",
        "election-safety",
        "leader-completeness",
        "liveness",
    ),
)
