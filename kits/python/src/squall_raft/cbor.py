"""The subset of CBOR (RFC 8949) that frames are written in. Knows nothing of Raft.

Items are integers of 64 bits and a sign, byte strings, text strings, arrays, maps with text keys,
``True``, ``False`` and ``None``, all of definite length. Floats, tags and everything else that CBOR
has are refused, both ways. Only a setting, as a priority, may be below 0; what actions are made of
(:data:`UINT`) is not.

One item has one encoding (the shortest), so :func:`encode` also serves an adapter whose library
has no wire format of its own for messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: What frames hold: int, bytes, str, list, dict, bool or None. Tuples are written as arrays.
Item = Any

_KINDS_WITHOUT_PLACE = {6: "a tag", 7: "a float or simple value"}


class CborError(ValueError):
    """The bytes are not one whole item of the subset, or the value cannot be written as one."""


class Heads(dict[int, bytes]):
    """The heads of one major type by their argument: ``heads[n]`` is the head that holds ``n``.

    Small arguments are kept, because looking a head up is what encoding an action mostly does.
    Larger ones are made anew each time: the dictionary does not grow.
    """

    def __init__(self, major: int, keep: int) -> None:
        self._major = major
        super().__init__({number: self.__missing__(number) for number in range(keep)})

    def __missing__(self, argument: int) -> bytes:
        if not isinstance(argument, int) or not 0 <= argument < 1 << 64:
            raise CborError(f"{argument!r} is not an integer from 0 to 2**64 - 1")
        first = self._major << 5
        if argument < 24:
            return bytes((first | argument,))
        if argument < 1 << 8:
            return bytes((first | 24, argument))
        if argument < 1 << 16:
            return bytes((first | 25,)) + argument.to_bytes(2, "big")
        if argument < 1 << 32:
            return bytes((first | 26,)) + argument.to_bytes(4, "big")
        return bytes((first | 27,)) + argument.to_bytes(8, "big")


UINT = Heads(0, keep=4096)
NEGATIVE = Heads(1, keep=32)
BYTES = Heads(2, keep=1024)
TEXT = Heads(3, keep=256)
ARRAY = Heads(4, keep=256)
MAP = Heads(5, keep=32)
FALSE, TRUE, NULL = b"\xf4", b"\xf5", b"\xf6"
#: By a boolean: ``BOOL[True]``.
BOOL = (FALSE, TRUE)


def encode(item: Item) -> bytes:
    """``item`` as bytes, in the shortest form. Maps keep the order of their keys.

    Raises :class:`CborError` where the item, or something in it, is not of the subset.
    """
    parts: list[bytes] = []
    _put(item, parts)
    return b"".join(parts)


def encode_text(text: str) -> bytes:
    """A text string. What is no text in UTF-8, as a lone surrogate, is replaced by ``?``."""
    data = text.encode("utf-8", "replace")
    return TEXT[len(data)] + data


def encode_uints(numbers: Iterable[int]) -> bytes:
    """An array of integers."""
    parts = [UINT[number] for number in numbers]
    return ARRAY[len(parts)] + b"".join(parts)


def _put(item: Item, parts: list[bytes]) -> None:
    if isinstance(item, (list, tuple)):
        parts.append(ARRAY[len(item)])
        for member in item:
            # What arrays mostly hold is written without a call.
            kind = type(member)
            if kind is int:
                parts.append(UINT[member] if member >= 0 else NEGATIVE[-1 - member])
            elif kind is bytes:
                parts += (BYTES[len(member)], member)
            else:
                _put(member, parts)
    elif item is None:
        parts.append(NULL)
    elif isinstance(item, bool):
        parts.append(BOOL[item])
    elif isinstance(item, int):
        parts.append(UINT[item] if item >= 0 else NEGATIVE[-1 - item])
    elif isinstance(item, (bytes, bytearray)):
        parts += (BYTES[len(item)], bytes(item))
    elif isinstance(item, str):
        parts.append(encode_text(item))
    elif isinstance(item, dict):
        parts.append(MAP[len(item)])
        for key, value in item.items():
            if not isinstance(key, str):
                raise CborError(f"the key {key!r} of a map is not text")
            parts.append(encode_text(key))
            _put(value, parts)
    else:
        raise CborError(f"{item!r} is of the type {type(item).__name__}, which has no place here")


def decode(data: bytes) -> Item:
    """The item that ``data`` is. Integers need not be in the shortest form.

    Raises :class:`CborError` where ``data`` is cut short, goes on after the item, or has something
    that is not of the subset.
    """
    try:
        first = data[0]
        if 0x80 <= first < 0x98:
            item, end = _array(data, 1, first - 0x80)
        else:
            item, end = _other(data, 1, first)
    except IndexError:
        raise _cut_short(data) from None
    except RecursionError:
        raise CborError("arrays and maps are nested too deep") from None
    if end != len(data):
        if end > len(data):
            raise _cut_short(data)
        raise CborError(f"the item ends after {end} bytes, and {len(data) - end} more follow")
    return item


def _cut_short(data: bytes) -> CborError:
    return CborError(f"the item is cut short: it goes on after its {len(data)} bytes")


def _array(data: bytes, at: int, count: int) -> tuple[list[Item], int]:
    """``count`` items from ``at`` on, and where they end.

    This is the hot path: what most frames are made of is read without a call. Nothing here asks
    whether ``data`` is long enough. A string that is cut short moves ``at`` past the end, where the
    next item raises ``IndexError``, or :func:`decode` sees it.
    """
    items: list[Item] = []
    add = items.append
    for _ in range(count):
        first = data[at]
        at += 1
        if first < 0x18:
            add(first)
        elif 0x40 <= first < 0x58:
            end = at + first - 0x40
            add(data[at:end])
            at = end
        elif 0x80 <= first < 0x98:
            array, at = _array(data, at, first - 0x80)
            add(array)
        elif first == 0x1A:
            end = at + 4
            add(int.from_bytes(data[at:end], "big"))
            at = end
        elif first == 0xF6:
            add(None)
        else:
            item, at = _other(data, at, first)
            add(item)
    return items, at


def _other(data: bytes, at: int, first: int) -> tuple[Item, int]:
    """The item that begins with the byte ``first`` and goes on at ``at``, and where it ends."""
    major = first >> 5
    if major == 7 and 0xF4 <= first <= 0xF6:
        return (False, True, None)[first - 0xF4], at
    if major in _KINDS_WITHOUT_PLACE:
        raise CborError(
            f"{_KINDS_WITHOUT_PLACE[major]} (0x{first:02x}) at byte {at - 1} has no place here"
        )
    argument = first & 0x1F
    if argument == 31:
        raise CborError(f"the item at byte {at - 1} is of indefinite length")
    if argument > 27:
        raise CborError(f"the byte 0x{first:02x} at {at - 1} begins no item")
    if argument >= 24:
        end = at + (1 << (argument - 24))
        if end > len(data):
            raise IndexError
        argument = int.from_bytes(data[at:end], "big")
        at = end
    if major <= 1:
        return (argument if major == 0 else -1 - argument), at
    if major == 4:
        return _array(data, at, argument)
    if major == 5:
        return _map(data, at, argument)
    end = at + argument
    if end > len(data):
        raise IndexError
    string = data[at:end]
    return (string if major == 2 else _text(string, at)), end


def _text(string: bytes, at: int) -> str:
    try:
        return string.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CborError(f"the text at byte {at} is not UTF-8: {error.reason}") from None


def _map(data: bytes, at: int, count: int) -> tuple[dict[str, Item], int]:
    found: dict[str, Item] = {}
    for _ in range(count):
        (key, value), at = _array(data, at, 2)
        if not isinstance(key, str):
            raise CborError(f"the key {key!r} of a map is not text")
        if key in found:
            raise CborError(f"a map has the key {key!r} twice")
        found[key] = value
    return found, at
