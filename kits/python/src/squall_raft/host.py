"""Hosts the nodes of a run: a request comes in as bytes, and its answer goes out as bytes.

Knows what requests look like, and nothing of pipes. What is wrong with a request is Squall's fault
or the kit's, and ends the process (:class:`MalformedRequest`); what goes wrong in a node is the
node's, and becomes the action ``failed``.
"""

from __future__ import annotations

import re
from typing import Callable, TypeVar

from . import cbor, machine
from .actions import answer, failed, words
from .failure import Failure, attempt, failure_of
from .machine import Command, StateMachine
from .replica import Replica
from .values import Disk, Settings, Snapshot

_T = TypeVar("_T")

PROTOCOL = 1
#: The longest frame, in bytes.
LONGEST = 16 << 20
_STEP, _TICK, _DELIVER, _PROPOSE = 3, 0, 1, 3


class MalformedRequest(Exception):
    """A request is not as the protocol has it."""


class Host:
    """All nodes of one run after another, all of one class."""

    def __init__(self, replica_class: type[Replica]) -> None:
        self._class = replica_class
        self._settings = Settings()
        self._nodes: dict[int, Replica] = {}
        #: Of nodes that are in ``_nodes``, where the class has them.
        self._machines: dict[int, StateMachine] = {}
        #: Nodes whose code has failed, and how.
        self._failed: dict[int, Failure] = {}
        #: The encoded actions of the request that is being handled; all nodes add to this list.
        self._actions: list[bytes] = []

    def handle(self, frame: bytes) -> bytes:
        """The answer to a request, both without their lengths.

        Raises :class:`MalformedRequest`.
        """
        try:
            request = cbor.decode(frame)
        except cbor.CborError as error:
            raise MalformedRequest(str(error)) from None
        if type(request) is not list or not request:
            raise MalformedRequest("a request is an array, and this is none")
        self._actions.clear()
        kind = request[0]
        if kind == _STEP:
            reply = self._step(request)
        else:
            handler = _REQUESTS.get(kind) if type(kind) is int else None
            if handler is None:
                raise MalformedRequest(f"there is no request {kind!r}")
            reply = handler(self, request)
        if len(reply) > LONGEST:
            reply = failed(Failure(f"an answer of {len(reply)} bytes; the most is {LONGEST}"))
        return reply

    # ---- requests

    def _hello(self, request: cbor.Item) -> bytes:
        _fields(request, 2, "hello")
        cls = self._class
        welcome: dict[str, cbor.Item] = {
            "protocol": PROTOCOL,
            "name": cls.name or _name_of(cls),
            "about": cls.about or (cls.__doc__ or cls.__name__).strip().partition("\n")[0],
            "supports": list(cls.supports),
            "batch": cls.batch,
            "waiting": cls.wants_waiting,
            "machine": cls.machine is not None,
            "options": [_said(option._asdict()) for option in cls.options],
            "known_issues": [_said(issue._asdict(), "triggers") for issue in cls.known_issues],
        }
        return cbor.encode([0, welcome])

    def _reset(self, request: cbor.Item) -> bytes:
        (item,) = _fields(request, 2, "reset")
        settings = _parse(lambda: Settings.of(item), "reset")
        nodes = list(self._nodes.values())
        self._nodes.clear()
        self._machines.clear()
        self._failed.clear()
        self._settings = settings

        # Each node is closed, and the class begins anew, whatever fails of that.
        failures = [attempt(node.close) for node in nodes]
        failures.append(attempt(lambda: self._class.reset(settings)))
        failure = next((failure for failure in failures if failure is not None), None)
        return answer([]) if failure is None else failed(failure)

    def _boot(self, request: cbor.Item) -> bytes:
        node, item = _fields(request, 3, "boot")
        disk = _parse(lambda: Disk.of(item), "boot")
        if type(node) is not int:
            raise MalformedRequest(f"a boot of {node!r}, which is no node")
        self._failed.pop(node, None)
        replaced = self._nodes.pop(node, None)
        self._machines.pop(node, None)

        def boot() -> None:
            if replaced is not None:
                replaced.close()
            replica = self._class(node, self._settings, self._actions)
            replica.boot(disk)
            idle = replica.idle_ticks()
            if idle > 0:
                replica.idle(idle)
            if self._class.machine is not None:
                self._machines[node] = self._class.machine()
            self._nodes[node] = replica

        failure = attempt(boot)
        return answer(self._actions) if failure is None else self._fail(node, failure)

    def _step(self, request: cbor.Item) -> bytes:
        if len(request) != 5:
            raise MalformedRequest(f"a step has 5 fields, not {len(request)}")
        _, node, now_us, idle_ticks, inputs = request
        if type(node) is not int or type(inputs) is not list:
            raise MalformedRequest(f"no step: {request!r}")
        replica = self._nodes.get(node)
        if replica is None:
            return self._step_of_none(node)
        replica.now_us = now_us
        try:
            if idle_ticks:
                replica.skip_ticks(idle_ticks)
            for item in inputs:
                if type(item) is not list or not item:
                    raise MalformedRequest(f"no input: {item!r}")
                kind = item[0]
                if kind == _DELIVER:
                    if len(item) != 4 or type(item[2]) is not bytes:
                        raise MalformedRequest(f"no deliver: {item!r}")
                    snapshot = item[3]
                    if snapshot is not None:
                        snapshot = _snapshot(snapshot)
                    replica.deliver(item[1], item[2], snapshot)
                elif kind == _TICK:
                    replica.tick()
                elif kind == _PROPOSE:
                    if len(item) != 3 or type(item[2]) is not bytes:
                        raise MalformedRequest(f"no propose: {item!r}")
                    replica.propose(item[1], item[2])
                else:
                    _other_input(replica, item)
            idle = replica.idle_ticks()
            if idle > 0:
                replica.idle(idle)
        except (MalformedRequest, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  (a panic of PyO3, say, is no Exception)
            failure = failure_of(error)
            attempt(replica.close)
            return self._fail(node, failure)
        actions = self._actions
        return cbor.ARRAY[len(actions)] + b"".join(actions)

    def _step_of_none(self, node: cbor.Item) -> bytes:
        if node in self._failed:
            return failed(self._failed[node])
        raise MalformedRequest(f"a step of node {node!r}, which was not booted")

    def _kill(self, request: cbor.Item) -> bytes:
        (node,) = _fields(request, 2, "kill")
        if type(node) is not int:
            raise MalformedRequest(f"a kill of {node!r}, which is no node")
        self._failed.pop(node, None)
        replica = self._nodes.pop(node, None)
        self._machines.pop(node, None)
        failure = None if replica is None else attempt(replica.close)
        return answer([]) if failure is None else failed(failure)

    def _words(self, request: cbor.Item) -> bytes:
        (data,) = _fields(request, 2, "describe")
        if type(data) is not bytes:
            raise MalformedRequest(f"no message to describe: {data!r}")
        described: list[str | None] = []
        failure = attempt(lambda: described.append(self._class.describe(data)))
        return words(described[0] if failure is None else f"(describe failed: {failure})")

    # ---- requests to state machines

    def _perform(self, request: cbor.Item) -> bytes:
        node, item = _fields(request, 3, "perform")
        command = _parse(lambda: Command.of(item), "perform")
        return self._ask(node, lambda it: machine.told(it.perform(command)))

    def _snapshot_of(self, request: cbor.Item) -> bytes:
        (node,) = _fields(request, 2, "snapshot of")

        def encoded(it: StateMachine) -> bytes:
            data = it.snapshot()
            if not isinstance(data, (bytes, bytearray)):
                raise TypeError(f"a snapshot is bytes, not {type(data).__name__}")
            return cbor.encode(data)

        return self._ask(node, encoded)

    def _restore(self, request: cbor.Item) -> bytes:
        node, data = _fields(request, 3, "restore")
        if type(data) is not bytes:
            raise MalformedRequest(f"no snapshot to restore: {data!r}")

        def encoded(it: StateMachine) -> bytes:
            is_one = it.restore(data)
            if not isinstance(is_one, bool):
                raise TypeError(f"restore returns whether it was one, not {is_one!r}")
            return cbor.BOOL[is_one]

        return self._ask(node, encoded)

    def _query(self, request: cbor.Item) -> bytes:
        node, item = _fields(request, 3, "query")
        command = _parse(lambda: Command.of(item), "query")
        return self._ask(node, lambda it: machine.told(it.query(command)))

    def _ask(self, node: cbor.Item, ask: Callable[[StateMachine], bytes]) -> bytes:
        """What the state machine of ``node`` answers, in a frame."""
        if type(node) is not int:
            raise MalformedRequest(f"a request to the state machine of {node!r}, which is no node")
        asked = self._machines.get(node)
        if asked is None:
            if node in self._failed:
                return failed(self._failed[node])
            raise MalformedRequest(f"node {node} has no state machine, or was not booted")
        try:
            return ask(asked)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (a panic of PyO3, say, is no Exception)
            failure = failure_of(error)
            attempt(self._nodes[node].close)
            return self._fail(node, failure)

    def _fail(self, node: int, failure: Failure) -> bytes:
        """The node is gone, and what it wanted in the step that failed is not done."""
        self._nodes.pop(node, None)
        self._machines.pop(node, None)
        self._failed[node] = failure
        return failed(failure)


_REQUESTS: dict[int, Callable[[Host, cbor.Item], bytes]] = {
    0: Host._hello,
    1: Host._reset,
    2: Host._boot,
    4: Host._kill,
    5: Host._words,
    6: Host._perform,
    7: Host._snapshot_of,
    8: Host._restore,
    9: Host._query,
}

#: How many fields an input has, and what it calls. Those that come often are in `Host._step`.
_INPUTS: dict[int, tuple[int, Callable[[Replica, cbor.Item], object]]] = {
    2: (3, lambda replica, item: replica.synced(item[1], item[2])),
    4: (2, lambda replica, item: replica.read(item[1])),
    5: (3, lambda replica, item: replica.change(_pairs(item[1]), item[2])),
    6: (2, lambda replica, item: replica.transfer(item[1])),
    7: (1, lambda replica, item: replica.campaign()),
    8: (1, lambda replica, item: replica.request_snapshot()),
    9: (1, lambda replica, item: replica.ping()),
    10: (3, lambda replica, item: replica.change_setting(item[1], item[2])),
    11: (2, lambda replica, item: replica.unreachable(item[1])),
    12: (3, lambda replica, item: replica.snapshot_sent(item[1], item[2])),
    13: (3, lambda replica, item: replica.compacted(item[1], _snapshot(item[2]))),
    14: (2, lambda replica, item: setattr(replica, "waiting", item[1])),
    15: (2, lambda replica, item: replica.connected(item[1])),
    16: (2, lambda replica, item: replica.disconnected(item[1])),
}


def _said(fields: dict[str, cbor.Item], *always: str) -> dict[str, cbor.Item]:
    """What a map of the answer to hello has of these, by default without what says nothing."""
    return {
        key: value if value is None or isinstance(value, (str, int)) else list(value)
        for key, value in fields.items()
        if key in always or (value is not None and value != ())
    }


def _name_of(cls: type[Replica]) -> str:
    """``MyRaft`` as ``my-raft``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_+", "-", cls.__name__).strip("-").lower()


def _other_input(replica: Replica, item: cbor.Item) -> None:
    found = _INPUTS.get(item[0]) if type(item[0]) is int else None
    if found is None:
        raise MalformedRequest(f"there is no input {item!r}")
    fields, call = found
    if len(item) != fields:
        raise MalformedRequest(f"the input {item[0]} has {fields} fields: {item!r}")
    call(replica, item)


def _snapshot(item: cbor.Item) -> Snapshot:
    return _parse(lambda: Snapshot.of(item), "snapshot")


def _pairs(item: cbor.Item) -> list[tuple[int, int]]:
    return _parse(lambda: [(node, becomes) for node, becomes in item], "change")


def _fields(request: cbor.Item, count: int, what: str) -> list[cbor.Item]:
    if len(request) != count:
        raise MalformedRequest(f"a {what} has {count} fields, not {len(request)}")
    fields: list[cbor.Item] = request[1:]
    return fields


def _parse(parse: Callable[[], _T], what: str) -> _T:
    try:
        return parse()
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedRequest(f"no {what}: {type(error).__name__}: {error}") from None
