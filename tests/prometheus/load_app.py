"""The app of the load: its tasks end in all ways, and its broker is away now and then."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from qtasks import QueueTasks
from qtasks.configs import QueueConfig
from qtasks.exc import Reject, ServerUnavailableError
from qtasks.plugins import Plugin, on
from qtasks_plugin_retry import Breaker, Budget, Constant, Retry

app = QueueTasks(
    broker_url=os.environ["LOAD_BROKER"],
    config=QueueConfig(lease=1.5, queues=("default", "mail")),
)


class Broken(Plugin):
    """Fails now and then."""

    @on("worker_exchanged")
    def fail(self, runs: list[Any]) -> None:
        if len(runs) % 5 == 1:
            raise RuntimeError


app.add_plugin(Broken("broken"))

calls = 0
exchange = type(app.broker).exchange


async def now_and_then(self: Any, *arguments: Any) -> Any:
    """Answers, but for each 30th call."""
    global calls  # noqa: PLW0603 - of this process
    calls += 1
    if calls % 30 == 0:
        msg = "away, as the test wants it"
        raise ServerUnavailableError(msg)
    return await exchange(self, *arguments)


type(app.broker).exchange = now_and_then  # type: ignore[method-assign,assignment]  # for this test


@app.task
async def quick(number: int) -> int:
    """Returns."""
    return number


@app.task(queue="mail", pool="thread")
def send(text: str) -> int:
    """Returns."""
    return len(text)


SPARE = Budget("spare", ratio=0, min_per_second=0.5, per=4)
BANK = Breaker("bank", failure_ratio=None, consecutive=1000)


@app.task(retry=Retry(max_attempts=2, backoff=Constant(0.1), budget=SPARE, breaker=BANK))
async def flaky() -> None:
    """Fails, twice."""
    raise OSError


@app.task(queue="mail")
async def refused() -> None:
    """Fails for good."""
    msg = "no"
    raise Reject(msg)


@app.task
async def lasting() -> None:
    """Takes longer than a lease."""
    await asyncio.sleep(2)


@app.task
async def feeder() -> None:
    """Adds tasks, and then itself again, so that a worker is a producer too."""
    await asyncio.to_thread(add_all)


def add_all() -> None:
    """Adds some of each kind."""
    for number in range(20):
        quick.add_task(number)
        send.add_task("x" * number)
    flaky.add_task()
    refused.add_task()
    lasting.add_task()
    quick.options(delay=3600).add_task(0)
    feeder.options(delay=0.5).add_task()
