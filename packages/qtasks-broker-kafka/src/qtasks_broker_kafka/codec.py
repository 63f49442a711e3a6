"""What is written in a record: a task's message, and the key that orders it."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

import msgspec

from qtasks.schemas import Message

__all__ = ["KEY_HEADER", "decode", "encode", "key", "key_of", "stand_in"]

#: The header of a task that says which tasks it runs in line with.
KEY_HEADER: Final = "kafka-key"

#: The first byte of a record says which form the rest has.
_FORM: Final = b"\x01"
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Message)
#: The namespace of ids for records that hold no message.
_STRANGE: Final = UUID("6f3a5d0e-2f54-4d0b-9c57-3d2b7f1f9a11")


def key(value: object) -> dict[str, str]:
    """Returns the headers of a task that runs in line with the others of the same key.

    They go into one partition; in a queue with ``order=key`` one of them runs at a time.

    ``ship.options(headers=key("customer-7")).add_task(order)``

    Raises:
        ValueError: the key is empty or no text.
    """
    if not isinstance(value, str) or not value:
        msg = f"key({value!r}): a key is a text of at least one character, such as 'customer-7'"
        raise ValueError(msg)
    return {KEY_HEADER: value}


def key_of(message: Message) -> bytes | None:
    """Returns the record's key of a message, or None if any partition will do."""
    value = message.headers.get(KEY_HEADER)
    return value.encode() if value else None


def encode(message: Message) -> bytes:
    """Returns a message as the value of a record."""
    return _FORM + _ENCODER.encode(message)


def decode(value: bytes | None, queue: str) -> Message:
    """Returns the message in the value of a record.

    Args:
        value: the bytes.
        queue: the queue of the topic where they were found; it counts.

    Raises:
        ValueError: it is not what :func:`encode` writes.
    """
    if not value or value[:1] != _FORM:
        found = "nothing" if not value else f"a first byte of {value[:1].hex()}"
        msg = f"it has {found} where {_FORM.hex()} is expected: no QTasks of this version wrote it"
        raise ValueError(msg)
    message = _DECODER.decode(memoryview(value)[1:])
    if message.queue != queue:
        message = msgspec.structs.replace(message, queue=queue)
    return message


def stand_in(topic: str, partition: int, offset: int, queue: str) -> Message:
    """Returns a message for a record that holds none; the same one whenever it is read."""
    return Message(str(uuid5(_STRANGE, f"{topic}/{partition}/{offset}")), "", queue, b"")
