"""Whose code a file is: the kit's, the standard library's, or the user's."""

from __future__ import annotations

import os
import sysconfig

_KIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
_STANDARD = tuple(
    os.path.join(sysconfig.get_paths()[which], "") for which in ("stdlib", "platstdlib")
)
_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


def is_of_kit(file: str) -> bool:
    """Whether the code of this file is the kit's own."""
    return file.startswith(_KIT)


def is_of_standard_library(file: str) -> bool:
    """Whether the code of this file came with Python."""
    if file.startswith("<frozen "):
        return True
    return file.startswith(_STANDARD) and not any(folder in file for folder in _INSTALLED)
