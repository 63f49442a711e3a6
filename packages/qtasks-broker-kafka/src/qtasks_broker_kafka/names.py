"""From queues to topics and back: any text is a queue's name, and few characters a topic's."""

from __future__ import annotations

import re
from typing import Final

from qtasks.exc import ConfigError

__all__ = ["control_topic", "queue_of", "topic_of"]

#: What a topic's name may hold as it is. No dot: Kafka takes "a.b" and "a_b" for the same name.
_LITERAL: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
_ESCAPED: Final = re.compile(r"_(_|[0-9a-f]{2})")
_UNREADABLE: Final = re.compile(r"_(?!_|[0-9a-f]{2})|[^A-Za-z0-9_-]")
#: Characters of the longest name that Kafka takes.
_LONGEST: Final = 249


def topic_of(prefix: str, queue: str) -> str:
    """Returns the topic of a queue.

    Letters, digits and ``-`` stay, ``_`` is doubled, and of all else every byte becomes ``_`` and
    two digits.

    Args:
        prefix: what all topics begin with.
        queue: the queue's name, any text.

    Raises:
        ConfigError: the topic would have a name that Kafka does not take.
    """
    rest = "".join(
        chr(byte) if byte in _LITERAL else "__" if byte == ord("_") else f"_{byte:02x}"
        for byte in queue.encode()
    )
    topic = prefix + rest
    if not rest or len(topic) > _LONGEST:
        msg = (
            f"queue {queue!r} needs a topic of {len(topic)} characters; Kafka takes 1 to {_LONGEST}"
            f" behind the prefix {prefix!r}: give it a {'shorter ' if rest else ''}name"
        )
        raise ConfigError(msg)
    return topic


def queue_of(prefix: str, topic: str) -> str | None:
    """Returns the queue of a topic, or None if the topic is none of ours."""
    rest = topic.removeprefix(prefix)
    if not topic.startswith(prefix) or not rest:
        return None
    plain = _ESCAPED.sub("", rest)
    if _UNREADABLE.search(plain):
        return None
    data = re.sub(
        rb"_(_|[0-9a-f]{2})",
        lambda found: b"_" if found[1] == b"_" else bytes([int(found[1], 16)]),
        rest.encode(),
    )
    try:
        queue = data.decode()
    except UnicodeDecodeError:
        return None
    return queue if topic_of(prefix, queue) == topic else None


def control_topic(prefix: str) -> str:
    """Returns the topic for pauses and presences; no queue has it."""
    return f"{prefix}_control"
