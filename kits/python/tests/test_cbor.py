from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest

from squall_raft import CborError, cbor

WIDTHS = [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1]


@pytest.mark.parametrize("number", WIDTHS + [4095, 4096])
def test_integers_of_all_widths_come_back_in_the_shortest_form(number: int) -> None:
    data = cbor.encode(number)
    assert cbor.decode(data) == number
    length = 1 if number < 24 else next(w for w in (1, 2, 4, 8) if number < 1 << 8 * w) + 1
    assert len(data) == length


@pytest.mark.parametrize("number", WIDTHS)
def test_integers_below_zero_come_back(number: int) -> None:
    for item in (-1 - number, [-1 - number]):
        assert cbor.decode(cbor.encode(item)) == item


@pytest.mark.parametrize("number", [-1, -100, 2**64, 1.5, "1", None])
def test_actions_hold_no_other_numbers(number: Any) -> None:
    with pytest.raises(CborError, match="not an integer from 0"):
        cbor.UINT[number]


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 1023, 1024, 65536])
def test_strings_and_arrays_of_all_lengths_come_back(length: int) -> None:
    for item in (bytes(length), "x" * length, [0] * length, {f"k{i}": i for i in range(length)}):
        assert cbor.decode(cbor.encode(item)) == item
        assert cbor.decode(cbor.encode([item, 1])) == [item, 1]


@pytest.mark.parametrize("hex_", ["1800", "190000", "1a00000000", "1b0000000000000000"])
def test_integers_need_not_be_in_the_shortest_form(hex_: str) -> None:
    assert cbor.decode(bytes.fromhex(hex_)) == 0
    assert cbor.decode(bytes.fromhex("82" + hex_ + "01")) == [0, 1]


@pytest.mark.parametrize(
    ("hex_", "item"),
    [("980101", [1]), ("5801ff", b"\xff"), ("780161", "a"), ("b8016161f6", {"a": None})],
)
def test_lengths_need_not_be_in_the_shortest_form(hex_: str, item: Any) -> None:
    assert cbor.decode(bytes.fromhex(hex_)) == item


@pytest.mark.parametrize(
    "item",
    [True, False, None, "", "drei Wörter", [[[]]], {"a": {"b": [b"c", None]}}, [True, "", {}]],
)
def test_items_come_back(item: Any) -> None:
    assert cbor.decode(cbor.encode(item)) == item


def test_tuples_are_arrays_and_members_of_enumerations_are_integers() -> None:
    class Kind(IntEnum):
        TWO = 2

    assert cbor.encode((Kind.TWO, bytearray(b"a"))) == cbor.encode([2, b"a"])


@pytest.mark.parametrize(
    ("hex_", "message"),
    [
        ("c100", "a tag"),
        ("f90000", "a float"),
        ("fb0000000000000000", "a float"),
        ("f7", "a float or simple value"),
        ("f800", "a float or simple value"),
        ("9fff", "indefinite length"),
        ("5fff", "indefinite length"),
        ("bfff", "indefinite length"),
        ("7fff", "indefinite length"),
        ("ff", "a float or simple value"),
        ("1c", "begins no item"),
        ("3e", "begins no item"),
        ("3f", "indefinite length"),
        ("5d", "begins no item"),
        ("0000", "1 more follow"),
        ("820102ffff", "2 more follow"),
        ("61ff", "not UTF-8"),
        ("a10102", "not text"),
        ("a2616101616102", "twice"),
    ],
)
def test_what_is_not_of_the_subset_is_refused(hex_: str, message: str) -> None:
    with pytest.raises(CborError, match=message):
        cbor.decode(bytes.fromhex(hex_))


@pytest.mark.parametrize(
    "item",
    [
        [3, 2, 1_250_000, 0, [[1, 3, b"data", None]]],
        [1, {"seed": 2**64 - 1, "text": "text", "list": [b"x" * 30, 70000, True]}],
        "x" * 300,
    ],
)
def test_an_item_that_is_cut_short_anywhere_is_refused(item: Any) -> None:
    data = cbor.encode(item)
    for length in range(len(data)):
        with pytest.raises(CborError, match="cut short"):
            cbor.decode(data[:length])


@pytest.mark.parametrize("hex_", ["5bffffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff"])
def test_a_length_that_no_memory_holds_is_refused(hex_: str) -> None:
    for prefix in ("", "81"):
        with pytest.raises(CborError, match="cut short"):
            cbor.decode(bytes.fromhex(prefix + hex_))


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(CborError, match="nested too deep"):
        cbor.decode(b"\x81" * 100_000 + b"\x00")


@pytest.mark.parametrize(
    "item", [-(2**64) - 1, 2**64, 1.5, {1: 2}, object(), [0, [2**64]], {"a": set()}]
)
def test_what_cannot_be_written_is_refused(item: Any) -> None:
    with pytest.raises(CborError):
        cbor.encode(item)


def test_looking_up_a_head_does_not_keep_it() -> None:
    before = len(cbor.UINT)
    cbor.encode(list(range(4000, 6000)))
    assert len(cbor.UINT) == before


def test_text_that_is_none_in_utf_8_is_written_all_the_same() -> None:
    assert cbor.decode(cbor.encode_text("a\udcffb")) == "a?b"
