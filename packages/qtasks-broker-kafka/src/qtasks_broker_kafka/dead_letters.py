"""Dead letters in a topic, for those who watch topics; the storage keeps them all the same."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks.exc import ConfigError
from qtasks.plugins import Plugin, on
from qtasks_broker_kafka.batches import Written
from qtasks_broker_kafka.broker import KafkaBroker
from qtasks_broker_kafka.names import control_topic, queue_of

if TYPE_CHECKING:
    from uuid import UUID

    from qtasks.schemas import Delivery

__all__ = ["DeadLetterTopic"]

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class DeadLetterTopic(Plugin):
    """Writes a line of JSON into a topic whenever a task has failed for good.

    It tells ``id``, ``reason`` and, unless the task was convicted without a run, ``task``,
    ``queue``, ``attempts``, ``headers`` and ``payload`` in base64. A letter that cannot be written
    is logged as a failure of the plugin; it is in the storage, and can be sent back from there.

    ``QueueTasks(..., plugins=[DeadLetterTopic("kafka://host:9092", "shop.dead")])``

    Args:
        url: where the topic is, as for the broker.
        topic: its name; it is made if it is missing, unless the URL says ``create=false``.
        name: the plugin's name.

    Raises:
        ConfigError: the URL or the topic cannot be used.
    """

    plugin_api = "1.0"

    def __init__(self, url: str, topic: str, name: str = "kafka-dead-letters") -> None:
        super().__init__(name)
        if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
            msg = f"DeadLetterTopic: topic={topic!r}: use letters, digits, dots, - and _"
            raise ConfigError(msg)
        self._broker = KafkaBroker(url)
        prefix = self._broker.options.prefix
        if topic == control_topic(prefix) or queue_of(prefix, topic) is not None:
            msg = (
                f"DeadLetterTopic: topic={topic!r} is the topic of a queue, as it begins with"
                f" {prefix!r}: workers would take the letters for tasks; give it another beginning"
            )
            raise ConfigError(msg)
        self._topic = topic

    async def stop(self) -> None:
        """Disconnects."""
        await self._broker.stop()

    @on("worker_dead_letter")
    async def export(self, uuid: UUID | str, reason: str, task_broker: Delivery | None) -> None:
        """Writes one letter."""
        letter: dict[str, Any] = {"id": str(uuid), "reason": reason}
        if task_broker is not None:
            message = task_broker.message
            letter |= {
                "task": message.task,
                "queue": message.queue,
                "attempts": task_broker.attempts,
                "headers": message.headers,
                "payload": base64.b64encode(message.payload).decode(),
            }
        await self._broker.write(
            [Written(self._topic, str(uuid).encode(), msgspec.json.encode(letter))]
        )
