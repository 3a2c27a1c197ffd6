from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nodes import Clumsy, Global, Lazy, Plain, Recorder
from support import RESET, SETTINGS, TICK, Driver, configuration, disk, step

from squall_raft import Configuration, Disk, Entry, Replica, Settings, Snapshot, cbor
from squall_raft.host import Host, MalformedRequest


def propose(command: str) -> list[Any]:
    return [3, 1, command.encode()]


def test_a_node_gets_its_disk_as_values() -> None:
    driver = Driver(Recorder)
    joint = [[1, 2], [1], [3], [], True]
    item = disk(term=4, vote=2, snapshot=[9, 3, joint], first=10, before=3, entries=[[4, 0, b"x"]])
    got = driver.ask([2, 2, item])
    snapshot = Snapshot(9, 3, Configuration((1, 2), (1,), (3,), (), True))
    expected = Disk(
        incarnation=0,
        seed=7,
        term=4,
        vote=2,
        commit=0,
        configuration=Configuration((1, 2, 3)),
        snapshot=snapshot,
        first=10,
        before=3,
        entries=[Entry(4, 0, b"x")],
    )
    assert got == [[20, repr(("boot", expected))]]
    assert expected.last == 10


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ([1, 3, b"m", None], ("deliver", 3, b"m", None)),
        (
            [1, 3, b"m", [4, 2, configuration(1)]],
            ("deliver", 3, b"m", Snapshot(4, 2, Configuration((1,)))),
        ),
        ([2, 5, False], ("synced", 5, False)),
        ([3, 6, b"c"], ("propose", 6, b"c")),
        ([4, 7], ("read", 7)),
        ([5, [[4, 0], [1, 2]], 1], ("change", [(4, 0), (1, 2)], 1)),
        ([6, 2], ("transfer", 2)),
        ([7], ("campaign",)),
        ([8], ("request_snapshot",)),
        ([9], ("ping",)),
        ([10, "pre_vote", True], ("change_setting", "pre_vote", True)),
        ([11, 3], ("unreachable", 3)),
        ([12, 3, True], ("snapshot_sent", 3, True)),
        (
            [13, 2, [4, 2, configuration(1)]],
            ("compacted", 2, Snapshot(4, 2, Configuration((1,)))),
        ),
        ([15, 2], ("connected", 2)),
        ([16, 2], ("disconnected", 2)),
    ],
)
def test_each_input_calls_its_method(given: Any, seen: Any) -> None:
    driver = Driver(Recorder)
    driver.ask([2, 1, disk()])
    assert driver.ask(step(1, given)) == [[20, repr(seen)]]


def test_inputs_come_in_order_after_idle_ticks_at_the_nodes_time() -> None:
    driver = Driver(Recorder)
    driver.ask([2, 1, disk()])
    tick = ("tick", 99)
    expected = [tick, tick, ("read", 1), tick]
    got = driver.ask(step(1, [4, 1], TICK, now_us=99, idle=2))
    assert got == [[20, repr(one)] for one in expected]


def test_ticks_that_do_nothing_are_said_and_made_up_for() -> None:
    driver = Driver(Lazy)
    assert driver.ask([2, 1, disk()]) == [[21, 9]]
    assert driver.ask(step(1, TICK)) == [[21, 8]]
    assert driver.ask(step(1, [11, 2], idle=7)) == [[21, 1]]
    assert driver.ask(step(1, TICK, idle=1)) == [[20, "tenth"], [21, 9]]


def test_settings_that_are_not_known_are_given_all_the_same() -> None:
    item = {
        **SETTINGS,
        "raft": {"election_ticks": 6, "of_the_future": [1]},
        "options": ["a"],
        "of_the_future": 3,
    }
    settings = Settings.of(item)
    assert settings.raft.election_ticks == 6
    assert settings.raft.max_inflight_messages == 256
    assert settings.options == ("a",)
    assert settings.given["of_the_future"] == 3
    assert settings.given["raft"]["of_the_future"] == [1]


def test_a_reset_and_a_kill_forget_nodes_and_close_them(capsys: Any) -> None:
    driver = Driver(Global)
    driver.ask([2, 1, disk()])
    driver.ask([2, 2, disk()])
    assert driver.ask([4, 1]) == []
    assert driver.ask([4, 1]) == []
    assert driver.ask([1, {**SETTINGS, "seed": 6}]) == []
    with pytest.raises(MalformedRequest, match="not booted"):
        driver.ask(step(2, TICK))
    driver.ask([2, 2, disk()])
    driver.ask([2, 2, disk()])
    lines = capsys.readouterr().out.split("\n")[:-1]
    expected = ["reset 5", "boot 1 5", "boot 2 5", "close 1", "close 2", "reset 6"]
    assert lines == [*expected, "boot 2 6", "close 2", "boot 2 6"]


def test_nodes_do_not_share_what_they_want() -> None:
    driver = Driver(Recorder)
    driver.ask([2, 1, disk()])
    driver.ask([2, 2, disk()])
    assert driver.ask(step(1, [4, 1])) == [[20, "('read', 1)"]]
    assert driver.ask(step(2, [4, 2])) == [[20, "('read', 2)"]]
    assert driver.ask(step(1, [7])) == [[20, "('campaign',)"]]


def test_syncs_are_counted_for_each_incarnation() -> None:
    node = Plain(1, Settings())
    assert [node.sync(), node.sync(wait=False, tell=True)] == [1, 2]
    assert Plain(1, Settings()).sync() == 1


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("fails", "ValueError: a mistake"),
        ("fails_with_an_address", "RuntimeError: <object object at 0x…> is here"),
        ("fails_at_length", "RuntimeError: " + "x" * 1000 + "…"),
        (
            "fails_to_say",
            "Clumsy.fails_to_say.<locals>.Mute: (its message cannot be had: TypeError)",
        ),
        ("panics", "Panic: at the disco"),
        ("exits", "SystemExit: 3"),
        ("sends_text", "TypeError: data is bytes, not str"),
    ],
)
def test_an_exception_is_a_failure_and_nothing_else_of_the_step_is_done(
    command: str, text: str, capsys: Any
) -> None:
    driver = Driver(Clumsy)
    driver.ask([2, 1, disk()])
    [[kind, told, file, line]] = driver.ask(step(1, propose(command)))
    assert (kind, told, file) == (22, text, "nodes.py")
    source = Path(__file__).with_name("nodes.py").read_text(encoding="utf-8").splitlines()
    assert any(word in source[line - 1] for word in ("raise ", "sys.exit", "self.send"))
    assert "Traceback" in capsys.readouterr().err


def test_a_failure_in_the_standard_library_is_told_where_the_users_code_called_it() -> None:
    driver = Driver(Clumsy)
    driver.ask([2, 1, disk()])
    [[_, told, file, _]] = driver.ask(step(1, propose("fails_in_the_standard_library")))
    assert told.startswith("TypeError")
    assert file == "nodes.py"


def test_a_node_that_has_failed_stays_so_until_it_is_booted_or_the_run_is_over() -> None:
    driver = Driver(Clumsy)
    driver.ask([2, 1, disk()])
    driver.ask([2, 2, disk()])
    failure = driver.ask(step(1, propose("fails")))
    assert driver.ask(step(1, TICK)) == failure
    assert driver.ask(step(2, TICK)) == []
    assert driver.ask([2, 1, disk()]) == []
    assert driver.ask(step(1, TICK)) == []
    driver.ask(step(1, propose("recurses")))
    assert driver.ask(RESET) == []
    assert driver.ask([2, 1, disk()]) == []
    assert driver.ask(step(1, TICK)) == []


@pytest.mark.parametrize("method", ["boot", "close", "reset", "describe"])
def test_failures_outside_of_steps_are_told_as_well(method: str) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("a mistake")

    broken = type("Broken", (Plain,), {method: fail if method in ("boot", "close") else None})
    if method in ("reset", "describe"):
        setattr(broken, method, classmethod(fail))
    host = Host(broken)

    def ask(request: Any) -> Any:
        return cbor.decode(host.handle(cbor.encode(request)))

    answers = [ask(RESET), ask([2, 1, disk()]), ask([4, 1]), ask([5, b""])]
    failed = [22, "ValueError: a mistake", "test_host.py"]
    if method == "describe":
        assert answers[3].startswith("(describe failed: ValueError: a mistake (test_host.py:")
    else:
        place = {"reset": 0, "boot": 1, "close": 2}[method]
        assert answers[place][0][:3] == failed


def test_an_answer_that_is_too_long_is_a_failure() -> None:
    driver = Driver(Clumsy)
    driver.ask([2, 1, disk()])
    [[kind, text]] = driver.ask(step(1, propose("sends_too_much")))
    assert kind == 22
    assert "the most is 16777216" in text


def test_a_method_that_is_missing_is_a_failure() -> None:
    driver = Driver(Replica)
    [[kind, text, *_]] = driver.ask([2, 1, disk()])
    assert (kind, text) == (22, "NotImplementedError: Replica has no method boot")


def test_a_message_cannot_promise_two_things() -> None:
    with pytest.raises(ValueError, match="not both"):
        Plain(1, Settings()).send(2, 5, 1, b"", voted_for=2, appended=1)


@pytest.mark.parametrize(
    "request_",
    [
        7,
        [],
        [6],
        [9, 1],
        ["step"],
        [None],
        [0],
        [1, {}],
        [1, 5],
        [2, 1, {}],
        [2, 1],
        [2, "n", disk()],
        [2, 1, disk(configuration=[[], []])],
        [2, 1, disk(entries=[[1]])],
        [3, 1, 0, 0],
        [3, 9, 0, 0, [TICK]],
        [3, [], 0, 0, [TICK]],
        [3, 1, 0, 0, TICK],
        [3, 1, 0, 0, [[]]],
        [3, 1, 0, 0, [[14]]],
        [3, 1, 0, 0, [["tick"]]],
        [3, 1, 0, 0, [[1, 2, b""]]],
        [3, 1, 0, 0, [[1, 2, "text", None]]],
        [3, 1, 0, 0, [[1, 2, b"", [1]]]],
        [3, 1, 0, 0, [[3, 2, 5]]],
        [3, 1, 0, 0, [[4]]],
        [3, 1, 0, 0, [[5, [1], 0]]],
        [4],
        [4, []],
        [5, "text"],
        [6, 1, [1, 1, 1, [0, 1]]],
        [7, 1],
        [8, 1, b""],
    ],
)
def test_a_request_that_is_none_ends_it(request_: Any) -> None:
    driver = Driver(Recorder)
    driver.ask([2, 1, disk()])
    with pytest.raises(MalformedRequest):
        driver.ask(request_)


def test_bytes_that_are_no_item_end_it() -> None:
    with pytest.raises(MalformedRequest, match="cut short"):
        Host(Plain).handle(b"\x85\x03")


def test_names_are_made_of_the_class_where_it_has_none() -> None:
    for class_name, name in [("MyRaft", "my-raft"), ("Raft2PC", "raft2-pc"), ("_a_b", "a-b")]:
        welcome = Driver(type(class_name, (Plain,), {})).ask([0, {}])[1]
        assert (welcome["name"], welcome["about"]) == (name, class_name)
