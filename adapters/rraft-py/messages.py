"""The library's types in Squall's terms, and back."""

from __future__ import annotations

from typing import Any

import rraft
from squall_raft import Configuration, MessageKind, Replica, Snapshot

#: The library's types of messages, as numbers: it counts them so on the wire.
PROPOSE, APPEND, APPEND_RESPONSE, REQUEST_VOTE, REQUEST_VOTE_RESPONSE = (2, 3, 4, 5, 6)
SNAPSHOT, HEARTBEAT, HEARTBEAT_RESPONSE = (7, 8, 9)
TRANSFER_LEADER, TIMEOUT_NOW, READ_INDEX, READ_INDEX_RESPONSE = (13, 14, 15, 16)
REQUEST_PRE_VOTE, REQUEST_PRE_VOTE_RESPONSE = (17, 18)

_KINDS: dict[int, MessageKind] = {
    APPEND: MessageKind.APPEND,
    APPEND_RESPONSE: MessageKind.APPEND_REPLY,
    HEARTBEAT: MessageKind.HEARTBEAT,
    HEARTBEAT_RESPONSE: MessageKind.HEARTBEAT_REPLY,
    REQUEST_VOTE: MessageKind.VOTE,
    REQUEST_VOTE_RESPONSE: MessageKind.VOTE_REPLY,
    REQUEST_PRE_VOTE: MessageKind.PRE_VOTE,
    REQUEST_PRE_VOTE_RESPONSE: MessageKind.PRE_VOTE_REPLY,
    SNAPSHOT: MessageKind.SNAPSHOT,
    TIMEOUT_NOW: MessageKind.TIMEOUT_NOW,
    PROPOSE: MessageKind.FORWARD,
    TRANSFER_LEADER: MessageKind.FORWARD,
    READ_INDEX: MessageKind.FORWARD,
    READ_INDEX_RESPONSE: MessageKind.FORWARD,
}
_WORDS = {
    MessageKind.APPEND: "append",
    MessageKind.APPEND_REPLY: "append reply",
    MessageKind.HEARTBEAT: "heartbeat",
    MessageKind.HEARTBEAT_REPLY: "heartbeat reply",
    MessageKind.VOTE: "vote request",
    MessageKind.VOTE_REPLY: "vote reply",
    MessageKind.PRE_VOTE: "pre-vote request",
    MessageKind.PRE_VOTE_REPLY: "pre-vote reply",
    MessageKind.SNAPSHOT: "snapshot",
    MessageKind.TIMEOUT_NOW: "timeout-now",
    MessageKind.FORWARD: "forwarded request",
}
#: Those that promise no more than their term.
_PLAIN = {kind: int(_KINDS[kind]) for kind in (APPEND, HEARTBEAT, HEARTBEAT_RESPONSE, TIMEOUT_NOW)}


def send(node: Replica, message: Any) -> None:
    """Sends a message of the library's, with what it is and what it promises."""
    it = message.make_ref()
    number = hash(it.get_msg_type())
    to, data = it.get_to(), it.encode()
    if number in _PLAIN:
        node.send(to, _PLAIN[number], it.get_term(), data)
    elif number == APPEND_RESPONSE:
        index = it.get_index()
        promises = index > 0 and not it.get_reject()
        appended = index if promises else None
        node.send(to, MessageKind.APPEND_REPLY, it.get_term(), data, appended=appended)
    elif number == REQUEST_VOTE:
        node.send(to, MessageKind.VOTE, it.get_term(), data, voted_for=it.get_from())
    elif number == REQUEST_VOTE_RESPONSE:
        voted_for = None if it.get_reject() else to
        node.send(to, MessageKind.VOTE_REPLY, it.get_term(), data, voted_for=voted_for)
    elif number in (REQUEST_PRE_VOTE, REQUEST_PRE_VOTE_RESPONSE):
        # It speaks of a term that its sender has not entered.
        node.send(to, _KINDS[number], 0, data)
    else:
        # A number that is missing there is of a message that no peer is to get.
        carries = number == SNAPSHOT
        node.send(to, _KINDS[number], it.get_term(), data, snapshot=carries)


def receive(data: bytes, snapshot: Snapshot | None) -> tuple[Any, Any]:
    """The library's message, and a reference to it, which is valid as long as the message is."""
    message = rraft.Message.decode(data)
    it = message.make_ref()
    if snapshot is not None:
        # What has come along says what it is.
        it.set_snapshot(library_snapshot(snapshot))
    return message, it


def configuration_of(conf_state: Any) -> Configuration:
    it = conf_state.make_ref()
    return Configuration(
        tuple(sorted(it.get_voters())),
        tuple(sorted(it.get_voters_outgoing())),
        tuple(sorted(it.get_learners())),
        tuple(sorted(it.get_learners_next())),
        it.get_auto_leave(),
    )


def conf_state_of(configuration: Configuration) -> Any:
    conf_state = rraft.ConfState.default()
    it = conf_state.make_ref()
    it.set_voters(list(configuration.voters))
    it.set_voters_outgoing(list(configuration.outgoing))
    it.set_learners(list(configuration.learners))
    it.set_learners_next(list(configuration.learners_next))
    it.set_auto_leave(configuration.auto_leave)
    return conf_state


def library_snapshot(snapshot: Snapshot | None) -> Any:
    """A snapshot as the library knows it. What is in it stays on Squall's side."""
    made = rraft.Snapshot.default()
    if snapshot is not None:
        metadata = rraft.SnapshotMetadata.default()
        it = metadata.make_ref()
        it.set_index(snapshot.index)
        it.set_term(snapshot.term)
        it.set_conf_state(conf_state_of(snapshot.configuration))
        made.make_ref().set_metadata(metadata)
    return made


def squall_snapshot(reference: Any) -> Snapshot | None:
    """The snapshot that a reference of the library's is to; none where it is empty."""
    if not reference:
        return None
    metadata = reference.get_metadata()
    # The state has no `make_ref` where it is a reference itself.
    conf_state = metadata.get_conf_state().clone()
    return Snapshot(metadata.get_index(), metadata.get_term(), configuration_of(conf_state))


def describe(data: bytes) -> str:
    """A message in words."""
    message = rraft.Message.decode(data)
    it = message.make_ref()
    number = hash(it.get_msg_type())
    words = [f"{_WORDS[_KINDS[number]]} of term {it.get_term()}"]
    if number == APPEND:
        words.append(f"after {it.get_index()} of term {it.get_log_term()}")
        entries = it.get_entries()
        if entries:
            words.append(f"entries {entries[0].get_index()} to {entries[-1].get_index()}")
        else:
            words.append("no entries")
        words.append(f"commit {it.get_commit()}")
    elif number == APPEND_RESPONSE and it.get_reject():
        hint = f"hint {it.get_reject_hint()} of term {it.get_log_term()}"
        words.append(f"rejects {it.get_index()}, {hint}")
    elif number == APPEND_RESPONSE:
        words.append(f"holds {it.get_index()}")
    elif number == HEARTBEAT:
        words.append(f"commit {it.get_commit()}")
    elif number in (REQUEST_VOTE, REQUEST_PRE_VOTE):
        words.append(f"log to {it.get_index()} of term {it.get_log_term()}")
    elif number in (REQUEST_VOTE_RESPONSE, REQUEST_PRE_VOTE_RESPONSE):
        words.append("no" if it.get_reject() else "yes")
    elif number == SNAPSHOT:
        metadata = it.get_snapshot().get_metadata()
        words.append(f"at {metadata.get_index()} of term {metadata.get_term()}")
    return ", ".join(words)
