"""Finds a class by what a command line calls it, and what a command line has to call a class.

A class is ``package.module:Class``, or ``path/to/file.py:Class``. A file that belongs to a package
is imported as a part of it, from the first folder above that is none.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys

from .replica import Replica


class NotFound(Exception):
    """There is no such class."""


def load(target: str) -> type[Replica]:
    """The class that ``target`` names. Where that is a path, its folder comes first in
    ``sys.path``, as it does for ``python file.py``.

    Raises :class:`NotFound`, or what the import of the module raises.
    """
    where, _, name = target.rpartition(":")
    if not where or not name:
        raise NotFound(f"{target!r} is neither MODULE:CLASS nor path/to/file.py:CLASS")
    if where.endswith(".py"):
        if not os.path.isfile(where):
            raise NotFound(f"there is no file {where!r}")
        folder, module_name = root_and_module(where)
        sys.path.insert(0, folder)
    else:
        module_name = where
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        raise NotFound(f"there is no module {where!r} on Python's path") from None
    found: object = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, Replica)):
        classes = [
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, Replica) and value is not Replica
        ]
        there = f"; there is {', '.join(classes)}" if classes else ""
        raise NotFound(f"{where} has no class {name} that derives from squall_raft.Replica{there}")
    return found


def target_of(replica_class: type[Replica]) -> str:
    """What another process, started in the same folder, can load this class by.

    Raises :class:`NotFound` where it cannot be.
    """
    name = replica_class.__qualname__
    if "<locals>" in name:
        raise NotFound(
            f"{name} is defined in a function, where another process cannot find it; define it at "
            "the top of its module"
        )
    try:
        file = inspect.getsourcefile(replica_class)
    except (OSError, TypeError):
        file = None
    if file is None or not os.path.isfile(file):
        return f"{replica_class.__module__}:{name}"
    path = os.path.realpath(file)
    _, module_name = root_and_module(path)
    if replica_class.__module__ not in (module_name, "__main__"):
        # It was imported from a folder that its path does not tell, as from a namespace package.
        return f"{replica_class.__module__}:{name}"
    return f"{from_here(path)}:{name}"


def from_here(path: str) -> str:
    """``path`` as it is called in the current folder, where it is below that."""
    below = os.path.relpath(path)
    return os.path.abspath(path) if below.startswith(os.pardir) else below


def root_and_module(path: str) -> tuple[str, str]:
    """The folder that ``path`` is imported from, and the module's name from there."""
    folder, file = os.path.split(os.path.abspath(path))
    stem = os.path.splitext(file)[0]
    parts: list[str] = [] if stem == "__init__" else [stem]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    return folder, ".".join(parts)
