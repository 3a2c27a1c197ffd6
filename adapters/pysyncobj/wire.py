"""Messages of the library's: as bytes and back, and in words. The library makes a dictionary of each, and leaves it to
its transport how that travels; over TCP it is pickled. Here it is an array, whose first item says of which form it is.

Knows nothing of a node's state, and so not what a message promises.
"""

from __future__ import annotations

from typing import Any

from squall_raft import cbor

Message = dict[str, Any]

#: The term of an answer to an append, which the library does not send: the adapter does.
ANSWERED = "answered term"

#: The type of a message, and what else it always has, in the order in which it is written.
_FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("request_vote", ("term", "last_log_index", "last_log_term")),
    ("response_vote", ("term",)),
    ("append_entries", ("term", "commit_index", "prevLogIdx", "prevLogTerm", "entries")),
    (
        "append_entries",
        ("term", "commit_index", "prevLogIdx", "prevLogTerm", "transmission", "data"),
    ),
    ("append_entries", ("term", "commit_index", "serialized")),
    ("next_node_idx", ("next_node_idx", "reset", "success", ANSWERED)),
    ("apply_command", ("command", "request_id")),
    ("apply_command_response", ("request_id", "log_idx", "log_term")),
    ("apply_command_response", ("request_id", "error")),
    ("timeout_now", ("term",)),
    ("apply_command", ("command",)),
    ("hello", ()),
    ("bye", ()),
)
_NUMBERS = {(kind, frozenset(keys)): number for number, (kind, keys) in enumerate(_FORMS)}
_ENTRIES, _PIECE, _DUMP, _NEXT = 2, 3, 4, 5


def encode(message: Message) -> bytes:
    kind = message["type"]
    if kind == "append_entries":
        number = _ENTRIES if "entries" in message else _PIECE if "data" in message else _DUMP
    elif kind == "next_node_idx":
        number = _NEXT
    else:
        number = _NUMBERS[kind, frozenset(message) - {"type"}]
    return cbor.encode([number, *[message[key] for key in _FORMS[number][1]]])


def decode(data: bytes) -> Message:
    number, *values = cbor.decode(data)
    kind, keys = _FORMS[number]
    message = dict(zip(keys, values))
    message["type"] = kind
    return message


def describe(data: bytes) -> str:
    """A message in words, with the library's numbers: its entry 1 is there from the start, and Squall's first is 2."""
    it = decode(data)
    kind = it["type"]
    if kind == "append_entries":
        words = [f"append_entries of term {it['term']}"]
        if "prevLogIdx" in it:
            words.append(f"after {it['prevLogIdx']} of term {it['prevLogTerm']}")
        if it.get("entries"):
            entries = it["entries"]
            words.append(f"entries {entries[0][1]} to {entries[-1][1]}")
        elif "entries" in it:
            words.append("no entries")
        elif "data" in it:
            words.append(f"{len(it['data'])} bytes of one entry ({it['transmission']})")
        elif it["serialized"] is None:
            words.append("no dump, which is being made")
        else:
            _, is_first, is_last = it["serialized"]
            words.append(f"a dump's {'first part' if is_first else 'end' if is_last else 'part'}")
        words.append(f"commit {it['commit_index']}")
        return ", ".join(words)
    if kind == "next_node_idx":
        words = ["next_node_idx", f"goes on at {it['next_node_idx']}"]
        words += [key for key in ("success", "reset") if it[key]]
        words.append(f"(in term {it[ANSWERED]})")
        return ", ".join(words)
    if kind == "request_vote":
        last = f"log to {it['last_log_index']} of term {it['last_log_term']}"
        return f"request_vote of term {it['term']}, {last}"
    if kind == "apply_command_response" and "error" not in it:
        entry = f"entry {it['log_idx']} of term {it['log_term']}"
        return f"apply_command_response to {it['request_id']}, {entry}"
    if kind in ("apply_command", "apply_command_response"):
        error = f", error {it['error']}" if "error" in it else ""
        return f"{kind} {it.get('request_id', '')}{error}"
    return kind if kind in ("hello", "bye") else f"{kind} of term {it['term']}"
