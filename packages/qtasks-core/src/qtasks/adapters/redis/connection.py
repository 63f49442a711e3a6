"""One connection of a loop to the server.

The driver connects, says who we are, and then reads each answer through streams, locks and timers
of its own, which costs several times what the command does. So it only connects; after that the
loop's transport is ours. Commands go out when they are given, and answers come in their order.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections import deque
from typing import Any, Final

from redis import exceptions

from qtasks.adapters.redis.resp import PART, make_reader

__all__ = ["CLOSED_HERE", "Connection", "open_connection", "same"]

#: What is said of a connection that is used after its end.
CLOSED_HERE: Final = "The connection was closed here."


async def open_connection(pool: Any, silence: float) -> Connection:
    """Connects.

    Args:
        pool: the driver's, of which not all is typed; makes its connections.
        silence: seconds without an answer after which a connection counts as dead.

    Raises:
        RedisError: it cannot connect, or is refused.
        OSError: it cannot connect.
    """
    driver = pool.make_connection()
    try:
        async with asyncio.timeout(silence):
            await driver.connect()
    except TimeoutError as error:
        await _give_up(driver)
        raise _silent(silence) from error
    except BaseException:
        await _give_up(driver)
        raise
    return Connection(driver, silence)


async def _give_up(driver: Any) -> None:
    """Disconnects without a good-bye, for which TLS would wait."""
    if driver.is_connected:
        driver._writer.transport.abort()  # noqa: SLF001 - it has no other way to its transport
    await driver.disconnect(nowait=True)


class Connection(asyncio.Protocol):
    """Commands and their answers.

    Args:
        driver: a connection of the driver's that is connected and idle; it is used up.
        silence: see `open_connection`.
    """

    def __init__(self, driver: Any, silence: float) -> None:
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self._reader = make_reader()
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._heard = 0.0  # when the last answer came, or the first of those asked was sent
        self._watch: asyncio.TimerHandle | None = None
        self._fault: Exception | None = None
        self._ended = self._loop.create_future()
        # The streams live as long as their transport, or they would complain; the driver's
        # connection has none any more, and ends without a word.
        self._streams = driver._reader, driver._writer  # noqa: SLF001 - it has no other way out
        driver._reader = driver._writer = None  # noqa: SLF001 - as above
        self._transport: Any = self._streams[1].transport
        self._transport.set_protocol(self)
        self._poll = _poll(self._transport.get_extra_info("socket"))

    def ask(self, packed: bytes) -> asyncio.Future[Any]:
        """Sends a command; who stops waiting for the answer leaves it to be thrown away.

        Raises:
            RedisError: by the future: an answer that is an error, or there will be none.
        """
        answer = self._loop.create_future()
        if not self._asked:
            self._heard = time.monotonic()
        self._asked.append(answer)
        self._transport.write(packed)
        if self._watch is None:
            self._watch = self._loop.call_later(self._silence, self._look)
        return answer

    @property
    def usable(self) -> bool:
        """Whether it is connected, as far as can be known without a word."""
        if self._fault is not None or self._transport.is_closing():
            return False
        if self._asked or self._poll is None or not self._poll.poll(0):
            return True
        # The server has closed it, which the loop did not see yet, or says what nobody asked.
        self._end(exceptions.ConnectionError("Connection closed by server."))
        return False

    def abandon(self) -> None:
        """Disconnects at once."""
        self._end(exceptions.ConnectionError(CLOSED_HERE))

    async def close(self) -> None:
        """Disconnects, and returns when that is done."""
        self.abandon()
        await asyncio.shield(self._ended)

    def data_received(self, data: bytes) -> None:
        """Gives answers to who asked."""
        self._heard = time.monotonic()
        reader = self._reader
        reader.feed(data)
        try:
            while (answer := reader.gets()) is not PART:
                if not self._asked:
                    msg = f"The server said what nobody asked: {answer!r:.80}"
                    self._end(exceptions.ConnectionError(msg))
                    return
                waiting = self._asked.popleft()
                if waiting.done():
                    continue
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)
        except exceptions.InvalidResponse as error:
            self._end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells those who wait that no answer comes any more."""
        error = exceptions.ConnectionError(
            "Connection closed by server." if exc is None else f"Error while reading: {exc}"
        )
        error.__cause__ = exc
        self._end(error)
        if not self._ended.done():
            self._ended.set_result(None)

    def _look(self) -> None:
        """Ends the connection if the server says nothing for too long."""
        self._watch = None
        if not self._asked:
            return
        left = self._heard + self._silence - time.monotonic()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
        else:
            self._end(_silent(self._silence))

    def _end(self, fault: Exception) -> None:
        if self._fault is not None:
            return
        self._fault = fault
        if self._watch is not None:
            self._watch.cancel()
        self._transport.abort()
        _fail(self._asked, fault)


def same(fault: Exception) -> Exception:
    """Returns a fault for one more of those whom it meets: who raises one writes into it."""
    error = type(fault)(*fault.args)
    error.__cause__, error.__context__ = fault.__cause__, fault.__context__
    error.__suppress_context__ = fault.__suppress_context__
    return error


def _fail(asked: deque[asyncio.Future[Any]], fault: Exception) -> None:
    while asked:
        waiting = asked.popleft()
        if not waiting.done():
            waiting.set_exception(same(fault))


def _silent(silence: float) -> Exception:
    return exceptions.TimeoutError(f"no answer within {silence:g} seconds")


def _poll(socket: Any) -> Any:
    """Returns what tells whether there is something to read; None where the system has no such."""
    if socket is None or not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return poll
