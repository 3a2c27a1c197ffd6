"""``python -m squall_raft [--path FOLDER]... MODULE:CLASS`` serves that class to Squall.

The folder of this file, in place of ``-m squall_raft``, does the same where the kit is not
installed.
"""

from __future__ import annotations

import argparse
import os
import sys

if not __package__:
    # Python was given the folder, and looks for modules in it; the kit is one, beside it.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from squall_raft.loading import NotFound, load
from squall_raft.serving import Frames


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m squall_raft",
        description="Serves a class that derives from squall_raft.Replica to Squall: "
        "squall sweep --command 'python -m squall_raft my_raft.py:MyRaft'",
    )
    parser.add_argument("target", help="MODULE:CLASS, or path/to/file.py:CLASS")
    parser.add_argument(
        "--path", action="append", default=[], help="a folder to import modules from, too"
    )
    arguments = parser.parse_args()
    sys.path.extend(arguments.path)
    # First of all, so that nothing that the module prints gets between the frames.
    frames = Frames()
    try:
        replica_class = load(arguments.target)
    except NotFound as error:
        print(f"squall_raft: {error}", file=sys.stderr)
        sys.exit(2)
    frames.serve(replica_class)


main()
