"""Makes calls fail that would make a run depend on more than its plan.

It is asked for, by ``forbid_nondeterminism`` of a class, and catches accidents only: module
functions of ``random``, ``time``, ``uuid``, ``secrets`` and ``os.urandom``. Calls that the standard
library makes itself go through, as the time in a record of ``logging``. It does not see names that
were imported from these modules before the process began to serve, ``datetime.now``, the order of
a set, or ``id``: a run that depends on these differs from process to process, which Squall sees as
it makes one run in a hundred again in a fresh one.
"""

from __future__ import annotations

import functools
import os
import random
import secrets
import sys
import time
import uuid
from typing import Any, Callable

from .location import is_of_standard_library

_INSTEAD = {
    random: ("random", "disk.seed, or ElectionTimer", ()),
    time: (
        "time",
        "self.now_us, or counted ticks",
        ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
        + ("process_time", "process_time_ns", "sleep", "localtime", "gmtime", "ctime"),
    ),
    secrets: ("secrets", "disk.seed", ("token_bytes", "token_hex", "token_urlsafe", "choice")),
    uuid: ("uuid", "disk.seed", ("uuid1", "uuid4")),
    os: ("os", "disk.seed", ("urandom",)),
}


class NondeterminismError(RuntimeError):
    """A node asked for something that would make its run unrepeatable."""


def forbid() -> None:
    """Replaces the functions in this process, for good."""
    for module, (name, instead, functions) in _INSTEAD.items():
        # All that draws from the one hidden generator of `random`, and nothing of `random.Random`.
        for function in functions or _functions_of_random():
            original = getattr(module, function)
            setattr(module, function, _guard(f"{name}.{function}", instead, original))


def _functions_of_random() -> tuple[str, ...]:
    hidden = random.random.__self__  # type: ignore[attr-defined]
    return tuple(
        name
        for name in random.__all__
        if getattr(getattr(random, name), "__self__", None) is hidden and name != "seed"
    )


def _guard(name: str, instead: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def guarded(*args: Any, **keywords: Any) -> Any:
        if is_of_standard_library(sys._getframe(1).f_code.co_filename):
            return original(*args, **keywords)
        raise NondeterminismError(f"a node must not call {name}; use {instead}")

    return guarded
