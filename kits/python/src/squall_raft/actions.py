"""What a node wants done: one method an action, each of which encodes it at once.

Knows what actions look like in a frame, and nothing of requests or of who sends the answer. The
methods run in every step, so each one joins a few ready-made pieces and calls no function of the
kit that it can do without.
"""

from __future__ import annotations

from .cbor import ARRAY, BOOL, BYTES, NULL, UINT, Item, decode, encode_text
from .failure import Failure
from .values import Configuration

_SYNCS = {
    (wait, tell): b"\x83\x05" + BOOL[wait] + BOOL[tell]
    for wait in (False, True)
    for tell in (False, True)
}
#: From the label on: what a message promises.
_CLAIMS_NOTHING = b"\x00\x00"
_CLAIMS_APPENDED = b"\x01"
_CLAIMS_VOTED = b"\x02"


class Actions:
    """The actions of one node, in the order in which it wants them done.

    Writes, syncs and reports are done in order; messages leave after all of these that came in the
    same step, but for what waits for a sync. **A write promises nothing before a sync after it is
    over.** So whatever tells others of a write comes after ``sync()``, which waits.
    """

    def __init__(self, actions: list[bytes] | None = None) -> None:
        #: The encoded actions of the step that is under way.
        self._actions: list[bytes] = [] if actions is None else actions
        self._syncs = 0

    # ---- writes

    def write_hard_state(self, term: int, vote: int) -> None:
        """Writes term and vote, when either has changed. 0 is nobody."""
        self._actions.append(b"\x83\x00" + UINT[term] + UINT[vote])

    def write_entry(self, index: int, term: int, data: bytes, kind: int = 0) -> None:
        """Writes an entry, in place of the one at this index and of all after it. ``kind`` is 0
        for a command, and for the empty entry that a leader begins with; others are changes of
        the configuration, in a format of the adapter's."""
        if type(data) is not bytes:
            data = _as_bytes(data)
        self._actions.append(
            b"".join((b"\x85\x01", UINT[index], UINT[term], UINT[kind], BYTES[len(data)], data))
        )

    def write_commit(self, index: int) -> None:
        """Writes the commit index, for libraries that restore it from the disk."""
        self._actions.append(b"\x82\x02" + UINT[index])

    def reset_log(self, next_index: int) -> None:
        """The log is empty and goes on at ``next_index``, which follows a snapshot."""
        self._actions.append(b"\x82\x03" + UINT[next_index])

    def compact_log(self, through: int) -> None:
        """Entries up to ``through`` are gone, for which a snapshot stands. Squall does this by
        itself with the snapshots that it takes."""
        self._actions.append(b"\x82\x04" + UINT[through])

    def sync(self, wait: bool = True, tell: bool = False) -> int:
        """Makes all writes so far durable. With ``wait``, all that follows is done when it is, and
        the node gets no input before. With ``tell``, ``synced`` is called when it is. Returns its
        number."""
        self._actions.append(_SYNCS[wait, tell])
        self._syncs += 1
        return self._syncs

    # ---- messages

    def send(
        self,
        to: int,
        kind: int,
        term: int,
        data: bytes,
        *,
        voted_for: int | None = None,
        appended: int | None = None,
        snapshot: bool = False,
    ) -> None:
        """Sends ``data``, the library's message, to the node ``to``.

        ``kind`` is a ``MessageKind``. ``term`` is the sender's, and 0 where the message carries
        none, or one that the sender has not entered, as a pre-vote does. It has to be durable.

        ``voted_for`` goes with a vote that is granted, and with a candidate's request for votes
        (its own id). ``appended`` goes with the answer to an append: the sender's log is durable
        up to this index, **and is the receiver's log up to there**, so it claims no more than the
        appends of this leader have covered. With ``snapshot``, the node's newest durable snapshot
        goes along.
        """
        if voted_for is not None:
            if appended is not None:
                raise ValueError("a message promises a vote or a log, not both")
            claim = _CLAIMS_VOTED + UINT[voted_for]
        elif appended is not None:
            claim = _CLAIMS_APPENDED + UINT[appended]
        else:
            claim = _CLAIMS_NOTHING
        if type(data) is not bytes:
            data = _as_bytes(data)
        self._actions.append(
            b"".join(
                (
                    b"\x88\x06",
                    UINT[to],
                    UINT[kind],
                    UINT[term],
                    claim,
                    BYTES[len(data)],
                    data,
                    BOOL[snapshot],
                )
            )
        )

    # ---- reports

    def report_role(self, role: int, term: int) -> None:
        """The node is this ``Role`` in this term from now on. Due when either changes: before the
        writes of the same step, and before a message of that term."""
        self._actions.append(b"\x83\x07" + UINT[role] + UINT[term])

    def report_committed(self, index: int) -> None:
        """The node knows the log to be committed up to here. Due when that changes: after these
        entries are written, and before they are applied."""
        self._actions.append(b"\x82\x08" + UINT[index])

    def apply(self, through: int, more: bool = False) -> None:
        """The entries up to here, as they were written, are applied to the state machine, and
        clients that wait for them here are answered. ``more`` says that more of the same batch
        follows, as around a change of the configuration."""
        self._actions.append(b"\x83\x09" + UINT[through] + BOOL[more])

    def report_configuration(self, index: int, configuration: Configuration) -> None:
        """This configuration is in force because of the entry at ``index``. Due before anything is
        counted by it."""
        self._actions.append(b"\x83\x0a" + UINT[index] + configuration.encode())

    def report_transfer(self, to: int = 0) -> None:
        """Leadership is being handed over to this node; 0: no longer."""
        self._actions.append(b"\x82\x0d" + UINT[to])

    def report_event(self, event: int) -> None:
        """Something happened that is worth counting and that nothing else shows: a
        ``LibraryEvent``."""
        self._actions.append(b"\x82\x0e" + UINT[event])

    def report_broken_promise(self, promise: int, what: int, term: int) -> None:
        """The library broke a ``BrokenPromise``: it stood without a vote (``what`` is its role),
        or handed leadership to a node that has no vote (``what`` is that node)."""
        self._actions.append(b"\x84\x0f" + UINT[promise] + UINT[what] + UINT[term])

    # ---- clients

    def refuse(self, request: int, leader: int = 0) -> None:
        """A request is not taken. Its client may ask ``leader``, if it is not 0."""
        self._actions.append(b"\x83\x0b" + UINT[request] + UINT[leader])

    def confirm_read(self, request: int, index: int) -> None:
        """A read may be served from ``index`` on. It is, when so much is applied."""
        self._actions.append(b"\x83\x0c" + UINT[request] + UINT[index])

    # ---- snapshots

    def save_snapshot(self, index: int) -> None:
        """Writes the snapshot of this index, which came with a message."""
        self._actions.append(b"\x82\x10" + UINT[index])

    def install_snapshot(self, index: int) -> None:
        """The state machine is as that snapshot has it from now on."""
        self._actions.append(b"\x82\x11" + UINT[index])

    def want_snapshot(self) -> None:
        """A peer needs a snapshot that the node has not: one is taken."""
        self._actions.append(b"\x81\x12")

    # ---- the node itself

    def halt(self, reason: str) -> None:
        """The node cannot go on, and wants to be restarted. Reasons are to be few: of many
        different ones, the later are not told."""
        self._actions.append(b"\x82\x13" + encode_text(reason))

    def note(self, line: str) -> None:
        """A line of the library's log, for traces."""
        self._actions.append(b"\x82\x14" + encode_text(line))

    def idle(self, ticks: int) -> None:
        """So many ticks do nothing, if nothing else comes first; until then they are counted and
        not sent: see ``Replica.skip_ticks``."""
        self._actions.append(b"\x82\x15" + UINT[ticks])

    def fail(self, text: str) -> None:
        """The library failed: a violation of ``no-panic``. An exception does the same; this is for
        libraries that tell it otherwise."""
        self._actions.append(b"\x82\x16" + encode_text(text))

    # ---- for whoever carries them out

    def take_actions(self) -> list[Item]:
        """The actions since the last call, decoded, for tests that drive a node by hand."""
        actions = [decode(action) for action in self._actions]
        self._actions.clear()
        return actions


def _as_bytes(data: object) -> bytes:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"data is bytes, not {type(data).__name__}")
    return bytes(data)


def answer(actions: list[bytes]) -> bytes:
    """An answer with these actions."""
    return ARRAY[len(actions)] + b"".join(actions)


def failed(failure: Failure) -> bytes:
    """An answer with the action ``failed`` alone."""
    if not failure.file:
        return b"\x81\x82\x16" + encode_text(failure.text)
    place = encode_text(failure.file) + UINT[failure.line]
    return b"\x81\x84\x16" + encode_text(failure.text) + place


def words(text: str | None) -> bytes:
    """An answer to ``describe``."""
    return NULL if text is None else encode_text(text)
