"""One child, as its supervisor sees it: a process, a channel, and what it said last."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from qtasks._runtime.channel import Channel, ChannelError, write_all
from qtasks._supervisor.logs import StrayLines, log_here
from qtasks._supervisor.messages import (
    Failed,
    Goodbye,
    Hello,
    LogLine,
    Order,
    Ping,
    Retiring,
    State,
    Stop,
)
from qtasks._worker.processes import APART
from qtasks._worker.stopping import MARGIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from qtasks.schemas import Record

__all__ = ["ChildProcess"]

log = logging.getLogger("qtasks.supervisor")

#: Seconds until what a dead child wrote last is read, if something it started keeps its pipes.
_LAST_WORDS: Final = 1.0
#: Chunks of 64 KiB that were read and are not dealt with: who prints more than can be shown waits.
_UNREAD: Final = 16
_COMMAND: Final = "from qtasks._supervisor.child import main; main()"


class ChildProcess:
    """A worker process that was started by this one; used on the loop.

    It never waits for the child's own loop, so a child that hangs can be ended all the same.

    Args:
        number: names it in logs.
        order: what it is to do.

    Attributes:
        number: names it in logs.
        pid: its process id.
        channel: the way to it.
        worker: the id of its worker, or None if it has not said so yet.
        state: how it was when it last said so.
        retiring: why it claims no more, or None.
        failed: why it cannot work, or None.
        goodbye: how it stopped, or None if it has not, or not as it should.
        leaving: set when it claims no more, be it that it retires or has ended.
        silent: beats of the supervisor since it said something; see :mod:`.silence`.
        code: its exit code when it has ended; a negative one is that of a signal.
    """

    def __init__(self, number: int, order: Order) -> None:
        self.number = number
        self.worker: str | None = None
        self.state = State(0, 0, None)
        self.retiring: str | None = None
        self.failed: Failed | None = None
        self.goodbye: Goodbye | None = None
        self.leaving = asyncio.Event()
        self.silent = 0
        self.code: int | None = None
        self._loop = asyncio.get_running_loop()
        self._born = time.monotonic()
        self._held: asyncio.Future[list[Record]] = self._loop.create_future()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter with our own command
            [sys.executable, "-c", _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            **APART,
        )
        self.pid = self._process.pid
        self._stray = StrayLines(number)
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self.channel = Channel(partial(write_all, self._process.stdin.fileno()))
        self._listen()
        self.channel.send(order)

    def _listen(self) -> None:
        on = self.channel.on
        on(Hello, self._greeted)
        on(State, partial(setattr, self, "state"))
        on(Retiring, self._retires)
        on(Failed, partial(self._ends, "failed"))
        on(Goodbye, partial(self._ends, "goodbye"))
        on(Ping, lambda _: None)
        on(LogLine, lambda line: log_here(line, self.number, self.pid))

    @property
    def clean(self) -> bool:
        """Whether it holds no task, as far as it could say so."""
        if self.failed is not None:
            return self.failed.kind == "unavailable"  # it never claimed any
        return self.goodbye is not None and not self.goodbye.held

    @property
    def lived(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._born

    @property
    def fate(self) -> str:
        """How it ended, in words."""
        code = self.code or 0
        if code >= 0:
            return f"ended with exit code {code}"
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
        return f"was killed by signal {-code}"

    @property
    def reason(self) -> str:
        """Why it ended, in one word."""
        if self.failed is not None:
            return "failed"
        if self.goodbye is not None:
            return self.goodbye.why
        return "signal" if (self.code or 0) < 0 else "exit"

    async def held(self) -> list[Record]:
        """Returns the tasks that its worker held when it died, run or waiting for their turn.

        Waits for its end, and until the broker has been asked. The list is empty if the worker
        held nothing, or if the broker cannot tell; of very many only the first are in it.
        """
        return list(await asyncio.shield(self._held))

    def told_of(self, held: list[Record]) -> None:
        """Takes the tasks that its worker held; what comes first counts.

        Args:
            held: what the storage knows of them.
        """
        if not self._held.done():
            self._held.set_result(held)

    async def attend(self) -> None:
        """Takes what the child says and prints until it has ended."""
        said = self._read(self._process.stdout, self._understand, "said")
        printed = self._read(self._process.stderr, self._stray.feed, "printed")
        self.code = await self._in_thread(self._process.wait, "wait")
        await asyncio.wait([said, printed], timeout=_LAST_WORDS)
        self._stray.close()
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]  # it was started with a pipe
        self.leaving.set()

    def stop(self, *, hurry: bool = False) -> None:
        """Asks it to stop; ``hurry`` has running tasks given back at once."""
        self.channel.send(Stop(hurry))

    def ask(self) -> None:
        """Asks it for a sign of life."""
        self.channel.send(Ping())

    def kill(self) -> None:
        """Ends it at once, with what it has started; harmless if it has ended."""
        if self.code is not None:
            return
        if sys.platform == "win32":
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _greeted(self, hello: Hello) -> None:
        self.worker = hello.worker

    def _retires(self, retiring: Retiring) -> None:
        self.retiring = retiring.why
        log.info("[%d] Process %d is replaced: %s", self.number, self.pid, self.retiring)
        self.leaving.set()

    def _ends(self, name: str, message: Failed | Goodbye) -> None:
        setattr(self, name, message)
        self._loop.call_later(MARGIN, self.kill)  # threads of tasks may keep it from ending

    def _understand(self, data: bytes) -> None:
        self.silent = 0
        try:
            self.channel.feed(data)
        except ChannelError as error:
            log.error("[%d] writes to the pipe of its supervisor: %s", self.number, error)  # noqa: TRY400 - the trace says nothing more
            self.kill()

    def _read(
        self, stream: IO[bytes] | None, take: Callable[[bytes], None], name: str
    ) -> asyncio.Future[int]:
        """Hands over what comes from a pipe until that ends."""
        assert stream is not None  # noqa: S101 - it was started with pipes
        room = threading.Semaphore(_UNREAD)

        def deal(data: bytes) -> None:
            room.release()
            _guarded(take, data)

        def read() -> int:
            with stream, contextlib.suppress(OSError):
                while data := os.read(stream.fileno(), 65536):
                    while not room.acquire(timeout=1.0) and not self._loop.is_closed():
                        pass
                    self._loop.call_soon_threadsafe(deal, data)
            return 0

        return self._in_thread(read, name)

    def _in_thread(self, function: Callable[[], int], what: str) -> asyncio.Future[int]:
        """Waits for something in a thread, which works with pipes on every platform."""
        future: asyncio.Future[int] = self._loop.create_future()

        def work() -> None:
            # If the loop is closed meanwhile, nobody waits any more.
            with contextlib.suppress(RuntimeError):
                result = function()
                self._loop.call_soon_threadsafe(future.set_result, result)

        name = f"qtasks-child-{self.number}-{what}"
        threading.Thread(target=work, name=name, daemon=True).start()
        return future


def _guarded(take: Callable[[bytes], None], data: bytes) -> None:
    try:
        take(data)
    except (OSError, ValueError) as error:  # standard error is closed; the workers go on
        log.debug("Output of a child is lost: %s", error)
