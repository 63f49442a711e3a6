"""The exporter: one process that looks at the broker, and shows what it sees."""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

from qtasks_plugin_metrics.book import Book
from qtasks_plugin_metrics.collecting import Collecting
from qtasks_plugin_metrics.serving import MetricsServer
from qtasks_plugin_metrics.writing import of_book

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks_plugin_metrics.options import Options

__all__ = ["Exporter"]

#: Seconds that a scrape waits for the broker, which gets a little less.
_PATIENCE: Final = 5.0


class Exporter:
    """Serves the metrics of an app's queues until it is stopped.

    Args:
        app: the app.
        options: where they are served.
    """

    def __init__(self, app: Any, options: Options) -> None:
        self._app = app
        self._options = options
        self._collecting = Collecting(app)
        self._book = Book(options.max_series)
        self._book.read(self._collecting.readings)
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, told: Callable[[str], object], *, signals: bool = True) -> None:
        """Serves until :meth:`stop`, or a signal.

        Args:
            told: is told where the metrics are.
            signals: whether SIGTERM and SIGINT end it.

        Raises:
            ServingError: the port is taken, or the certificate is none.
        """
        self._loop = asyncio.get_running_loop()
        server = MetricsServer(self._options, self._encode, self._alive, self._ready)
        if signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                try:
                    self._loop.add_signal_handler(number, self._stop.set)
                except NotImplementedError:  # Windows
                    signal.signal(number, lambda *_: self.stop())
        server.start()
        try:
            told(server.url)
            await self._stop.wait()
        finally:
            await asyncio.to_thread(server.stop)
            await self._app.broker.stop()

    def stop(self) -> None:
        """Ends it; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    # From the threads of requests

    def _encode(self, accept: str) -> tuple[bytes, str]:
        if not self._look():
            msg = "the loop did not answer in time, so the figures would be old"
            raise TimeoutError(msg)
        return of_book(self._book)(accept)

    def _alive(self) -> str:
        """Says what is wrong: nothing, as long as the loop answers."""
        if self._loop is None:
            return "not started"
        answered = threading.Event()
        self._loop.call_soon_threadsafe(answered.set)
        return "" if answered.wait(_PATIENCE) else "the loop does not answer"

    def _ready(self) -> str:
        if not self._look():
            return "the loop does not answer"
        succeeded = ("collector_success", (), 1.0) in self._collecting.readings()
        return "" if succeeded else "the broker does not answer"

    def _look(self) -> bool:
        """Has the broker looked at; returns whether that was done in time."""
        if self._loop is None or self._loop.is_closed():
            return False
        look = asyncio.run_coroutine_threadsafe(self._collecting.look(), self._loop)
        try:
            look.result(_PATIENCE)
        except (TimeoutError, concurrent.futures.CancelledError):
            return False
        return True
