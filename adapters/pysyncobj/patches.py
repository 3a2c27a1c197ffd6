"""Changes of the library's methods, made at run time: those that mend a defect which is known, and those that plant a
mistake. Each says what it expects to find in the method, and fails where that is not there exactly once. What is
installed stays as it is.
"""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Iterable
from typing import Any, NamedTuple

from pysyncobj import syncobj

from library import Library


class Patch(NamedTuple):
    """`new` in place of `old`, once, in a method of `SyncObj`."""

    method: str
    old: str
    new: str


@functools.cache
def patched(patches: frozenset[Patch]) -> type[Library]:
    """The library's class with these changes."""
    changed: dict[str, list[str]] = {}
    for patch in sorted(patches):
        changed[patch.method] = _replaced(changed.get(patch.method) or _source(patch.method), patch)
    members = {_mangled(name): _compiled(name, source) for name, source in changed.items()}
    return type("Library", (Library,), members) if members else Library


def _source(method: str) -> list[str]:
    return inspect.getsource(getattr(syncobj.SyncObj, _mangled(method))).splitlines()


def _replaced(source: list[str], patch: Patch) -> list[str]:
    """The lines are found at whatever level they are indented, and replaced at the same."""
    old, new = _lines(patch.old), _lines(patch.new)
    found = []
    for at, line in enumerate(source):
        indent = line[: len(line) - len(line.lstrip())]
        if source[at : at + len(old)] == [indent + one if one else one for one in old]:
            found.append((at, indent))
    if len(found) != 1:
        raise RuntimeError(f"{patch.method} has this {len(found)} times:\n{patch.old}")
    ((at, indent),) = found
    return source[:at] + [indent + one for one in new] + source[at + len(old) :]


def _lines(text: str) -> list[str]:
    return textwrap.dedent(text).strip("\n").splitlines()


def _mangled(name: str) -> str:
    is_private = name.startswith("__") and not name.endswith("__")
    return f"_SyncObj{name}" if is_private else name


def _compiled(name: str, source: list[str]) -> Any:
    """The method, compiled in a class of the same name, after which its private names are called."""
    place = inspect.getsourcefile(syncobj) or "syncobj.py"
    first = inspect.getsourcelines(getattr(syncobj.SyncObj, _mangled(name)))[1]
    text = "\n" * (first - 2) + "class SyncObj:\n" + "\n".join(source)
    namespace: dict[str, Any] = {}
    exec(compile(text, place, "exec"), vars(syncobj), namespace)  # noqa: S102
    return vars(namespace["SyncObj"])[_mangled(name)]


def all_of(names: Iterable[str], table: dict[str, tuple[Patch, ...]]) -> frozenset[Patch]:
    return frozenset(patch for name in names for patch in table[name])
