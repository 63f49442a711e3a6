"""huey: at most once, so of another class: what a worker holds when it dies is lost."""

from __future__ import annotations

from typing import Any

from huey import RedisHuey
from ledger import URL, note

app = RedisHuey("bench", url=URL or "redis://", notify_result=True)


@app.task()
def noop(number: int, text: str) -> int:  # noqa: ARG001 - only carried
    note(number)
    return number


class Producer:
    bulk = None

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def one(self, number: int, text: str) -> Any:
        return noop(number, text)

    async def result(self, handle: Any) -> object:
        return handle.get(blocking=True, timeout=60, preserve=True)

    def id(self, handle: Any) -> str:
        return str(handle.id)

    async def result_of(self, task_id: str) -> object:
        return app.result(task_id, blocking=True, timeout=60, preserve=True)
