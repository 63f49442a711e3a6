"""The producer's side of a measurement, run in the environment of a peer.

python produce.py PEER one|together|bulk|check|latency --tasks N

It prints JSON; ``check`` reads the ids of the tasks, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sys
import time
from typing import Any

TOGETHER = 32
BULK = 1000
TEXT = "x" * 32


async def one_by_one(producer: Any, tasks: int) -> list[Any]:
    """Adds each task when the one before is added."""
    return [await producer.one(number, TEXT) for number in range(tasks)]


async def together(producer: Any, tasks: int) -> list[Any]:
    """Adds 32 tasks at a time, each by a call of its own."""
    handles = []
    for start in range(0, tasks, TOGETHER):
        numbers = range(start, min(start + TOGETHER, tasks))
        handles += await asyncio.gather(*(producer.one(number, TEXT) for number in numbers))
    return handles


async def bulk(producer: Any, tasks: int) -> list[Any]:
    """Adds 1000 tasks with one call, where the peer has such a call."""
    handles = []
    for start in range(0, tasks, BULK):
        numbers = range(start, min(start + BULK, tasks))
        handles += await producer.bulk([(number, TEXT) for number in numbers])
    return handles


async def enqueue(producer: Any, mode: str, tasks: int) -> dict[str, Any]:
    """Measures one way to add tasks, and returns their ids with the rate."""
    if mode == "bulk" and producer.bulk is None:
        return {"rate": None}
    add = {"one": one_by_one, "together": together, "bulk": bulk}[mode]
    began = time.perf_counter()
    handles = await add(producer, tasks)
    seconds = time.perf_counter() - began
    return {"rate": tasks / seconds, "ids": [producer.id(handle) for handle in handles]}


async def check(producer: Any, known: list[str]) -> dict[str, Any]:
    """Reads every hundredth result back, and the last."""
    numbers = [*range(0, len(known), 100), len(known) - 1]
    wrong = [n for n in numbers if await producer.result_of(known[n]) != n]
    return {"checked": len(numbers), "wrong": wrong}


async def latency(producer: Any, tasks: int) -> dict[str, Any]:
    """Adds a task and waits for its result, over and over; times in ns."""
    added, seen = [], []
    for number in range(tasks):
        added.append(time.monotonic_ns())
        handle = await producer.one(number, TEXT)
        value = await producer.result(handle)
        seen.append(time.monotonic_ns())
        if value != number:
            msg = f"task {number} returned {value!r}"
            raise RuntimeError(msg)
    return {"added": added, "seen": seen}


async def run(options: argparse.Namespace) -> dict[str, Any]:
    producer = importlib.import_module(f"{options.peer}_peer").Producer()
    await producer.start()
    try:
        if options.mode == "check":
            return await check(producer, json.load(sys.stdin))
        if options.mode == "latency":
            return await latency(producer, options.tasks)
        return await enqueue(producer, options.mode, options.tasks)
    finally:
        await producer.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer")
    parser.add_argument("mode", choices=("one", "together", "bulk", "check", "latency"))
    parser.add_argument("--tasks", type=int, default=0)
    options = parser.parse_args()
    import uvloop

    print(json.dumps(uvloop.run(run(options))))


if __name__ == "__main__":
    main()
