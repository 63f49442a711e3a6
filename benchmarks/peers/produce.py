"""The producer's side of a measurement, run in the environment of a queue.

    python -m peers.produce PEER one|together|bulk|check|arrive --out FILE --kind noop --tasks N

It writes JSON into a file, since what a queue prints is its own business; ``check`` reads the ids
of the tasks, and ``arrive`` the times, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TOGETHER = 32
BULK = 1000
TEXT = "x" * 32


class Caller:
    """Calls a queue, whose calls are coroutines or block.

    Args:
        producer: the queue's.
    """

    def __init__(self, producer: Any) -> None:
        self._blocking: bool = producer.blocking
        self._threads = ThreadPoolExecutor(4 * TOGETHER)

    async def here(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Makes one call, and waits for it as a program of the queue's own kind would."""
        value = method(*arguments)
        return await value if inspect.isawaitable(value) else value

    async def beside(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Makes one call while others are under way; what blocks gets a thread."""
        if not self._blocking:
            return await method(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, method, *arguments)


async def one_by_one(call: Caller, producer: Any, kind: str, numbers: range) -> list[Any]:
    """Adds each task when the one before is added."""
    return [await call.here(producer.one, kind, number, TEXT) for number in numbers]


async def together(call: Caller, producer: Any, kind: str, numbers: range) -> list[Any]:
    """Adds 32 tasks at a time, each by a call of its own."""
    handles = []
    for start in range(0, len(numbers), TOGETHER):
        some = numbers[start : start + TOGETHER]
        handles += await asyncio.gather(
            *(call.beside(producer.one, kind, number, TEXT) for number in some)
        )
    return handles


async def bulk(call: Caller, producer: Any, kind: str, numbers: range) -> list[Any]:
    """Adds 1000 tasks with one call."""
    handles = []
    for start in range(0, len(numbers), BULK):
        some = [(number, TEXT) for number in numbers[start : start + BULK]]
        handles += await call.here(producer.bulk, kind, some)
    return handles


#: Ways to add tasks, and how many at a time.
WAYS = {"one": (one_by_one, TOGETHER), "together": (together, TOGETHER), "bulk": (bulk, BULK)}


async def enqueue(call: Caller, producer: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Adds tasks, all of them or as many as fit into a time, and returns their ids and the cost."""
    if options.mode == "bulk" and producer.bulk is None:
        return {"added": 0}
    add, portion = WAYS[options.mode]
    handles: list[Any] = []
    used, began = time.process_time(), time.perf_counter()
    while len(handles) < options.tasks and time.perf_counter() - began < options.seconds:
        end = min(len(handles) + 10 * portion, options.tasks)
        numbers = range(options.first + len(handles), options.first + end)
        handles += await add(call, producer, options.kind, numbers)
    seconds, busy = time.perf_counter() - began, time.process_time() - used
    return {
        "added": len(handles),
        "seconds": seconds,
        "cpu_seconds": busy,
        "ids": [producer.id(handle) for handle in handles],
    }


async def check(call: Caller, producer: Any, known: dict[str, str]) -> dict[str, Any]:
    """Reads results back; returns the numbers of the tasks that returned something else."""
    wrong = [
        int(number)
        for number, task in known.items()
        if await call.here(producer.result_of, task) != int(number)
    ]
    return {"checked": len(known), "wrong": wrong}


async def arrive(
    call: Caller, producer: Any, options: argparse.Namespace, times: list[int]
) -> dict[str, Any]:
    """Adds tasks at given times, whatever becomes of them, and notes when each result was there."""
    seen = [0] * len(times)

    async def add(number: int) -> None:
        handle = await call.beside(producer.one, options.kind, number, TEXT)
        value = await call.beside(producer.result, handle)
        seen[number] = time.monotonic_ns()
        if value != number:
            msg = f"task {number} returned {value!r}"
            raise RuntimeError(msg)

    began = time.monotonic_ns()
    due = [began + after for after in times]
    async with asyncio.TaskGroup() as group:
        for number, at in enumerate(due):
            await asyncio.sleep((at - time.monotonic_ns()) / 1e9)
            group.create_task(add(number))
    return {"due": due, "seen": seen}


async def run(options: argparse.Namespace) -> dict[str, Any]:
    producer = importlib.import_module(f"peers.{options.peer}_peer").Producer()
    call = Caller(producer)
    await call.here(producer.start)
    try:
        if options.mode == "check":
            return await check(call, producer, json.load(sys.stdin))
        if options.mode == "arrive":
            return await arrive(call, producer, options, json.load(sys.stdin))
        return await enqueue(call, producer, options)
    finally:
        await call.here(producer.stop)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("peer")
    parser.add_argument("mode", choices=(*WAYS, "check", "arrive"))
    parser.add_argument("--out", type=Path, required=True, help="where the answer is written")
    parser.add_argument("--kind", default="noop", help="which of the tasks")
    parser.add_argument("--tasks", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first task")
    parser.add_argument("--seconds", type=float, default=1e9, help="add no more after so long")
    options = parser.parse_args()
    import uvloop

    found = uvloop.run(run(options))
    options.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
