"""Values to bytes and back."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import tracemalloc
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.contracts.codec import decode, decode_arguments, encode, encode_arguments
from qtasks.exc import DecodeError, EncodeError, PayloadTooLargeError

hashable = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
)
# Two keys that are equal but of different types (1 and True) would be one key.
keys = st.text() | st.tuples(st.text(), st.uuids())
values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(hashable, max_size=4)
        | st.frozensets(hashable, max_size=4)
    ),
    max_leaves=20,
)


def types(value: object) -> object:
    """The shape of a value, with types, where ``==`` would not tell ``1`` from ``True``."""
    if isinstance(value, list | tuple):
        return type(value), [types(item) for item in value]
    if isinstance(value, dict):
        return dict, [(types(key), types(item)) for key, item in value.items()]
    return type(value)


@given(values)
def test_values_survive_with_their_types(value: object) -> None:
    again = decode(encode(value))
    assert again == value
    assert types(again) == types(value)


@given(st.binary(max_size=200))
def test_foreign_bytes_decode_or_raise_one_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_arguments(data)


@given(values, st.data())
def test_mutated_bytes_never_crash(value: object, data: st.DataObject) -> None:
    encoded = bytearray(encode(value))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DecodeError):
        decode(bytes(encoded))


def test_a_value_nested_in_itself_is_not_kept_once_a_level() -> None:
    data = b"\x91\xc6" + len(ballast := b"x" * 100_000).to_bytes(4, "big") + ballast
    for _ in range(200):  # a tuple each
        data = b"\x91\xc9" + len(data).to_bytes(4, "big") + b"\x01" + data
    tracemalloc.start()
    try:
        decode(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10 * len(data)


@pytest.mark.parametrize("level", [b"\x91", b"\x81\xa1a", b"\xc7\x02\x01\x91"])
def test_a_nesting_that_nobody_can_follow_raises_the_one_error(level: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(level * 10_000)


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    when: datetime


class Line(msgspec.Struct):
    ends: tuple[int, int]


class Model(pydantic.BaseModel):
    id: UUID
    tags: set[str]


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - the untyped kind is a case of its own


def test_models_and_enums_are_written_as_plain_values() -> None:
    moment, key = datetime(2026, 1, 2, tzinfo=UTC), uuid4()
    value = [Colour.RED, Number.ONE, Point(1, moment), Line((1, 2)), Model(id=key, tags={"a"})]
    expected = ["red", 1, {"x": 1, "when": moment}, {"ends": (1, 2)}, {"id": key, "tags": {"a"}}]
    assert decode(encode(value)) == expected


def test_subclasses_become_their_base() -> None:
    class Text(str):
        __slots__ = ()

    class Moment(datetime):
        pass

    class Day(date):
        pass

    value = [
        Text("a"),
        OrderedDict(b=1),
        Pair(1, 2),
        Moment(2026, 1, 2),
        Day(2026, 1, 2),
        bytearray(b"x"),
        memoryview(b"y"),
    ]
    expected = ["a", {"b": 1}, (1, 2), datetime(2026, 1, 2), date(2026, 1, 2), b"x", b"y"]  # noqa: DTZ001 - naive on purpose
    assert decode(encode(value)) == expected


def test_a_time_zone_comes_back_as_its_offset() -> None:
    moment = datetime.fromisoformat("2026-07-01T12:00:00+02:00")
    assert decode(encode(moment)).utcoffset() == timedelta(hours=2)
    assert decode(encode(time(1, 2, 3, 4))) == time(1, 2, 3, 4)
    assert decode(encode(Decimal("1.10"))).as_tuple() == Decimal("1.10").as_tuple()


def test_the_error_names_place_value_and_type() -> None:
    with pytest.raises(EncodeError, match=r"payload\['a'\]\[1\].*<object.*builtins\.object"):
        encode({"a": [1, object()]}, "payload")


def test_the_error_names_the_argument() -> None:
    with pytest.raises(EncodeError, match=r"call: argument 2 cannot be encoded"):
        encode_arguments(((1, object()), {}), "call:")
    with pytest.raises(EncodeError, match=r"call: argument 'f'\[0\] cannot be encoded"):
        encode_arguments(((), {"f": [print]}), "call:")


def test_long_values_are_shortened_in_errors() -> None:
    class Long:
        def __repr__(self) -> str:
            return "x" * 500

    with pytest.raises(EncodeError) as caught:
        encode(Long())
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("depth", [65, 5000])
def test_deep_nesting_is_refused(depth: int) -> None:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    with pytest.raises(EncodeError, match="nested deeper than 64 levels"):
        encode(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(EncodeError, match="contains itself"):
        encode(value)


def test_invalid_text_and_huge_keys_are_refused() -> None:
    with pytest.raises(EncodeError, match="not valid Unicode"):
        encode("\ud800")
    with pytest.raises(EncodeError, match="beyond 64 bits"):
        encode({2**70: 1})


def test_the_limit_is_in_bytes_and_says_what_to_do() -> None:
    assert encode("x" * 97, limit=100)
    with pytest.raises(
        PayloadTooLargeError, match=r"result takes 103 bytes, over the limit of 100"
    ):
        encode("x" * 101, "result", limit=100)


@pytest.mark.parametrize("value", [1, [], [1, {}], [[], 1], [[], {1: 2}], [[], {}, {}]])
def test_only_a_pair_of_list_and_dict_are_arguments(value: object) -> None:
    with pytest.raises(DecodeError):
        decode_arguments(encode(value))


def test_what_is_no_bytes_is_an_error() -> None:
    with pytest.raises(DecodeError, match="cannot decode int"):
        decode(5)  # a damaged database may hold anything


def test_an_unknown_extension_is_an_error() -> None:
    with pytest.raises(DecodeError, match="unknown extension type 99"):
        decode(msgspec.msgpack.encode(msgspec.msgpack.Ext(99, b"")))
