"""First figures of the embedded broker: enqueue one by one and in bulk, and a no-op drain.

    python benchmarks/embedded.py [--tasks 20000] [--url sqlite:////tmp/bench.db]

Every result is read back, so a lost task is an error, not a better figure.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from qtasks.asyncio import QueueTasks


async def measure(url: str, tasks: int) -> None:
    app = QueueTasks(broker_url=url)

    @app.task
    async def coroutine() -> int:
        return 1

    @app.task
    def function() -> int:
        return 1

    singles = min(tasks, 2000)
    began = time.perf_counter()
    for _ in range(singles):
        await coroutine.add_task()
    print(f"enqueue, one by one  {singles / (time.perf_counter() - began):>10,.0f} /s")
    await app.worker(burst=True).run()

    for task in (coroutine, function):
        began = time.perf_counter()
        handles = []
        for start in range(0, tasks, 1000):
            size = min(1000, tasks - start)
            handles += await app.add_tasks(task.build() for _ in range(size))
        added = time.perf_counter()
        await app.worker(burst=True).run()
        ended = time.perf_counter()
        found = {handle.id async for handle in app.as_completed(handles, timeout=60)}
        assert len(found) == tasks, f"{tasks - len(found)} tasks are missing"
        assert all(handle.returning == 1 for handle in handles)
        print(f"enqueue, 1000 a call {tasks / (added - began):>10,.0f} /s")
        print(f"drain, {task.task_name:<13} {tasks / (ended - added):>10,.0f} /s")
    await app.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--url")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.url or f"sqlite:///{Path(folder) / 'bench.db'}"
        asyncio.run(measure(url, options.tasks))


if __name__ == "__main__":
    main()
