"""Values to bytes and back: msgpack, with extension types for what msgpack lacks.

tuple, set, frozenset, UUID, Decimal, datetime, date, time, timedelta and integers beyond 64 bits
come back as they went in. Enums, dataclasses, msgspec structs, pydantic models, paths and IP
addresses are written as plain values and need an annotation to come back. Nothing is ever imported
or called because a message says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from qtasks.exc import DecodeError, EncodeError, PayloadTooLargeError

if TYPE_CHECKING:
    from qtasks.typing import Arguments

__all__ = [
    "REFUSALS",
    "REFUSED",
    "SIGNED",
    "TEXTS",
    "UNREADABLE",
    "Unkept",
    "decode",
    "decode_arguments",
    "encode",
    "encode_arguments",
]

#: How signed bytes begin: with a byte that msgpack never uses, and the version of what follows.
SIGNED: Final = b"\xc1\x01"
#: How bytes begin that stand for those whose signature was refused; one byte says why.
REFUSED: Final = b"\xc1\x00"

#: How deep containers may be nested.
MAX_DEPTH: Final = 64
#: How long integers may be: as long as Python prints them, which is 4,300 digits.
MAX_BITS: Final = 14_284
_HEX_DIGITS: Final = MAX_BITS // 4 + len("-0x")
_TOO_LONG: Final = "an integer of more than about 4,300 digits"

#: Types whose values are written as text, and need an annotation to come back, as enums do.
TEXTS: Final = (
    PurePath,
    IPv4Interface,
    IPv4Address,
    IPv4Network,
    IPv6Interface,
    IPv6Address,
    IPv6Network,
)

#: All that a decoder of msgspec raises for bytes that others wrote: no msgpack, another type, text
#: that is none, a nesting too deep to follow, and what is no bytes at all.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError)

_INT64 = range(-(2**63), 2**64)
_PLAIN = frozenset({int, str, float, bool, type(None), bytes})
_SCALARS = frozenset({str, float, bool, type(None), bytes})
#: Key types that msgpack maps keep as they are; integers beyond 64 bits end as an error there.
_KEYS = frozenset({str, int, float, bool, type(None), bytes})
_TUPLE, _SET, _FROZENSET, _UUID, _DECIMAL, _DATETIME, _DATE, _TIME, _DELTA, _BIGINT, _MAP = range(
    1, 12
)
_UNKEPT: Final = 12

_encode = msgspec.msgpack.Encoder().encode


#: Why a signature was refused, by the byte that says so.
REFUSALS: Final = {
    b"u": "not signed",
    b"c": "the signature is cut off",
    b"k": "signed with a key that is none of the signing keys here",
    b"f": "the signature does not fit: changed on the way, or made for another task",
}


class Unkept(msgspec.Struct, frozen=True):
    """Stands where a result would that was too large to be kept.

    Attributes:
        why: what is said to whoever asks for it.
    """

    why: str


class _UnsupportedValueError(Exception):
    """Found while packing; the public error adds where the value stands."""


def encode(value: Any, what: str = "value", limit: int | None = None) -> bytes:
    """Encodes a value.

    Args:
        value: what to encode.
        what: what it is, for the error message.
        limit: the most bytes the encoded value may have.

    Raises:
        EncodeError: a part of it has a type that is not supported, or it is nested too deep.
        PayloadTooLargeError: it is larger than ``limit``.
    """
    try:
        data = _encode(_pack(value, 0))
    except (_UnsupportedValueError, RecursionError, UnicodeEncodeError, OverflowError) as error:
        raise EncodeError(_explain(value, what, error)) from None
    return _within(data, what, limit)


def _within(data: bytes, what: str, limit: int | None) -> bytes:
    """Returns encoded bytes if they are within the limit."""
    if limit is not None and len(data) > limit:
        msg = (
            f"{what} takes {len(data):,} bytes, over the limit of {limit:,}: pass a reference"
            " (a path, a key) instead of the data, or raise max_payload"
        )
        raise PayloadTooLargeError(msg)
    return data


def decode(data: Any) -> Any:
    """Decodes what :func:`encode` wrote.

    Raises:
        DecodeError: the bytes are something else.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError, ArithmeticError) as error:
        size = f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__
        msg = f"cannot decode {size}: {_foreign(data) or error}"
        raise DecodeError(msg) from error


def _foreign(data: Any) -> str:
    """Says what is known of bytes that are not ours to decode; empty if nothing is."""
    if not isinstance(data, bytes):
        return ""
    if data.startswith(SIGNED):
        return "signed: give this process the keys, by signing= or QTASKS_SIGNING_KEYS"
    return REFUSALS.get(data[2:], "") if data.startswith(REFUSED) else ""


def encode_arguments(arguments: Arguments, what: str, limit: int | None = None) -> bytes:
    """Encodes the arguments of a call, see :func:`encode`."""
    args, kwargs = arguments
    try:
        if _PLAIN.issuperset(map(type, args)) and _PLAIN.issuperset(map(type, kwargs.values())):
            # As most calls are: what the encoder alone would write in the same way.
            return _within(_encode((args, kwargs)), what, limit)
    except (OverflowError, UnicodeEncodeError, TypeError):  # a large number, or an odd text
        pass
    try:
        return encode([list(args), dict(kwargs)], what, limit)
    except EncodeError:
        # Encoded one by one, the error names the argument instead of a place in a pair.
        labels = [f"argument {number}" for number in range(1, len(args) + 1)]
        labels += [f"argument {name!r}" for name in kwargs]
        for label, value in zip(labels, [*args, *kwargs.values()], strict=True):
            encode(value, f"{what} {label}")
        raise


def decode_arguments(data: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Decodes the arguments of a call.

    Raises:
        DecodeError: the bytes are not the arguments of a call.
    """
    value = decode(data)
    match value:
        case [list() as args, dict() as kwargs] if all(isinstance(key, str) for key in kwargs):
            return args, kwargs
        case _:
            msg = f"not the arguments of a call: {type(value).__name__}"
            raise DecodeError(msg)


def _pack(value: Any, depth: int) -> Any:  # noqa: PLR0911 - one return for each kind of value
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is int:
        return value if value in _INT64 else _bigint(value)
    if depth >= MAX_DEPTH:
        msg = f"nested deeper than {MAX_DEPTH} levels"
        raise _UnsupportedValueError(msg)
    if kind is list:
        return [_pack(item, depth + 1) for item in value]
    if kind is dict:
        if all(type(key) in _KEYS for key in value):
            return {key: _pack(item, depth + 1) for key, item in value.items()}
        return _ext(_MAP, _encode([[_pack(part, depth + 1) for part in p] for p in value.items()]))
    writer = _WRITERS.get(kind)
    if writer is not None:
        return writer(value, depth)
    return _pack_relative(value, kind, depth)


def _pack_relative(value: Any, kind: type, depth: int) -> Any:
    """Packs what is not one of the known types itself: subclasses, enums and models."""
    if isinstance(value, Enum):
        return _pack(value.value, depth + 1)
    if isinstance(value, msgspec.Struct):
        return _pack_struct(value, depth)
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return {name: _pack(getattr(value, name), depth + 1) for name in names}
    if callable(dump := getattr(kind, "model_dump", None)):  # pydantic, without importing it
        return _pack(dump(value, round_trip=True), depth + 1)
    if callable(getattr(kind, "unicode_string", None)):  # a URL of pydantic, likewise
        return str(value)
    for base, plain in _BASES.items():
        if isinstance(value, base):
            return _pack(plain(value), depth)
    msg = f"{kind.__module__}.{kind.__qualname__}"
    raise _UnsupportedValueError(msg)


def _pack_struct(value: msgspec.Struct, depth: int) -> Any:
    """Packs a struct as msgspec writes it: with the names and the tag that it reads."""
    config = value.__struct_config__
    names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
    fields = {key: getattr(value, name) for name, key in names}
    tag = {} if config.tag is None else {config.tag_field: config.tag}
    if config.array_like:
        return [_pack(item, depth + 1) for item in (*tag.values(), *fields.values())]
    packed = {k: _pack(v, depth + 1) for k, v in fields.items() if v is not msgspec.UNSET}
    return {**tag, **packed}


def _sequence(code: int) -> Callable[[Any, int], msgspec.msgpack.Ext]:
    def write(value: Any, depth: int) -> msgspec.msgpack.Ext:
        return _ext(code, _encode([_pack(item, depth + 1) for item in value]))

    return write


def _bigint(value: int) -> msgspec.msgpack.Ext:
    if value.bit_length() > MAX_BITS:
        raise _UnsupportedValueError(_TOO_LONG)
    return _ext(_BIGINT, hex(value).encode())


def _read_bigint(data: memoryview) -> int:
    if len(data) > _HEX_DIGITS:
        raise ValueError(_TOO_LONG)
    return int(bytes(data), 16)


def _text(code: int, convert: Callable[[Any], str]) -> Callable[[Any, int], msgspec.msgpack.Ext]:
    def write(value: Any, _depth: int) -> msgspec.msgpack.Ext:
        return _ext(code, convert(value).encode())

    return write


def _delta(value: timedelta, _depth: int) -> msgspec.msgpack.Ext:
    return _ext(_DELTA, _encode((value.days, value.seconds, value.microseconds)))


_ext = msgspec.msgpack.Ext

_WRITERS: Final[dict[type, Callable[[Any, int], Any]]] = {
    tuple: _sequence(_TUPLE),
    set: _sequence(_SET),
    frozenset: _sequence(_FROZENSET),
    UUID: lambda value, _depth: _ext(_UUID, value.bytes),
    Decimal: _text(_DECIMAL, str),
    datetime: _text(_DATETIME, datetime.isoformat),
    date: _text(_DATE, date.isoformat),
    time: _text(_TIME, time.isoformat),
    timedelta: _delta,
    Unkept: _text(_UNKEPT, lambda value: value.why),
}

#: How an instance of a subclass becomes one of the type itself; the order matters.
_BASES: Final[dict[type, Callable[[Any], Any]]] = {
    datetime: lambda value: datetime.fromisoformat(value.isoformat()),
    date: lambda value: date(value.year, value.month, value.day),
    int: int,
    str: str,
    float: float,
    bytes: bytes,
    bytearray: bytes,
    memoryview: bytes,
    list: list,
    dict: dict,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    **dict.fromkeys(TEXTS, str),
}


def _gathered(kind: Callable[[list[Any]], Any], items: list[Any]) -> Any:
    """Returns a set; a list if its items were models, whose plain values no set can hold."""
    try:
        return kind(items)
    except TypeError:
        return items


def _read(code: int, data: memoryview) -> Any:
    reader = _READERS.get(code)
    if reader is None:
        msg = f"unknown extension type {code}"
        raise ValueError(msg)
    return reader(data)


_decoder = msgspec.msgpack.Decoder(ext_hook=_read)

#: They read in place: were each to copy, a message nested in itself would be kept once a level.
_READERS: Final[Mapping[int, Callable[[memoryview], Any]]] = {
    _TUPLE: lambda data: tuple(_decoder.decode(data)),
    _SET: lambda data: _gathered(set, _decoder.decode(data)),
    _FROZENSET: lambda data: _gathered(frozenset, _decoder.decode(data)),
    _UUID: lambda data: UUID(bytes=bytes(data)),
    _DECIMAL: lambda data: Decimal(str(data, "utf-8")),
    _DATETIME: lambda data: datetime.fromisoformat(str(data, "utf-8")),
    _DATE: lambda data: date.fromisoformat(str(data, "utf-8")),
    _TIME: lambda data: time.fromisoformat(str(data, "utf-8")),
    _DELTA: lambda data: timedelta(*_decoder.decode(data)),
    _BIGINT: _read_bigint,
    _MAP: lambda data: dict(_decoder.decode(data)),
    _UNKEPT: lambda data: Unkept(str(data, "utf-8")),
}


def _explain(value: Any, what: str, error: Exception) -> str:
    """Says which part of a value cannot be encoded and what to do."""
    if isinstance(error, RecursionError) or "nested deeper" in str(error):
        return f"{what} is nested deeper than {MAX_DEPTH} levels, or contains itself"
    if isinstance(error, OverflowError):
        return f"{what} has an integer beyond 64 bits as a key: use its str()"
    if isinstance(error, UnicodeEncodeError):
        return f"{what} contains text that is not valid Unicode: {error}"
    path, part = _locate(value)
    if _TOO_LONG in str(error):
        return f"{what}{path} cannot be encoded: it is {error}; use bytes or text for it"
    shown = repr(part)
    if len(shown) > 80:  # noqa: PLR2004 - a line of the message
        shown = shown[:77] + "..."
    return (
        f"{what}{path} cannot be encoded: {shown} is a {error}. Supported are None, bool, int,"
        " float, str, bytes, list, tuple, dict, set, datetime types, UUID, Decimal, enums, paths,"
        " IP addresses, dataclasses, msgspec structs and pydantic models"
    )


def _locate(value: Any, depth: int = 0) -> tuple[str, Any]:
    """Finds the first part that cannot be packed: its path and the part."""
    items: list[tuple[str, Any]] = []
    if depth < MAX_DEPTH:
        if isinstance(value, Mapping):
            items = [(f"[{key!r}]", item) for key, item in value.items()]
        elif isinstance(value, list | tuple | set | frozenset):
            items = [(f"[{index}]", item) for index, item in enumerate(value)]
    for step, item in items:
        try:
            _pack(item, depth + 1)
        except _UnsupportedValueError:
            path, part = _locate(item, depth + 1)
            return step + path, part
    return "", value
