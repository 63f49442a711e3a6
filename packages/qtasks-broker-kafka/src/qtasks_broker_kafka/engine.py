"""All that speaks to Kafka on behalf of one process; everything here runs in one loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from aiokafka.admin import AIOKafkaAdminClient

from qtasks.exc import ServerError
from qtasks_broker_kafka.consuming import Consuming
from qtasks_broker_kafka.control import Control
from qtasks_broker_kafka.counting import Counting
from qtasks_broker_kafka.faults import DRIVER_ERRORS, find_out, translated
from qtasks_broker_kafka.greeting import wrong_port
from qtasks_broker_kafka.lanes import Lanes
from qtasks_broker_kafka.outage import Outage
from qtasks_broker_kafka.publishing import Publisher
from qtasks_broker_kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks_broker_kafka.batches import Written
    from qtasks_broker_kafka.options import Options

__all__ = ["Engine"]

#: Seconds after which a server that has not answered is asked whether it speaks with TLS.
_SOON: Final = 1.0


class Engine:
    """Connects, publishes, consumes.

    Args:
        options: what the URL says.
        loop: where it runs.

    Attributes:
        lanes: what was fetched; safe to use from any thread.
    """

    def __init__(self, options: Options, loop: asyncio.AbstractEventLoop) -> None:
        _quieten()
        self.options = options
        self.loop = loop
        self.lanes = Lanes()
        self._outage = Outage(options)
        self._opened = False
        self._opening: asyncio.Lock | None = None
        self._wanted: frozenset[str] = frozenset()

    async def open(self) -> None:
        """Connects; calling it again is harmless.

        Raises:
            ServerError: no server can be reached, or none lets us in.
        """
        if self._opened:
            return
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if not self._opened:
                await self._open()

    async def _open(self) -> None:
        admin = AIOKafkaAdminClient(**self.options.connection())
        until = self.loop.time() + self.options.timeout
        try:
            async with asyncio.timeout_at(until):
                await self._started(admin)
        except ServerError:
            await admin.close()
            raise
        except (*DRIVER_ERRORS, KeyError, ValueError) as error:  # see find_out for the last two
            await admin.close()
            raise await find_out(error, self.options, until) from None
        self.admin = admin
        self.topics = Topics(admin, self.options)
        self.publisher = Publisher(self.topics, self.options)
        self.consuming = Consuming(self.lanes, self.topics, self.options, self._outage)
        self.control = Control(self.publisher, self.topics, self.options, self.lanes, self._outage)
        self.counting = Counting(self.options, self.topics, self.lanes, self.consuming)
        self._opened = True
        if self._wanted:
            self.want(self._wanted)

    async def _started(self, admin: AIOKafkaAdminClient) -> None:
        starting = asyncio.ensure_future(admin.start())
        try:
            await asyncio.wait([starting], timeout=_SOON)
            if not starting.done() and (error := await wrong_port(self.options)) is not None:
                raise error
            await starting
        finally:
            starting.cancel()

    async def close(self) -> None:
        """Commits, leaves the group and disconnects."""
        if not self._opened:
            return
        self._opened = False
        await self.consuming.close()
        await self.control.close()
        await self.counting.close()
        await self.publisher.close()
        with contextlib.suppress(*DRIVER_ERRORS):
            await self.admin.close()

    def want(self, queues: frozenset[str]) -> None:
        """Takes from these queues from now on, as soon as there is a connection."""
        self._wanted |= queues
        if self._opened:
            self.consuming.want(queues)
            self.control.follow()
            self.publisher.tell_of_copies()

    async def write(self, records: Sequence[Written]) -> None:
        """Writes records; topics that they make are read at once."""
        if await self.publisher.write(records):
            self.consuming.look()

    async def flush(self) -> None:
        """Removes all topics, and all that is known of them."""
        with translated(self.options):
            await self.consuming.close()
            await self.counting.close()
            await self.topics.remove_all()
            await self.control.forget()
        self.consuming = Consuming(self.lanes, self.topics, self.options, self._outage)
        self.counting = Counting(self.options, self.topics, self.lanes, self.consuming)
        if self._wanted:
            self.consuming.want(self._wanted)


def _quieten() -> None:
    """Keeps the driver from logging what is told here in one line; a level of your own wins."""
    driver = logging.getLogger("aiokafka")
    if driver.level == logging.NOTSET:
        driver.setLevel(logging.CRITICAL)
