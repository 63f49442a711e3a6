"""QTasks: results are stored, leases are kept, each task is fenced."""

import asyncio
import os
import sys
import time

from notes import BOOTSTRAP, SLEEP, SLOTS, note

from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig

app = QueueTasks(
    broker_url=f"kafka://{BOOTSTRAP}?partitions=4",
    storage_url=os.environ["STORAGE"],
    config=QueueConfig(max_tasks_process=SLOTS, lease=5.0),
    plugins=[],
)


@app.task
async def work(number: int) -> int:
    if SLEEP:
        await asyncio.sleep(SLEEP)
    note(number)
    return number


async def produce(count: int) -> None:
    started = time.perf_counter()
    for start in range(0, count, 100):
        await asyncio.gather(*(work.add_task(n) for n in range(start, min(start + 100, count))))
    print(time.perf_counter() - started)
    await app.close()


async def produce_many(count: int) -> None:
    started = time.perf_counter()
    for start in range(0, count, 1000):
        await app.add_tasks([work.build(n) for n in range(start, min(start + 1000, count))])
    print(time.perf_counter() - started)
    await app.close()


if __name__ == "__main__":
    if sys.argv[1] == "work":
        app.run_forever()
    else:
        many = "many" in sys.argv
        asyncio.run((produce_many if many else produce)(int(sys.argv[2])))
