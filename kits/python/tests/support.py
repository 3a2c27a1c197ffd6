"""What the tests share: requests as bytes, a host that is driven by hand, the vectors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from squall_raft import Replica, cbor
from squall_raft.host import Host

TESTS = Path(__file__).parent
KIT = TESTS.parent
#: What a process needs to find the kit and the examples.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(
        [str(KIT / "src"), str(KIT / "examples"), str(TESTS), os.environ.get("PYTHONPATH", "")]
    ),
}

SETTINGS = {
    "seed": 5,
    "nodes": [1, 2, 3],
    "raft": {"election_ticks": 10, "heartbeat_ticks": 2},
    "driver": {"persistence": "synchronous"},
    "options": [],
}
HELLO = [0, {"protocol": 1, "harness": "a test"}]
RESET = [1, SETTINGS]
TICK = [0]


def configuration(*voters: int) -> list[Any]:
    """Only voters."""
    return [list(voters), [], [], [], False]


def disk(**changes: Any) -> dict[str, Any]:
    """An empty disk of a cluster of three, but for what is said."""
    return {
        "incarnation": 0,
        "seed": 7,
        "term": 0,
        "vote": 0,
        "commit": 0,
        "configuration": configuration(1, 2, 3),
        "snapshot": None,
        "first": 1,
        "before": 0,
        "entries": [],
        **changes,
    }


def step(node: int, *inputs: Any, now_us: int = 0, idle: int = 0) -> list[Any]:
    """A step with these inputs."""
    return [3, node, now_us, idle, list(inputs)]


class Driver:
    """A host in this process, which is asked in items."""

    def __init__(self, replica_class: type[Replica]) -> None:
        self.host = Host(replica_class)
        self.ask(RESET)

    def ask(self, request: Any) -> Any:
        """The answer to a request."""
        return cbor.decode(self.host.handle(cbor.encode(request)))


class Process:
    """A process that speaks frames, in the way of Squall."""

    def __init__(
        self,
        *command: str,
        folder: Path = TESTS,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.child = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT if environment is None else environment,
            cwd=folder,
        )

    def send(self, data: bytes) -> None:
        """Writes bytes as they are."""
        assert self.child.stdin is not None
        self.child.stdin.write(data)
        self.child.stdin.flush()

    def ask(self, request: Any) -> Any:
        """The answer to a request, or None where the process has ended."""
        data = cbor.encode(request)
        self.send(len(data).to_bytes(4, "little") + data)
        assert self.child.stdout is not None
        head = self.child.stdout.read(4)
        if len(head) < 4:
            return None
        return cbor.decode(self.child.stdout.read(int.from_bytes(head, "little")))

    def end(self) -> tuple[int, bytes, str]:
        """Ends its input. Its status, what is left of its output, and what it told people."""
        output, errors = self.child.communicate(timeout=20)
        return self.child.returncode, output, errors.decode()


def vectors() -> list[tuple[str, bytes, Any]]:
    """Each of the vectors: what it is about, its bytes, its item."""
    found = json.loads((TESTS.parents[2] / "docs/protocol/vectors.json").read_text(encoding="utf-8"))
    return [(one["about"], bytes.fromhex(one["hex"]), _plain(one["item"])) for one in found]


def _plain(item: Any) -> Any:
    """An item of the file. Byte strings are there as ``{"bytes": hex}``."""
    if isinstance(item, list):
        return [_plain(member) for member in item]
    if isinstance(item, dict):
        if list(item) == ["bytes"]:
            return bytes.fromhex(item["bytes"])
        return {key: _plain(value) for key, value in item.items()}
    return item
