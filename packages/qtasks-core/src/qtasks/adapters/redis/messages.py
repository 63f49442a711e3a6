"""Messages and deliveries, as the scripts take and give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks.adapters.redis.times import micros, seconds, whole
from qtasks.contracts.codec import UNREADABLE
from qtasks.schemas import Delivery, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "PLAIN",
    "decode_headers",
    "deliveries",
    "encode",
    "ids",
    "message_of",
    "messages",
    "rows",
]

encode: Final = msgspec.msgpack.Encoder().encode
_decode_message: Final = msgspec.msgpack.Decoder(Message).decode
_decode_headers: Final = msgspec.msgpack.Decoder(dict[str, str]).decode

#: How the row of a message ends that is to run as soon as possible, and is not unique.
PLAIN: Final = (0, -1, -1, False)
#: How many values the scripts give for one delivery.
_WIDTH: Final = 13


def rows(
    messages: Sequence[Message], replaced_ttl: int | None
) -> tuple[list[tuple[Any, ...]], list[bytes]]:
    """Returns what a script has to know of each message, and the encoded messages.

    Args:
        messages: the messages.
        replaced_ttl: microseconds for which tasks are kept that others replace; None if none may.
    """
    described = [
        (
            message.id,
            message.queue,
            message.priority,
            micros(message.delay) if message.delay else 0,
            -1 if message.eta is None else micros(message.eta),
            -1 if message.expires is None else micros(message.expires),
            False if message.unique_key is None else _unique(message, replaced_ttl),
        )
        for message in messages
    ]
    return described, [encode(message) for message in messages]


def _unique(message: Message, replaced_ttl: int | None) -> tuple[Any, ...]:
    """Returns what a script has to know of a unique key."""
    replaces = message.unique_replaces and replaced_ttl is not None
    return (
        message.unique_key,
        message.unique_until[0],  # added, started, finished
        micros(message.unique_window),
        replaced_ttl if replaces else False,
    )


def deliveries(answer: Sequence[Any], now: int) -> list[Delivery]:
    """Returns the deliveries in the answer of a script.

    Args:
        answer: for each delivery the values that ``hand_out`` in ``tasks.lua`` appends.
        now: the server's time in microseconds.
    """
    claimed_at = seconds(now)
    return [
        _delivery(answer[start : start + _WIDTH], claimed_at)
        for start in range(0, len(answer), _WIDTH)
    ]


def _delivery(values: Sequence[Any], claimed_at: float) -> Delivery:
    (
        id_, token, blob, attempts, count, lost, snoozes, created, due, history, headers, queue,
        expires,
    ) = values  # fmt: skip
    name = queue.decode()
    message, malformed = _message(blob, headers, _text(id_), name)
    return Delivery(
        message, int(token), whole(attempts), whole(count), whole(lost), whole(snoozes),
        seconds(created or 0), seconds(due or created or 0), claimed_at, history, malformed, name,
        None if expires is None else seconds(expires),
    )  # fmt: skip


def _message(
    blob: bytes, headers: bytes | None, id_: str, queue: str
) -> tuple[Message, str | None]:
    """Reads a stored message; one that cannot be read is a delivery that only fails."""
    try:
        message = message_of(blob, headers)
    except UNREADABLE as error:
        return Message(id_, "", queue, b""), f"its stored message cannot be read: {error}"
    if message.id != id_:
        return Message(id_, "", queue, b""), f"its stored message is that of task {message.id!r}"
    if message.queue != queue:  # where it was found is where its lease is
        message = msgspec.structs.replace(message, queue=queue)
    return message, None


def messages(answer: Sequence[Any]) -> list[Message]:
    """Returns messages on their way to another broker.

    Args:
        answer: for each its id, message, headers and queue. One that cannot be read is on its way
            without a task, so that the worker which gets it finds out.
    """
    groups = zip(answer[::4], answer[1::4], answer[2::4], answer[3::4], strict=True)
    return [
        _message(blob, headers, _text(id_), _text(queue))[0] for id_, blob, headers, queue in groups
    ]


def message_of(blob: bytes, headers: bytes | None) -> Message:
    """Reads a stored message, with headers that replace its own if there are any.

    Raises:
        Exception: one of ``UNREADABLE``: the bytes are not what was stored.
    """
    message = _decode_message(blob)
    if headers is None:
        return message
    return msgspec.structs.replace(message, headers=decode_headers(headers))


def decode_headers(packed: bytes) -> dict[str, str]:
    """Reads stored headers."""
    return _decode_headers(packed)


def ids(answer: Iterable[bytes]) -> list[str]:
    """Returns ids as texts."""
    return [_text(id_) for id_ in answer]


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
