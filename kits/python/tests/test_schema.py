"""The schema, docs/protocol/protocol.cddl, held against the vectors: it takes each of them, and none
that is broken. What reads it is zcbor, which is no more than a development dependency."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support import vectors
from zcbor import CddlValidationError, DataTranslator  # type: ignore[import-untyped]

from squall_raft import cbor

SCHEMA = Path(__file__).parents[3] / "docs/protocol/protocol.cddl"
RULES = {"request": "request", "answer": "answer", "action": "actions"}
VECTORS = vectors()
ITEMS = {about: item for about, _, item in VECTORS}


@pytest.fixture(scope="module")
def rules() -> Any:
    """What zcbor makes of the schema."""
    text = SCHEMA.read_text(encoding="utf-8")
    # zcbor knows null by its other name, and takes the name of an item of an array for a key where
    # there is a rule of that name.
    text = re.sub(r"\bnull\b", "nil", text)
    text = re.sub(r"\b([a-z-]+): ", r"its-\1: ", text)
    return DataTranslator.from_cddl(text, 16).my_types


def takes(rules: Any, kind: str, data: bytes) -> bool:
    """Whether the schema does."""
    try:
        rules[RULES[kind]].validate_str(data)
    except CddlValidationError:
        return False
    return True


@pytest.mark.parametrize(("about", "data"), [v[:2] for v in VECTORS], ids=[v[0] for v in VECTORS])
def test_the_schema_takes_every_vector(rules: Any, about: str, data: bytes) -> None:
    assert takes(rules, about.split(":")[0], data)


def changed(item: Any, *path: Any, to: Any) -> Any:
    """The item with another value there."""
    if not path:
        return to
    copy: Any = dict(item) if isinstance(item, dict) else list(item)
    copy[path[0]] = changed(copy[path[0]], *path[1:], to=to)
    return copy


#: Where a vector is changed, and to what. A key that may be left out is not among them: a map has any
#: others, and so it with a value of another type.
BROKEN: list[tuple[str, tuple[Any, ...], Any]] = [
    ("request: hello", (1, "protocol"), 2),
    ("request: reset", (1, "nodes"), []),
    ("request: reset", (1, "seed"), None),
    ("request: boot of an empty disk", (2, "vote"), 32),
    ("request: boot of an empty disk", (2, "entries"), [[1, 256, b""]]),
    ("request: boot of an empty disk", (2, "configuration"), [[1], [], [], []]),
    ("request: step, tick", (4,), []),
    ("request: step, tick", (4, 0), [0, 0]),
    ("request: step, deliver", (4, 0, 1), 0),
    ("request: step, deliver", (4, 0, 2), "text"),
    ("request: step, deliver with a snapshot", (4, 0, 3, 2), None),
    ("request: step, synced", (4, 0, 2), 2),
    ("request: step, change, simple", (4, 0, 2), 4),
    ("request: step, waiting", (4, 0, 1), None),
    ("request: step, waiting", (4, 0, 0), 99),
    ("request: kill", (1,), 32),
    ("request: perform, put", (2, 3, 0), 11),
    ("request: query", (2, 3), [0]),
    ("answer: welcome, the least", (1,), {"protocol": 1, "name": "x"}),
    ("answer: told, granted", (), [3, 5, 0]),
    ("answer: told, waiting", (0,), 11),
    ("action: hard state", (0, 2), 32),
    ("action: entry", (0, 3), 256),
    ("action: sync", (0,), [5, False]),
    ("action: send, which promises nothing", (0, 2), 11),
    ("action: send, which promises nothing", (0, 4), 3),
    ("action: role leader", (0, 1), 4),
    ("action: configured", (0, 2, 0), [0]),
    ("action: want snapshot", (0,), [18, 0]),
    ("action: failed, and where", (0,), [22, "text", "file"]),
    ("action: idle", (0, 0), 99),
]


@pytest.mark.parametrize(("about", "path", "value"), BROKEN)
def test_the_schema_takes_no_broken_one(rules: Any, about: str, path: Any, value: Any) -> None:
    item = changed(ITEMS[about], *path, to=value)
    assert item != ITEMS[about]
    assert not takes(rules, about.split(":")[0], cbor.encode(item))
