"""How far the tasks are: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from qtasks import QueueTasks, TaskHandle

#: Seconds between two lines where there is no terminal.
INTERVAL = 2.0


def watch(
    console: Console,
    app: QueueTasks,
    handles: Sequence[TaskHandle[Any]],
    done: int,
    check: Callable[[], None],
) -> Iterator[TaskHandle[Any]]:
    """Yields tasks as they end and shows how many have.

    Args:
        console: where to show it.
        app: the app they belong to.
        handles: the tasks.
        done: how many others were done before.
        check: is called every second; may raise if waiting makes no sense.
    """
    total = done + len(handles)
    meter = Bar(console, done, total) if console.is_terminal else Lines(console, done, total)
    with meter:
        pending = {handle.id: handle for handle in handles}
        while pending:
            ended = 0
            for handle in app.as_completed(pending.values(), timeout=1.0):
                ended += 1
                del pending[handle.id]
                meter.advance()
                yield handle
            check()
            if pending and not ended:
                next(iter(pending.values())).refresh()  # raises if somebody emptied the queue


class Bar:
    """A progress bar with rate and time left."""

    def __init__(self, console: Console, done: int, total: int) -> None:
        self._bar = Progress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("files", completed=done, total=total)

    def __enter__(self) -> None:
        self._bar.start()

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self) -> None:
        """Counts one."""
        self._bar.advance(self._task)


class Rate(ProgressColumn):
    """Files per second."""

    def render(self, task: Task) -> Text:
        """Shows the rate of the last files."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} files/s")


class Lines:
    """A line every few seconds."""

    def __init__(self, console: Console, done: int, total: int) -> None:
        self._console = console
        self._before, self._done, self._total = done, done, total

    def __enter__(self) -> None:
        self._began = self._last = time.monotonic()
        self._print(self._began)

    def __exit__(self, *_: object) -> None:
        self._print(time.monotonic())

    def advance(self) -> None:
        """Counts one."""
        self._done += 1
        now = time.monotonic()
        if now - self._last >= INTERVAL:
            self._last = now
            self._print(now)

    def _print(self, now: float) -> None:
        here = self._done - self._before
        rate = here / (now - self._began) if here else 0.0
        left = f", {(self._total - self._done) / rate:.0f} s left" if rate else ""
        self._console.print(f"{self._done:,} of {self._total:,} files, {rate:,.0f} files/s{left}")
