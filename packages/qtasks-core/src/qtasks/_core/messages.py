"""From calls to messages: defaults, limits and checks of the options."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from qtasks._core.binding import fit_arguments, signature_text
from qtasks._core.ids import new_id
from qtasks._core.unique import with_key
from qtasks._runtime.current import current_delivery
from qtasks._runtime.seconds import number_of, seconds_of
from qtasks.contracts.codec import encode_arguments
from qtasks.contracts.names import MAX_HEADERS, check_name, headers_size
from qtasks.exc import CodecError, PayloadTooLargeError, TaskArgumentsError
from qtasks.schemas import Message, Record, TaskCall, TaskDefinition, TaskStatusEnum
from qtasks.schemas.options import NO_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks._config import QueueConfig
    from qtasks.typing import Arguments

__all__ = ["make_message", "new_record", "resolve_priority"]

_PRIORITIES: Final = range(-128, 128)


def make_message(
    call: TaskCall, task: TaskDefinition | None, config: QueueConfig, now: float
) -> Message:
    """Checks a call and encodes it.

    Args:
        call: the call.
        task: its registered task; None for a call by name of a task that lives elsewhere.
        config: the app's settings.
        now: seconds since the epoch, for the id.

    Raises:
        TaskArgumentsError: arguments or options do not fit.
        RegistrationError: the task or queue name cannot be a name.
        EncodeError: an argument cannot be encoded.
        PayloadTooLargeError: the arguments exceed ``max_payload``.
    """
    options = call.options
    if options is NO_OPTIONS and task and task.unique is None and task.expires is None:
        return _plain_message(call, task, config, now)
    if task is not None:
        arguments = fit_arguments(task, call.args, call.kwargs)
    else:
        check_name("task", call.task_name)
        arguments = (call.args, call.kwargs)
    _seconds("timeout", options.timeout)
    queue = options.queue or (task.queue if task else config.queues[0])
    parent = current_delivery.get()
    expires = options.expires
    if expires is None and task is not None:
        expires = task.expires
    message = Message(
        id=_task_id(options.task_id, now),
        task=call.task_name,
        queue=check_name("queue", queue),
        payload=_payload(call.task_name, arguments, task, config.max_payload),
        priority=resolve_priority(options.priority, task, config),
        delay=_seconds("delay", options.delay) or 0.0,
        eta=_moment(options.eta),
        expires=_within(expires, now),
        headers=_headers(options.headers),
        parent_id=parent.id if parent else None,
        root_id=(parent.message.root_id or parent.id) if parent else None,
    )
    if options is NO_OPTIONS and (task is None or task.unique is None):
        return message
    return with_key(message, task, options, arguments)


def _plain_message(
    call: TaskCall, task: TaskDefinition, config: QueueConfig, now: float
) -> Message:
    """Makes the message of a call without options; what its task says was checked before."""
    parent = current_delivery.get()
    arguments = fit_arguments(task, call.args, call.kwargs)
    return Message(
        id=new_id(now),
        task=call.task_name,
        queue=task.queue or config.queues[0],
        payload=_payload(call.task_name, arguments, task, config.max_payload),
        priority=resolve_priority(None, task, config),
        parent_id=parent.id if parent else None,
        root_id=(parent.message.root_id or parent.id) if parent else None,
    )


def _payload(
    task_name: str, arguments: Arguments, task: TaskDefinition | None, limit: int
) -> bytes:
    try:
        return encode_arguments(arguments, "", limit)
    except CodecError:
        # Once more for the words of the error, which most calls do not need.
        name = task_name if task is None else signature_text(task)
        return encode_arguments(arguments, f"the call of {name}:", limit)


def new_record(message: Message, now: float) -> Record:
    """Makes the record of a message that was just accepted, without asking the server."""
    return Record(
        id=message.id,
        task=message.task,
        queue=message.queue,
        status=TaskStatusEnum.NEW,
        payload=message.payload,
        priority=message.priority,
        headers=message.headers,
        parent_id=message.parent_id,
        root_id=message.root_id,
        unique_key=message.unique_key,
        created_at=now,
        due_at=max(now + message.delay, message.eta or 0.0),
    )


def _task_id(given: Any, now: float) -> str:
    if given is None:
        return new_id(now)
    try:
        return str(given if isinstance(given, UUID) else UUID(given))
    except (ValueError, AttributeError, TypeError):
        msg = f"task_id={given!r} is not a uuid: use uuid.uuid4() or uuid.uuid5(namespace, text)"
        raise TaskArgumentsError(msg) from None


def resolve_priority(given: Any, task: TaskDefinition | None, config: QueueConfig) -> int:
    """Returns the priority of a call: its own, else the task's, else the app's default."""
    if given is None:
        given = task.priority if task else None
    if given is None:
        return config.task_default_priority
    if isinstance(given, bool) or not isinstance(given, int) or given not in _PRIORITIES:
        msg = f"priority={given!r}: use a whole number from -128 (first) to 127 (last)"
        raise TaskArgumentsError(msg)
    return given


def _seconds(name: str, given: Any) -> float | None:
    if given is None:
        return None
    seconds = seconds_of(given)
    if seconds is None:
        msg = f"{name}={given!r}: use seconds from 0 up, or a timedelta"
        raise TaskArgumentsError(msg)
    return seconds


def _within(given: Any, now: float) -> float | None:
    """Returns the seconds within which a task has to be started, given as a span or a time."""
    if not isinstance(given, datetime):
        return _seconds("expires", given)
    if given.tzinfo is None:
        msg = f"expires={given!r} has no time zone: use datetime.now(timezone.utc) + ..."
        raise TaskArgumentsError(msg)
    return max(given.timestamp() - now, 0.0)


def _moment(given: Any) -> float | None:
    if given is None:
        return None
    if isinstance(given, datetime):
        if given.tzinfo is None:
            msg = f"eta={given!r} has no time zone: use datetime.now(timezone.utc) + ..."
            raise TaskArgumentsError(msg)
        return given.timestamp()
    moment = number_of(given)
    if moment is None:
        msg = f"eta={given!r}: use an aware datetime or seconds since the epoch"
        raise TaskArgumentsError(msg)
    return moment


def _is_text(given: str) -> bool:
    """Tells whether a text can be encoded: lone surrogates cannot."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def _headers(given: Mapping[Any, Any] | None) -> dict[str, str]:
    if not given:
        return {}
    for key, value in given.items():
        texts = isinstance(key, str) and isinstance(value, str)
        if not texts or not _is_text(key + value):
            msg = f"headers: {key!r}: {value!r} is not text; headers are text to text"
            raise TaskArgumentsError(msg)
    if (size := headers_size(given)) > MAX_HEADERS:
        msg = f"headers take {size:,} bytes, over the limit of {MAX_HEADERS:,}"
        raise PayloadTooLargeError(msg)
    return dict(given)
