"""What was said on the control topic: which queues are paused, and which workers are alive."""

from __future__ import annotations

import logging
import time
from typing import Final

import msgspec

from qtasks.schemas import Presence

__all__ = ["PAUSED", "Words", "pause_key", "report", "worker_key"]

log = logging.getLogger(__name__)

_PAUSE: Final = "pause:"
#: What stands under the key of a queue that is paused.
PAUSED: Final = b"1"
_WORKER: Final = "worker:"
#: Of how many keys it is told that their records cannot be read, and characters that are shown.
_TOLD: Final = 20
_SHOWN: Final = 60


class _Report(msgspec.Struct, frozen=True):
    """A worker's sign of life, and until when it counts: seconds since the epoch."""

    presence: Presence
    until: float


def pause_key(queue: str) -> str:
    """Returns the key under which the pause of a queue stands."""
    return f"{_PAUSE}{queue}"


def worker_key(worker: str) -> str:
    """Returns the key under which a worker's sign of life stands."""
    return f"{_WORKER}{worker}"


def report(presence: Presence, ttl: float) -> bytes:
    """Returns a worker's sign of life, which counts for ``ttl`` seconds."""
    return msgspec.msgpack.encode(_Report(presence, time.time() + ttl))


class Words:
    """The last word under each key; what nobody of us can have said is left out, and told once.

    Args:
        topic: where they stand, for messages.

    Attributes:
        paused: the queues that are paused.
        reports: the signs of life by their keys.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._told: set[bytes] = set()
        self.paused: set[str] = set()
        self.reports: dict[str, _Report] = {}

    def clear(self) -> None:
        """Forgets all of them."""
        self.paused.clear()
        self.reports.clear()

    def hear(self, key: bytes | None, value: bytes | None) -> None:
        """Takes notice of a record; a value of None takes back what was said."""
        try:
            self._hear((key or b"").decode(), value)
        except (ValueError, msgspec.MsgspecError):
            self._tell(key or b"")

    def _hear(self, key: str, value: bytes | None) -> None:
        queue, worker = key.removeprefix(_PAUSE), key.removeprefix(_WORKER)
        if queue not in {key, ""} and value == PAUSED:
            self.paused.add(queue)
        elif queue not in {key, ""} and value is None:
            self.paused.discard(queue)
        elif worker not in {key, ""} and value is None:
            self.reports.pop(key, None)
        elif worker not in {key, ""} and value is not None:
            self.reports[key] = msgspec.msgpack.decode(value, type=_Report)
        else:
            msg = "it says nothing that is known"
            raise ValueError(msg)

    def _tell(self, key: bytes) -> None:
        if key in self._told or len(self._told) >= _TOLD:
            return
        self._told.add(key)
        log.warning(
            "A record with the key %.*r in topic %s is none that this version of QTasks writes, and"
            " is ignored: nothing else should write to that topic",
            _SHOWN,
            key,
            self._topic,
        )
