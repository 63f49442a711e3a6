"""Records, read from what the server keeps of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from qtasks.adapters.redis.messages import decode_headers, message_of
from qtasks.adapters.redis.times import seconds, whole
from qtasks.contracts.codec import UNREADABLE
from qtasks.schemas import Message, Record, TaskError, TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["record_of"]

_decode_error: Final = msgspec.msgpack.Decoder(TaskError).decode
_STATUS: Final = {status.value.encode(): status for status in TaskStatusEnum}


def record_of(id_: str, answer: Sequence[bytes]) -> Record:
    """Returns the record of a task.

    Args:
        id_: the task's id.
        answer: its fields and values in turn. What cannot be read is shown as empty, so that the
            rest can be.
    """
    fields = dict(zip(answer[::2], answer[1::2], strict=True))
    queue = _text(fields, b"q")
    message = _message(fields, id_, queue)
    return Record(
        id=id_,
        task=message.task,
        queue=queue,
        status=_status(fields),
        payload=message.payload,
        priority=message.priority,
        headers=message.headers,
        parent_id=message.parent_id,
        root_id=message.root_id,
        unique_key=message.unique_key,
        created_at=_time(fields, b"c") or 0.0,
        due_at=_time(fields, b"du" if b"du" in fields else b"c") or 0.0,
        started_at=_time(fields, b"sa"),
        finished_at=_time(fields, b"f"),
        result=fields.get(b"rs"),
        error=_error(fields),
        reason=_text(fields, b"rn"),
        dead=b"de" in fields,
        attempts=_number(fields, b"a"),
        deliveries=_number(fields, b"n"),
        lost=_number(fields, b"lo"),
        snoozes=_number(fields, b"sn"),
        requeues=_number(fields, b"rq"),
        token=_number(fields, b"k"),
        worker=_text(fields, b"w"),
        history=fields.get(b"h"),
        progress=fields.get(b"pg"),
    )


def _status(fields: dict[bytes, bytes]) -> TaskStatusEnum:
    if fields.get(b"s") == b"l":
        return TaskStatusEnum.PROCESS
    return _STATUS.get(fields.get(b"st", b""), TaskStatusEnum.NEW)


def _message(fields: dict[bytes, bytes], id_: str, queue: str) -> Message:
    try:
        message = message_of(fields[b"m"], None)
    except (*UNREADABLE, KeyError):
        return Message(id_, "", queue, b"")
    packed = fields.get(b"hd")
    if packed is None:
        return message
    try:
        headers = decode_headers(packed)
    except UNREADABLE:
        headers = {}
    return msgspec.structs.replace(message, headers=headers)


def _error(fields: dict[bytes, bytes]) -> TaskError | None:
    packed = fields.get(b"er")
    if packed is None:
        return None
    try:
        return _decode_error(packed)
    except UNREADABLE:
        return TaskError(_text(fields, b"et"), "its stored error cannot be read")


def _text(fields: dict[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode(errors="replace")


def _number(fields: dict[bytes, bytes], name: bytes) -> int:
    return whole(fields.get(name))


def _time(fields: dict[bytes, bytes], name: bytes) -> float | None:
    value = fields.get(name)
    return None if value is None else seconds(value)
