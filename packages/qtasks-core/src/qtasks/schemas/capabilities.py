"""What a broker or storage can do; the engine, the docs and the tests read the same truth."""

from __future__ import annotations

import msgspec

__all__ = ["Capabilities"]


class Capabilities(msgspec.Struct, frozen=True):
    """What a server offers. What it lacks fails at start-up, never silently.

    Attributes:
        blocking: ``client()`` returns a twin whose coroutines never suspend.
        processes: several processes can share it.
        durable: what was acknowledged survives the process.
        delay: it holds tasks back until they are due.
        priority: it orders by priority.
        pause: queues can be paused.
        purge: queues can be emptied.
        unique: it honours ``unique_key``.
        overlap: a worker may call ``exchange`` while another call of it is under way; it does so
            when many outcomes wait, so that the server need not wait for the worker.
    """

    blocking: bool = True
    processes: bool = True
    durable: bool = True
    delay: bool = True
    priority: bool = True
    pause: bool = True
    purge: bool = True
    unique: bool = True
    overlap: bool = False
