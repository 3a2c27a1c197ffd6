"""The process: frames come in over standard input, and answers go out over standard output.

Knows pipes, and nothing of what is in a frame.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import BinaryIO, NoReturn

from . import nondeterminism
from .host import LONGEST, Host, MalformedRequest
from .replica import Replica, missing_methods

_BAD_INPUT = 2


class Frames:
    """The real standard input and output, which nothing else in the process gets at.

    From when this is made, standard input is at its end for everybody else, and what is written to
    standard output, by ``print`` or by a library in C, goes to standard error.
    """

    def __init__(self) -> None:
        if os.isatty(0):
            _leave(
                "this program is a Raft node for Squall, which talks to it over pipes: run "
                f"squall sweep --command '{os.path.basename(sys.executable)} {sys.argv[0]}'"
            )
        self._input: BinaryIO = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
        self._output = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        # What a module printed while it was imported is still here, and goes where it belongs.
        sys.stdout.flush()
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)

    def serve(self, replica_class: type[Replica]) -> None:
        """Answers requests until standard input ends."""
        problems = missing_methods(replica_class)
        if problems:
            _leave(f"{replica_class.__name__} cannot be served: " + "; ".join(problems))
        # An interrupt from the keyboard is Squall's to handle: this process ends with its input.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if replica_class.forbid_nondeterminism:
            nondeterminism.forbid()
        # What is there so far stays, and need not be looked at again and again.
        gc.collect()
        gc.freeze()
        try:
            self._answer(Host(replica_class))
        except MalformedRequest as error:
            _leave(f"a request is not as the protocol has it: {error}")
        except BrokenPipeError:
            # Nobody reads the answers any longer.
            pass

    def _answer(self, host: Host) -> None:
        read, handle, output = self._input.read, host.handle, self._output
        while True:
            head = read(4)
            if len(head) < 4:
                if head:
                    raise MalformedRequest("standard input ends within the length of a frame")
                return
            size = int.from_bytes(head, "little")
            if not 1 <= size <= LONGEST:
                raise MalformedRequest(f"a frame of {size} bytes; legal: 1 to {LONGEST}")
            frame = read(size)
            if len(frame) < size:
                raise MalformedRequest("standard input ends within a frame")
            reply = handle(frame)
            reply = len(reply).to_bytes(4, "little") + reply
            written = os.write(output, reply)
            while written < len(reply):
                written += os.write(output, reply[written:])


def serve(replica_class: type[Replica]) -> None:
    """Serves nodes of this class to Squall until standard input ends.

    Call it last, under ``if __name__ == "__main__":``. See :class:`Frames` for what becomes of
    standard input and output.
    """
    Frames().serve(replica_class)


def _leave(message: str) -> NoReturn:
    print(f"squall_raft: {message}", file=sys.stderr)
    sys.exit(_BAD_INPUT)
