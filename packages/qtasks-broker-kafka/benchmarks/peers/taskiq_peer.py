"""taskiq-aio-kafka, with a group and from the earliest task: its defaults lose and double tasks."""

import asyncio
import sys

from notes import BOOTSTRAP, SLEEP, SLOTS, note
from taskiq.cli.worker.args import WorkerArgs
from taskiq.cli.worker.run import run_worker
from taskiq_aio_kafka import AioKafkaBroker
from kafka.admin import NewTopic

broker = AioKafkaBroker(BOOTSTRAP, kafka_topic=NewTopic("bench", 4, 1))
broker.configure_consumer(group_id="bench", auto_offset_reset="earliest")


@broker.task
async def work(number: int) -> int:
    if SLEEP:
        await asyncio.sleep(SLEEP)
    note(number)
    return number


async def produce(count):
    await broker.startup()
    for start in range(0, count, 100):
        await asyncio.gather(*(work.kiq(n) for n in range(start, min(start + 100, count))))
    await broker.shutdown()


if __name__ == "__main__":
    if sys.argv[1] == "work":
        run_worker(
            WorkerArgs(
                broker="taskiq_peer:broker", modules=[], workers=1, max_async_tasks=SLOTS
            )
        )
    else:
        asyncio.run(produce(int(sys.argv[2])))
