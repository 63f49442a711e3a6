"""The values that running tasks gave."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks.adapters.redis.settlements import FIRST_BLOB
from qtasks.adapters.redis.steps import cut
from qtasks.adapters.redis.times import micros
from qtasks.schemas import Streamed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from qtasks.adapters.redis.engine import Engine
    from qtasks.adapters.redis.notes import Told
    from qtasks.adapters.redis.waiting import Looked, News
    from qtasks.schemas import Chunk

__all__ = ["Streams"]

#: Pieces of one step, and values of one piece.
_STEP: Final = 500
_PIECE: Final = 1000
#: What a value costs beside its bytes, so that a step of tiny ones does not hold up the server.
_COST: Final = 256
#: Tasks whose shard is remembered.
_REMEMBERED: Final = 1000

#: What the script says of a task: it is not there, or has ended; otherwise there may be more.
_UNKNOWN: Final = 0
_OVER: Final = 2


class Streams:
    """Keeps values and reads them.

    Args:
        engine: where the tasks are.
        news: tells when there are more.
    """

    def __init__(self, engine: Engine, news: News) -> None:
        self._engine = engine
        self._news = news
        self._places: dict[str, str] = {}

    async def append(self, chunks: Sequence[Chunk]) -> None:
        """Keeps values; their numbers allow to do it once more if a reply was lost."""
        shards: dict[str, list[Chunk]] = {}
        for chunk in chunks:
            shards.setdefault(self._engine.shard(chunk.queue), []).extend(_pieces(chunk))
        for shard, pieces in shards.items():
            for step in cut(pieces, _STEP, _size):
                rows, blobs = _rows(step)
                await self._engine.repeat("append", shard, *rows, blobs=blobs)

    async def read(self, id_: str, seen: tuple[int, int], timeout: float, limit: int) -> Streamed:
        """Waits for values, see :meth:`BaseStorage.read_stream`.

        Args:
            id_: the task.
            seen: the run that the reader knows, and how many of its values.
            timeout: seconds.
            limit: the most values to return.
        """
        values = _Values(partial(self._look, (id_, *seen, limit)))
        if timeout > 0:
            found = await self._news.wait([id_], values, timeout)
        else:
            found, _ = await values.look("")
        return found or Streamed(*seen)

    async def _look(self, query: tuple[Any, ...], name: str) -> Looked[Streamed]:
        """Returns what there is, and the shard in which the task will tell ``name`` of more."""
        id_, token, after, _ = query
        place = self._places.get(id_)
        shards = (place,) if place is not None else await self._engine.shards()
        for shard in shards:
            answer = await self._engine.repeat("read", shard, *query, name or False)
            if answer[0] != _UNKNOWN:
                self._remember(id_, shard)
                return _looked(shard, answer)
        if place is not None:  # it may have come back elsewhere
            self._places.pop(id_, None)
            return await self._look(query, name)
        return Streamed(token, after, ended=True), ()

    def _remember(self, id_: str, shard: str) -> None:
        """Remembers where a task is, if it could be elsewhere."""
        if self._engine.sharded:
            if len(self._places) >= _REMEMBERED:
                self._places = {}
            self._places[id_] = shard


class _Values:
    """What a wait for values looks for.

    Args:
        look: looks; notes tell only that there is something.
    """

    def __init__(self, look: Callable[[str], Awaitable[Looked[Streamed]]]) -> None:
        self.look = look

    def hear(self, told: Iterable[Told]) -> Streamed | None:  # noqa: ARG002 - nothing comes along
        """Takes a look to know."""
        return None


def _looked(shard: str, answer: Any) -> Looked[Streamed]:
    status, token, first, values = answer
    found = Streamed(token, first, tuple(values), ended=status == _OVER)
    return (found, ()) if found.values or found.ended else (None, (shard,))


def _pieces(chunk: Chunk) -> Iterator[Chunk]:
    """Cuts a chunk into what one script may take."""
    if not chunk.values:
        yield chunk
    first = chunk.first
    for values in cut(chunk.values, _PIECE, len):
        yield msgspec.structs.replace(chunk, first=first, values=tuple(values))
        first += len(values)


def _size(chunk: Chunk) -> int:
    return sum(len(value) + _COST for value in chunk.values)


def _rows(chunks: Sequence[Chunk]) -> tuple[list[str | int], list[bytes]]:
    """Returns what the script reads, and the byte strings that it points to."""
    rows: list[str | int] = []
    blobs: list[bytes] = []
    for chunk in chunks:
        rows += (chunk.id, str(chunk.token), chunk.first, micros(chunk.ttl))
        rows += (FIRST_BLOB + len(blobs), len(chunk.values))
        blobs += chunk.values
    return rows, blobs
