"""What the kit costs a step: decoding it, calling the node, encoding three actions.

PYTHONPATH=src python3 benches/step.py
"""

from __future__ import annotations

import time

from squall_raft import Disk, Replica, Snapshot, cbor
from squall_raft.host import Host

STEPS = 200_000


class Busy(Replica):
    """Writes an entry, syncs, and sends a message, whatever comes."""

    def boot(self, disk: Disk) -> None:
        pass

    def tick(self) -> None:
        pass

    def propose(self, request: int, data: bytes) -> None:
        pass

    def deliver(self, sender: int, data: bytes, snapshot: Snapshot | None) -> None:
        self.write_entry(1000, 3, data)
        self.sync()
        self.send(sender, 1, 3, data, appended=1000)


def seconds_per_step(given: list[object]) -> float:
    host = Host(Busy)
    configuration = [[1, 2, 3], [], [], [], False]
    disk = {"incarnation": 0, "seed": 1, "term": 0, "vote": 0, "commit": 0, "snapshot": None}
    log = {"configuration": configuration, "first": 1, "before": 0, "entries": []}
    host.handle(cbor.encode([2, 1, {**disk, **log}]))
    frame = cbor.encode([3, 1, 1_250_000, 0, [given]])
    best = float("inf")
    for _ in range(5):
        begin = time.process_time()
        for _ in range(STEPS // 5):
            host.handle(frame)
        best = min(best, time.process_time() - begin)
    return best / (STEPS // 5)


if __name__ == "__main__":
    tick = seconds_per_step([0])
    deliver = seconds_per_step([1, 2, bytes(40), None])
    print(f"a tick, nothing done              {tick * 1e6:5.2f} us")
    print(f"a deliver of 40 bytes, 3 actions  {deliver * 1e6:5.2f} us")
