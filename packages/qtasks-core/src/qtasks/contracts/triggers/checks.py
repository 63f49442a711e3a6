"""What answers of plugins may be: looked at before they count, so that nonsense does no harm.

A queue that was handed one broken message or outcome would refuse all that travel with it. So
what a plugin puts in the place of one is read as strictly as if it came from outside. The id, the
token and the status of a task are the engine's: an answer that changes them does not count.

Each check takes the values so far and those of an answer, by key, and returns those that count;
it raises TypeError or ValueError if the answer cannot be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from qtasks.contracts.names import MAX_HEADERS, check_name, headers_size
from qtasks.contracts.runs import same_run
from qtasks.schemas import Delivery, Message, Record, Settlement, TaskDefinition, Verdict

__all__ = [
    "check_arguments",
    "check_call",
    "check_config",
    "check_config_values",
    "check_delivery",
    "check_message",
    "check_outcome",
    "check_record",
    "check_records",
    "check_run",
    "check_values",
    "check_verdict",
    "check_written",
]

T = TypeVar("T", bound=msgspec.Struct)

_PRIORITIES: Final = range(-128, 128)
#: What an answer may change of a delivery.
_OF_A_DELIVERY: Final = ("message", "enqueued_at")
#: What an answer may change of a settlement; the rest is counted and written by the engine.
_OF_AN_OUTCOME: Final = ("outcome", "headers", "history", "ttl")


def check_call(before: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks the parts of a call."""
    if "task_name" in answer:
        check_name("task", answer["task_name"])
    if "priority" in answer:
        _priority(answer["priority"])
    if "headers" in answer:
        _headers(answer["headers"])
    if "created_at" in answer:
        _seconds("created_at", answer["created_at"])
    return check_arguments(before, answer)


def check_arguments(_: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks the arguments of a function."""
    args, kw = answer.get("args", ()), answer.get("kw", {})
    if not isinstance(args, list | tuple):
        msg = f"args is a list or tuple, not {type(args).__name__}"
        raise TypeError(msg)
    if not isinstance(kw, Mapping) or not all(isinstance(key, str) for key in kw):
        msg = f"kw is a mapping from names to values, not {kw!r:.100}"
        raise TypeError(msg)
    return answer


def check_values(before: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Adds the values of an answer to those of others."""
    values = answer["values"]
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        msg = f"values are a mapping from parameters to what they get, not {values!r:.100}"
        raise TypeError(msg)
    return {"values": {**before["values"], **values}}


def check_message(before: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks a message that takes the place of another."""
    for key in answer:
        _message(before[key], answer[key])
    return answer


def check_delivery(before: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks a delivery, and the priority beside it; a new one is noted as the same run."""
    if "priority" in answer:
        _priority(answer["priority"])
    for key in answer.keys() - {"priority"}:
        _delivery(before[key], answer[key])
    return answer


def check_run(before: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks what is to run, and for which delivery."""
    _typed("task_func", answer.get("task_func", before["task_func"]), TaskDefinition)
    _delivery(before["task_broker"], answer.get("task_broker", before["task_broker"]))
    return answer


def check_outcome(before: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks what is to be settled, and for which delivery."""
    if "task_broker" in answer:
        _delivery(before["task_broker"], answer["task_broker"])
    if "model" in answer:
        _settlement(before["model"], answer["model"])
    return answer


def check_verdict(_: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks what a retry policy says."""
    verdict = answer["verdict"]
    _typed("verdict", verdict, Verdict)
    _same_types(verdict)
    _seconds("delay", verdict.delay)
    if verdict.headers is not None:
        _headers(verdict.headers)
    return answer


def check_written(before: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks the fields of a settlement that an answer changes."""
    old, new = before["kw"], answer["kw"]
    _typed("kw", new, Mapping)
    if unknown := set(new) - set(old):
        msg = f"kw has no {', '.join(map(repr, sorted(map(str, unknown))))}, but {', '.join(old)}"
        raise ValueError(msg)
    changed = {key: value for key, value in new.items() if value is not old[key]}
    if "uuid" in changed and changed["uuid"] != old["uuid"]:
        msg = "the uuid of a task cannot be changed"
        raise ValueError(msg)
    changed.pop("uuid", None)
    settlement = Settlement(old["uuid"], 0, **{key: old[key] for key in _OF_AN_OUTCOME})
    _settlement(settlement, msgspec.structs.replace(settlement, **changed))
    return {"kw": MappingProxyType({**old, **changed})}


def check_record(before: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks a record that takes the place of another."""
    for key, record in answer.items():
        _typed(key, record, Record)
        old = before[key]
        if old is not None and (old.id, old.status, old.token) != (
            record.id,
            record.status,
            record.token,
        ):
            msg = "uuid, status and token of a task cannot be changed"
            raise ValueError(msg)
    return answer


def check_records(_: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks the records of a page."""
    for key, records in answer.items():
        _typed(key, records, list | tuple)
        for record in records:
            _typed(f"each of {key}", record, Record)
    return answer


def check_config(_: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks where a value is put."""
    if "name_" in answer:
        check_name("group", answer["name_"])
    if "key" in answer:
        _typed("key", answer["key"], str)
    return answer


def check_config_values(_: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks the values of a group."""
    _typed("get", answer["get"], Mapping)
    return answer


def _message(before: Message, after: Any) -> None:
    _typed("model", after, Message)
    if after.id != before.id:
        msg = f"the uuid of a task cannot be changed, from {before.id} to {after.id!r:.60}"
        raise ValueError(msg)
    _same_types(after)
    check_name("task", after.task)
    check_name("queue", after.queue)
    _priority(after.priority)
    _headers(after.headers)
    for name in ("delay", "eta", "expires"):
        _seconds(name, getattr(after, name) or 0.0)


def _delivery(before: Delivery, after: Any) -> None:
    if after is before:
        return
    _typed("the delivery", after, Delivery)
    _unchanged("the delivery", before, after, _OF_A_DELIVERY)
    _seconds("enqueued_at", after.enqueued_at)
    if after.message is not before.message:
        _message(before.message, after.message)
    same_run(after, before)


def _settlement(before: Settlement, after: Any) -> None:
    if after is before:
        return
    _typed("model", after, Settlement)
    _unchanged("model", before, after, _OF_AN_OUTCOME)
    _same_types(msgspec.structs.replace(after, receipt=None))
    was, now = before.outcome, after.outcome
    if type(was) is not type(now) or getattr(was, "counted", None) != getattr(now, "counted", None):
        msg = f"the status of a task cannot be changed, from {was!r:.100} to {now!r:.100}"
        raise ValueError(msg)
    _seconds("ttl", after.ttl)
    _seconds("delay", getattr(now, "delay", 0.0))
    if after.headers is not None:
        _headers(after.headers)


def _unchanged(what: str, before: T, after: T, free: tuple[str, ...]) -> None:
    """Raises if an answer changes what is the engine's."""
    for name in before.__struct_fields__:
        if name not in free and getattr(before, name) != getattr(after, name):
            msg = f"{name} of {what} cannot be changed; {', '.join(free)} can"
            raise ValueError(msg)


def _same_types(value: msgspec.Struct) -> None:
    """Raises if a struct holds what its fields do not allow; nobody checks when it is made."""
    data = msgspec.msgpack.encode(value)
    msgspec.msgpack.decode(data, type=type(value))


def _typed(what: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind):
        name = getattr(kind, "__name__", str(kind))
        msg = f"{what} is a {name}, not {value!r:.100}"
        raise TypeError(msg)


def _priority(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _PRIORITIES:
        msg = f"priority is a whole number from -128 to 127, not {value!r:.100}"
        raise ValueError(msg)


def _headers(value: Any) -> None:
    if not isinstance(value, Mapping) or not all(
        isinstance(text, str) for pair in value.items() for text in pair
    ):
        msg = f"headers are text to text, not {value!r:.100}"
        raise TypeError(msg)
    if (size := headers_size(value)) > MAX_HEADERS:
        msg = f"headers take {size:,} bytes, over the limit of {MAX_HEADERS:,}"
        raise ValueError(msg)


def _seconds(what: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        msg = f"{what} is a number of seconds from 0 up, not {value!r:.100}"
        raise ValueError(msg)
