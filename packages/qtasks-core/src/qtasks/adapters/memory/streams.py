"""The values that running tasks gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qtasks.adapters.memory.state import Expiry
from qtasks.schemas import Streamed

if TYPE_CHECKING:
    from qtasks.schemas import Chunk

__all__ = ["Streams"]


class _Stream(msgspec.Struct):
    """The values of one run; ``first`` is the number of the first that is kept."""

    token: int
    first: int
    values: list[bytes]

    @property
    def next(self) -> int:
        return self.first + len(self.values)


class Streams:
    """The values of the newest run of each task that gave any, with a time to live."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._expiry = Expiry()

    def append(self, chunk: Chunk, now: float) -> None:
        """Keeps the values that are new; what a newer run gives begins anew."""
        stream = self._streams.get(chunk.id)
        if stream is None or chunk.token > stream.token or chunk.first > stream.next:
            stream = self._streams[chunk.id] = _Stream(chunk.token, chunk.first, [])
        stream.values += chunk.values[stream.next - chunk.first :]
        self._expiry.set(chunk.id, now + chunk.ttl)

    def read(self, id_: str, token: int, after: int, limit: int, now: float) -> Streamed:
        """Returns the values behind those that a reader has seen, which may be none."""
        if self._expiry.passed(id_, now):
            self._drop(id_)
        stream = self._streams.get(id_)
        if stream is None or stream.token < token:
            return Streamed(token, after)
        first = max(after if stream.token == token else 0, stream.first)
        start = first - stream.first
        values = tuple(stream.values[start : start + limit])
        return Streamed(stream.token, first, values)

    def sweep(self, now: float) -> None:
        """Removes the streams whose time is over."""
        for id_ in self._expiry.over(now):
            self._drop(id_)

    def _drop(self, id_: str) -> None:
        self._streams.pop(id_, None)
        self._expiry.forget(id_)
