#!/usr/bin/env python3
"""The lock service on the small Raft of the kit's examples: for trying a state machine without rraft-py.

It needs the folders `kits/python/src` and `kits/python/examples` on PYTHONPATH. That Raft takes no snapshots.
"""

from __future__ import annotations

from raft import Raft
from squall_raft import serve

from locks import Locks


class PlainLockNode(Raft):
    """A lock service on a small Raft in Python."""

    machine = Locks


if __name__ == "__main__":
    serve(PlainLockNode)
