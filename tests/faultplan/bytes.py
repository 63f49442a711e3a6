"""Bytes that nobody means well with, made from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.contracts.codec import encode_arguments

if TYPE_CHECKING:
    import random

__all__ = ["arguments", "mutated"]

_DEEP: Final = 10_000


def _extension(code: int, data: bytes) -> bytes:
    return b"\xc9" + len(data).to_bytes(4, "big") + bytes([code]) + data


#: What stands for one value, each wrong in another way or only strange.
_STRANGE: Final = (
    b"\x91" * _DEEP + b"\x01",
    b"\x81\xa1a" * _DEEP + b"\x01",
    b"\xdd\xff\xff\xff\xff",  # a list of four thousand million
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",  # no number
    b"\xcb\xff\xf0\x00\x00\x00\x00\x00\x00",  # minus infinity
    b"\xa3\xed\xa0\x80",  # half a character
    b"\xa2\xff\xfe",
    b"\x82\xa1a\x01\xa1a\x02",  # a key twice
    b"\x81\x90\x01",
    b"\x81\x80\x01",
    b"\xc1",
    _extension(10, b"0x" + b"f" * 50_000),
    _extension(10, b"9" * 50_000),
    _extension(5, b"1E+999999999999999999"),
    _extension(5, b"sNaN"),
    _extension(2, b"\x91" + _extension(5, b"sNaN")),
    _extension(4, b"\x00"),
    _extension(6, b"9999-99-99"),
    _extension(9, b"\x93\xcf" + b"\xff" * 8 + b"\x00\x00"),
    _extension(11, b"\x91\x93\x01\x02\x03"),
    _extension(99, b""),
    b"\xc7\x0c\xff" + b"\xff" * 12,
)
_SOUND: Final = encode_arguments(((1, "two", (3, 4), {"five": {6, 7}}), {"name": [b"8"]}), "")


def arguments(rng: random.Random) -> bytes:
    """Returns something in the place of the arguments of a call."""
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return rng.choice(_STRANGE)
    if kind == 2:
        return b"\x92\x91" + rng.choice(_STRANGE) + b"\x80"
    if kind == 3:
        nested = rng.choice(_STRANGE)
        for _ in range(rng.randrange(300)):
            nested = _extension(rng.randrange(12), b"\x91" + nested)
        return b"\x92\x91" + nested + b"\x80"
    return mutated(_SOUND, rng)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Returns bytes with a few changes: other ones, more, fewer, doubled or cut off."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(found) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            found[place : place + 1] = rng.randbytes(1)
        elif kind == 1:
            found[place:place] = rng.randbytes(rng.randint(1, 4))
        elif kind == 2:
            del found[place : place + rng.randint(1, 4)]
        elif kind == 3:
            found[place:place] = found[place : place + 16]
        else:
            del found[place + rng.randrange(8) :]
    return bytes(found)
