"""The frames that all kits agree on. The bytes are CBOR items, without the length before them."""

from __future__ import annotations

from typing import Any

import pytest
from nodes import Described, Recorder
from support import RESET, Driver, disk, vectors

from squall_raft import Configuration, Replica, Settings, cbor
from squall_raft.host import _INPUTS, _REQUESTS, Host

VECTORS = vectors()
ITEMS = {about: item for about, _, item in VECTORS}
CONFIGURATION = Configuration((1, 2, 3))
JOINT = Configuration((1, 2, 4), (1, 2, 3), (5,), (3,), True)


@pytest.mark.parametrize(("about", "data", "item"), VECTORS, ids=[v[0] for v in VECTORS])
def test_bytes_and_item_are_one_another(about: str, data: bytes, item: Any) -> None:
    assert cbor.decode(data) == item
    assert cbor.encode(item) == data


def test_vectors_have_every_request_input_and_action() -> None:
    requests = {item[0] for about, item in ITEMS.items() if about.startswith("request")}
    assert requests == {3, *_REQUESTS} == set(range(10))
    steps = [item for about, item in ITEMS.items() if about.startswith("request: step")]
    assert {one[0] for item in steps for one in item[4]} == {0, 1, 3, *_INPUTS} == set(range(17))
    actions = [item for about, item in ITEMS.items() if about.startswith("action")]
    assert {one[0] for item in actions for one in item} == set(range(23))


REQUESTS = [about for about in ITEMS if about.startswith("request")]


@pytest.mark.parametrize("about", [about for about in REQUESTS if ITEMS[about][0] < 6])
def test_the_host_takes_every_request(about: str) -> None:
    host = Host(Recorder)
    host.handle(cbor.encode(RESET))
    item = ITEMS[about]
    if item[0] == 3:
        host.handle(cbor.encode([2, item[1], disk()]))
    reply = cbor.decode(host.handle(cbor.encode(item)))
    if item[0] in (2, 3):
        calls = [given for given in item[4] if given[0] != 14] if item[0] == 3 else []
        count = 1 if item[0] == 2 else item[3] + len(calls)
        assert [action[0] for action in reply] == [20] * count, "a note for each call"
    else:
        assert reply in ([], None) or reply[0] == 0


def test_the_answer_to_hello_has_what_the_class_says() -> None:
    expected = ITEMS["answer: welcome, with everything"]
    got = Driver(Recorder).ask(ITEMS["request: hello"])
    assert got[1]["about"] == "Notes each call. It supports everything."
    for key in ("protocol", "batch", "waiting", "options", "known_issues"):
        assert got[1][key] == expected[1][key]


def test_words_of_a_message() -> None:
    driver = Driver(Described)
    for about in ("answer: a message in words", "answer: no words for a message"):
        words = ITEMS[about]
        assert driver.ask([5, (words or "").encode()]) == words


#: What has to be called for each action.
CALLS: dict[str, Any] = {
    "hard state": lambda n: n.write_hard_state(3, 2),
    "hard state without a vote": lambda n: n.write_hard_state(255, 0),
    "entry": lambda n: n.write_entry(24, 3, b"set x"),
    "entry of a change of the configuration": lambda n: n.write_entry(256, 65535, b"\n", kind=1),
    "entry without data": lambda n: n.write_entry(1, 1, b""),
    "commit": lambda n: n.write_commit(23),
    "reset log": lambda n: n.reset_log(18),
    "compact": lambda n: n.compact_log(2**32 - 1),
    "sync": lambda n: n.sync(wait=False),
    "sync, tell": lambda n: n.sync(wait=False, tell=True),
    "sync, wait": lambda n: n.sync(),
    "sync, wait, tell": lambda n: n.sync(tell=True),
    "send, which promises nothing": lambda n: n.send(2, 0, 3, b"\x00\x01"),
    "send, an append reply that promises a log": lambda n: n.send(1, 1, 3, b"\x01", appended=2**32),
    "send, a vote that promises itself": lambda n: n.send(31, 5, 1000, bytes(24), voted_for=31),
    "send, with a snapshot": lambda n: n.send(3, 8, 3, b"", snapshot=True),
    "send of 256 bytes": lambda n: n.send(2, 10, 3, memoryview(bytes(256))),
    "role follower": lambda n: n.report_role(0, 3),
    "role pre-candidate": lambda n: n.report_role(1, 3),
    "role candidate": lambda n: n.report_role(2, 4),
    "role leader": lambda n: n.report_role(3, 4),
    "committed": lambda n: n.report_committed(100),
    "apply": lambda n: n.apply(100),
    "apply, and more follows": lambda n: n.apply(100, more=True),
    "configured": lambda n: n.report_configuration(7, CONFIGURATION),
    "configured, joint": lambda n: n.report_configuration(7, JOINT),
    "refuse": lambda n: n.refuse(5),
    "refuse, and name a leader": lambda n: n.refuse(65536, leader=3),
    "read confirmed": lambda n: n.confirm_read(5, 100),
    "transfer": lambda n: n.report_transfer(2),
    "transfer, no longer": lambda n: n.report_transfer(),
    "did": lambda n: n.report_event(12),
    "broke, stood without a vote": lambda n: n.report_broken_promise(0, 2, 4),
    "broke, handed over to no voter": lambda n: n.report_broken_promise(1, 5, 4),
    "save snapshot": lambda n: n.save_snapshot(17),
    "install snapshot": lambda n: n.install_snapshot(17),
    "want snapshot": lambda n: n.want_snapshot(),
    "halt": lambda n: n.halt("the disk is full"),
    "note": lambda n: n.note("became leader – term 4"),
    "idle": lambda n: n.idle(9),
    "failed": lambda n: n.fail("assertion failed"),
}


def test_every_method_for_an_action_makes_what_the_vector_has() -> None:
    actions = {about[8:]: item for about, item in ITEMS.items() if about.startswith("action: ")}
    # The last one has a place, which only an exception has: see test_host.py.
    assert set(CALLS) | {"failed, and where"} == set(actions)
    for about, call in CALLS.items():
        node = Replica(1, Settings())
        call(node)
        assert node.take_actions() == actions[about], about
