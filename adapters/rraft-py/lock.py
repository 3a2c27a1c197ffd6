#!/usr/bin/env python3
"""A node of rraft-py with a lock service of its own, in place of Squall's: `locks.py`, or one of `broken_locks.py`."""

from __future__ import annotations

import argparse

from squall_raft import serve

from broken_locks import BROKEN
from locks import Locks
from rraft_node import RraftNode


class LockNode(RraftNode):
    """A lock service on rraft-py."""

    name = "rraft-py-locks"
    about = "a lock service in Python on rraft-py 0.2.27"
    machine = Locks


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves a lock service on rraft-py to Squall.")
    parser.add_argument("--broken", choices=BROKEN, help="with this mistake in it")
    broken = parser.parse_args().broken
    if broken is not None:
        LockNode.machine = BROKEN[broken]
    serve(LockNode)


if __name__ == "__main__":
    main()
