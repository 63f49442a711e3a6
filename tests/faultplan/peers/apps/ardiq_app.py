"""ArdiQ: streams, a Rust core."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from ardiq import Ardiq
from witness import KEPT, LEASE, SLOTS, TRIES, URL, work_in_loop

app = Ardiq(
    URL,
    concurrency=SLOTS,
    prefetch=2 * SLOTS,
    idle_timeout_ms=round(LEASE * 1000),
    result_ttl_ms=KEPT * 1000,
)


@app.task(max_retries=TRIES)
async def work(number: int, seconds: float) -> Any:
    return await work_in_loop(number, seconds)


class Client:
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def add(self, number: int, seconds: float) -> str:
        return str((await work.enqueue(number, seconds)).id)

    async def end(self, task_id: str) -> Any:
        done = await app.result(task_id)
        return done and ["success" if done.success else "dead", done.value]


if __name__ == "__main__":
    asyncio.run(app.run())
