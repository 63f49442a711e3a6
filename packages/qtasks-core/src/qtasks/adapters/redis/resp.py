"""The language of the server, RESP2: packing commands, and reading answers as they come.

hiredis does both in C. Where it is not installed, Python does.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.asyncio.connection import DefaultParser
from redis.exceptions import InvalidResponse

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["PART", "Reader", "make_reader", "pack"]

#: What a reader returns while an answer has not come in whole.
PART: Final = object()

#: Makes the driver's exception for an error that the server answers with.
_error: Any = DefaultParser.parse_error
#: The parser in C; None if it is not installed.
_hiredis: Any
try:
    import hiredis as _hiredis
except ImportError:
    _hiredis = None


def make_reader() -> Any:
    """Returns a reader: ``feed(data)`` takes a piece, ``gets()`` returns an answer or ``PART``.

    Texts are bytes; an answer that is an error is an exception of the driver's, and returned.
    """
    if _hiredis is None:
        return Reader()
    return _hiredis.Reader(protocolError=InvalidResponse, replyError=_error, notEnoughData=PART)


def pack(command: tuple[bytes | str | int, ...]) -> bytes:
    """Returns the bytes of a command."""
    if _hiredis is not None:
        packed: bytes = _hiredis.pack_command(command)
        return packed
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts += b"$%d\r\n" % len(data), data, b"\r\n"
    return b"".join(parts)


class Reader:
    """Reads answers in Python.

    Raises:
        InvalidResponse: by ``gets``; what came is no answer, and nothing after it can be read.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._answers = self._read()

    def feed(self, data: bytes) -> None:
        """Takes the next piece."""
        self._data += data

    def gets(self) -> Any:
        """Returns the next answer, or ``PART``."""
        return next(self._answers)

    def _read(self) -> Generator[Any]:
        while True:
            yield (yield from self._answer())

    def _answer(self) -> Generator[Any, None, Any]:
        line = yield from self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return _error(rest.decode(errors="replace"))
        try:
            number = int(rest)
        except ValueError:
            kind = b""
        if kind == b":":
            return number
        if kind not in {b"$", b"*"}:
            msg = f"the server's answer begins with {line[:40]!r}, which is not RESP2"
            raise InvalidResponse(msg)
        if number < 0:
            return None
        if kind == b"$":
            return (yield from self._take(number + 2))[:-2]
        items = []
        for _ in range(number):
            items.append((yield from self._answer()))  # noqa: PERF401 - no comprehension can yield
        return items

    def _line(self) -> Generator[Any, None, bytes]:
        seen = 0
        while (end := self._data.find(b"\r\n", seen)) < 0:
            seen = max(len(self._data) - 1, 0)
            yield PART
        return (yield from self._take(end + 2))[:-2]

    def _take(self, count: int) -> Generator[Any, None, bytes]:
        while len(self._data) < count:
            yield PART
        taken = bytes(self._data[:count])
        del self._data[:count]
        return taken
