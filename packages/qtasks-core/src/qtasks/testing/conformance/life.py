"""The life of a server: start, stop, and what is left."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from qtasks.contracts.broker import BaseBroker
from qtasks.schemas import Capabilities, RecordQuery, Retention
from qtasks.testing.conformance.base import Conformance, complete, needs

if TYPE_CHECKING:
    from qtasks.contracts.storage import BaseStorage

__all__ = ["Life"]


async def use(server: BaseBroker | BaseStorage) -> None:
    """Asks a server something harmless."""
    if isinstance(server, BaseBroker):
        assert await server.queues() == []
    else:
        assert (await server.list(RecordQuery())).records == ()


class Life(Conformance):
    """Rules of ``start``, ``stop`` and ``client``."""

    async def test_start_may_be_repeated(self, server: BaseBroker | BaseStorage) -> None:
        """Starting again is harmless.

        If this fails: return early if there is a connection.
        """
        await server.start()
        await server.start()
        await use(server)

    async def test_stop_may_be_repeated(self, server: BaseBroker | BaseStorage) -> None:
        """Stopping again is harmless.

        If this fails: return early if there is no connection.
        """
        await use(server)
        await server.stop()
        await server.stop()

    async def test_stop_before_start(self, unstarted: BaseBroker | BaseStorage) -> None:
        """Stopping what was never started is harmless, and it can be started then.

        If this fails: return early if there is no connection.
        """
        await unstarted.stop()
        await unstarted.start()
        await use(unstarted)

    async def test_start_after_stop(self, server: BaseBroker | BaseStorage) -> None:
        """A stopped server can be started again.

        If this fails: make connections in ``start``, not in the constructor.
        """
        for _ in range(3):
            await server.stop()
            await server.start()
            await use(server)

    async def test_nothing_is_left_running(self, unstarted: BaseBroker | BaseStorage) -> None:
        """After ``stop`` no thread and no asyncio task of the server is left.

        If this fails: join threads and await cancelled tasks in ``stop``. Threads of the loop's
        own executor do not count.
        """
        threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
        await unstarted.start()
        await use(unstarted)
        await unstarted.stop()
        left = [thread for thread in set(threading.enumerate()) - threads if thread.is_alive()]
        assert [thread.name for thread in left if not thread.name.startswith("asyncio_")] == []
        assert asyncio.all_tasks() - tasks == set()

    async def test_it_says_what_it_is(self, server: BaseBroker | BaseStorage) -> None:
        """A server has a URL, capabilities and a retention that can be set.

        If this fails: call ``super().__init__(url)`` in the constructor.
        """
        assert isinstance(server.url, str)
        assert server.url
        assert isinstance(server.capabilities, Capabilities)
        assert server.retention == Retention()
        server.retention = Retention(1.0, 2.0)
        assert server.retention == Retention(1.0, 2.0)

    async def test_twins_are_there_if_they_are_claimed(
        self, server: BaseBroker | BaseStorage
    ) -> None:
        """``client`` returns a twin if ``blocking`` is claimed, and None if it is not.

        If this fails: the synchronous façade believes the capability; make both agree.
        """
        assert (server.client() is not None) is server.capabilities.blocking

    @needs("blocking")
    async def test_a_twin_has_a_life_of_its_own(self, server: BaseBroker | BaseStorage) -> None:
        """A twin is started and stopped by itself, inherits the retention, and has twins too.

        If this fails: ``client`` returns an unstarted object with a connection of its own.
        """
        server.retention = Retention(1.0, 2.0)
        twin = server.client()
        assert twin is not None
        assert (twin.url, twin.retention) == (server.url, Retention(1.0, 2.0))
        complete(twin.stop())
        complete(twin.start())
        complete(twin.start())
        complete(use(twin))
        complete(twin.stop())
        complete(twin.stop())
        await use(server)
        second = twin.client()
        assert second is not None
        complete(second.start())
        complete(use(second))
        complete(second.stop())

    @needs("blocking")
    async def test_a_twin_outlives_its_maker(self, server: BaseBroker | BaseStorage) -> None:
        """Twins do not need a running loop, and survive the stop of who made them.

        If this fails: give each twin a connection of its own.
        """
        twin = server.client()
        assert twin is not None
        complete(twin.start())
        await server.stop()
        complete(use(twin))
        complete(twin.stop())
