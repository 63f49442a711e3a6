"""taskiq-aio-kafka, with a group and from the earliest task: its defaults lose and double tasks."""

import asyncio
import os
import sys
import time

from kafka.admin import NewTopic
from notes import BOOTSTRAP, SLEEP, SLOTS, note
from taskiq_aio_kafka import AioKafkaBroker

broker = AioKafkaBroker(BOOTSTRAP, kafka_topic=NewTopic("bench", 4, 1))
broker.configure_consumer(group_id="bench", auto_offset_reset="earliest")


@broker.task(task_name="work")  # otherwise it depends on how this file is run
async def work(number: int) -> int:
    if SLEEP:
        await asyncio.sleep(SLEEP)
    note(number)
    return number


async def produce(count: int) -> None:
    await broker.startup()
    started = time.perf_counter()
    for start in range(0, count, 100):
        await asyncio.gather(*(work.kiq(n) for n in range(start, min(start + 100, count))))
    print(time.perf_counter() - started)
    await broker.shutdown()


if __name__ == "__main__":
    if sys.argv[1] == "work":
        options = ["--workers", "1", "--max-async-tasks", str(SLOTS)]
        os.execv(
            sys.executable,
            [sys.executable, "-m", "taskiq", "worker", *options, "taskiq_peer:broker"],
        )
    else:
        asyncio.run(produce(int(sys.argv[2])))
