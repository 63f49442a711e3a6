"""FastStream, as ACK (or ACK_FIRST) says: there are no results."""

import asyncio
import os
import sys
import time

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from notes import BOOTSTRAP, SLEEP, note

broker = KafkaBroker(BOOTSTRAP)
app = FastStream(broker)


@broker.subscriber(
    "bench",
    group_id="bench",
    auto_offset_reset="earliest",
    ack_policy=AckPolicy[os.environ.get("POLICY", "ACK_FIRST")],
)
async def work(number: int) -> None:
    if SLEEP:
        await asyncio.sleep(SLEEP)
    note(number)


async def produce(count: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    await admin.create_topics([NewTopic("bench", 4, 1)])
    await admin.close()
    sender = KafkaBroker(BOOTSTRAP)
    await sender.connect()
    started = time.perf_counter()
    for start in range(0, count, 100):
        await asyncio.gather(
            *(sender.publish(n, "bench") for n in range(start, min(start + 100, count)))
        )
    print(time.perf_counter() - started)
    await sender.stop()


if __name__ == "__main__":
    asyncio.run(app.run() if sys.argv[1] == "work" else produce(int(sys.argv[2])))
