"""What the README says is so."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from support import KIT, TICK, Driver, disk, step

import squall_raft
from squall_raft import Replica, Role
from squall_raft.actions import Actions
from squall_raft.replica import missing_methods

README = (KIT / "README.md").read_text(encoding="utf-8")


class Library:
    """Stands in for a library: it leads at its first time-out."""

    def __init__(self, node: int, voters: Any, term: int, vote: int, entries: Any) -> None:
        self.id, self.term, self.vote = node, term, vote
        self.role, self.leader, self.commit, self.last = Role.FOLLOWER, 0, 0, len(entries)

    def ready(self, hard_state: bool, entries: list[Any], messages: list[Any]) -> Any:
        return SimpleNamespace(hard_state=hard_state, entries=entries, messages=messages)

    def time_out(self) -> Any:
        self.role, self.term, self.vote = Role.LEADER, self.term + 1, self.id
        return self.ready(True, [], [])

    def step(self, sender: int, data: bytes) -> Any:
        message = SimpleNamespace(
            to=sender, kind="APPEND_REPLY", data=data, promise={"appended": 7}
        )
        return self.ready(False, [], [message])

    def propose(self, data: bytes) -> Any:
        self.last += 1
        self.commit = self.last
        return self.ready(False, [(self.last, self.term, data)], [])


def test_the_class_in_it_runs() -> None:
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    namespace: dict[str, Any] = {
        "__name__": "readme",
        "library": SimpleNamespace(Raft=Library, Ready=SimpleNamespace),
    }
    exec(compile(block, "README.md", "exec"), namespace)  # noqa: S102  (it is the README)
    cls = namespace["MyRaft"]
    assert missing_methods(cls) == []
    driver = Driver(cls)
    assert driver.ask([2, 1, disk()]) == []
    assert driver.ask(step(1, [3, 1, b"x"])) == [[11, 1, 0]]
    sent: list[Any] = []
    while not sent:
        sent = driver.ask(step(1, TICK))
    assert sent == [[7, 3, 1], [0, 1, 1], [5, True, False], [8, 0], [9, 0, False]]
    got = driver.ask(step(1, [3, 1, b"x"]))
    assert [action[0] for action in got] == [7, 1, 5, 8, 9]
    got = driver.ask(step(1, [1, 2, b"m", None]))
    assert [6, 2, 1, 1, 1, 7, b"m", False] in got


def test_the_test_in_it_compiles_and_every_argument_of_check_is_there() -> None:
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[1]
    compile(block, "README.md", "exec")
    code = squall_raft.check.__code__
    arguments = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    told = re.findall(r"^\| `(\w+)` \|", section("From pytest"), re.MULTILINE)
    assert sorted(told) == sorted(arguments)


def section(title: str) -> str:
    return README.partition(f"## {title}\n")[2].partition("\n## ")[0]


def methods(title: str) -> set[str]:
    rows = [line for line in section(title).splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)\(", row.split(" | ")[0])}


def public(cls: type) -> set[str]:
    return {name for name, value in vars(cls).items() if name[0] != "_" and callable(value)} | {
        name for name, value in vars(cls).items() if isinstance(value, classmethod)
    }


def test_its_tables_have_every_method() -> None:
    assert methods("What happens to a node") == public(Replica)
    assert methods("What it wants done") == public(Actions) - {"take_actions"}


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)
    assert links
    for link in links:
        assert (KIT / link).exists(), link
