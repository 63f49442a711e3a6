"""huey: what a worker holds when it dies is lost, so it is of a class of its own.

On Redis a result wakes who waits for it; on SQLite it is polled for.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from huey import RedisHuey, SqliteHuey

from peers.bodies import FUNCTIONS
from peers.ledger import URL

#: Its fastest setting on SQLite: the file is never synced.
UNSYNCED = os.environ.get("BENCH_VARIANT") == "nosync"


def make() -> Any:
    if URL.startswith("sqlite:"):
        fsync = {"fsync": False} if UNSYNCED else {}
        return SqliteHuey("bench", filename=urlsplit(URL).path, **fsync)
    return RedisHuey("bench", url=URL or "redis://localhost", notify_result=True)


app = make()
tasks = {kind: app.task(name=kind)(body) for kind, body in FUNCTIONS.items()}


class Producer:
    """Adds tasks, and reads their results."""

    blocking = True
    bulk = None

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def one(self, kind: str, number: int, text: str) -> Any:
        return tasks[kind](number, text)

    def result(self, handle: Any) -> object:
        return handle.get(blocking=True, timeout=60, backoff=1, max_delay=0.001, preserve=True)

    def id(self, handle: Any) -> str:
        return str(handle.id)

    def result_of(self, task_id: str) -> object:
        return app.result(task_id, blocking=True, timeout=60, preserve=True)
