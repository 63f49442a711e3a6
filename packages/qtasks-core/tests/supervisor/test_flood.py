"""A child that prints more than can be shown waits, as it would at a pipe."""

from __future__ import annotations

import asyncio
import os
import threading

from qtasks._supervisor.process import ChildProcess

CHUNK = b"x" * 65536
COUNT = 64


async def test_what_is_not_shown_yet_is_not_read() -> None:
    child = ChildProcess.__new__(ChildProcess)
    child.number, child._loop = 1, asyncio.get_running_loop()
    here, there = os.pipe()
    shown: list[bytes] = []
    prints = threading.Thread(target=lambda: [os.write(there, CHUNK) for _ in range(COUNT)])
    reading = child._read(os.fdopen(here, "rb", 0), shown.append, "printed")

    prints.start()
    prints.join(0.3)  # the loop does nothing meanwhile, as when standard error is stuck

    assert prints.is_alive()
    await asyncio.to_thread(prints.join)
    os.close(there)
    assert await reading == 0
    assert b"".join(shown) == CHUNK * COUNT
