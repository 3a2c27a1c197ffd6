"""What went wrong in the user's code, in a line that is the same in each process."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

from .location import is_of_kit, is_of_standard_library


class Failure(NamedTuple):
    """What went wrong, and where in the user's code."""

    #: Type and message of the exception, or whatever it is.
    text: str
    #: The file, without its folders; empty where no code of Python is known to have failed.
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.text} ({self.file}:{self.line})" if self.file else self.text


#: The longest message of an exception that is told, in characters.
_LONGEST = 1000


def attempt(call: Callable[[], object]) -> Failure | None:
    """Calls ``call``. What failed, or None."""
    try:
        call()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  (a panic of PyO3, say, is no Exception)
        return failure_of(error)
    return None


def failure_of(error: BaseException) -> Failure:
    """The failure that this exception is. People get its whole traceback."""
    traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    try:
        message = str(error)
    except Exception as another:  # noqa: BLE001  (whatever it is, it is not what is to be told)
        message = f"(its message cannot be had: {type(another).__qualname__})"
    # The address in the representation of an object differs from process to process.
    message = re.sub(r"\bat 0x[0-9a-fA-F]+", "at 0x…", message)
    if len(message) > _LONGEST:
        message = message[:_LONGEST] + "…"
    text = type(error).__qualname__ + (f": {message}" if message else "")
    return Failure(text, *_innermost(error.__traceback__))


def _innermost(frame: TracebackType | None) -> tuple[str, int]:
    """File, without its folders, and line of the innermost frame of the user's code; of the
    innermost of all where none is the user's."""
    of_all, of_user = ("", 0), None
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        of_all = (os.path.basename(file), frame.tb_lineno)
        if not is_of_kit(file) and not is_of_standard_library(file):
            of_user = of_all
        frame = frame.tb_next
    return of_user or of_all
