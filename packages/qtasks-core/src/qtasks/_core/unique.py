"""Unique keys of calls, and what becomes of a call whose key is held."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from qtasks._runtime.seconds import seconds_of
from qtasks.contracts.codec import encode
from qtasks.exc import TaskArgumentsError, UniqueConflictError
from qtasks.schemas import CallOptions, Message, OnConflict, Unique

if TYPE_CHECKING:
    import inspect
    from collections.abc import Sequence

    from qtasks.schemas import Receipt, TaskCall, TaskDefinition
    from qtasks.typing import Arguments

__all__ = ["check_unique", "conflict_of", "make_unique", "with_key"]

_WORDS: Final = get_args(OnConflict)
_UNTIL: Final = ("added", "started", "finished")
_PLAIN: Final = Unique()


def make_unique(given: Any) -> Unique | None:
    """Returns what ``unique=`` stands for; None and False stand for nothing."""
    if given is None or given is False:
        return None
    if isinstance(given, Unique):
        return given
    return Unique(by=tuple(given) if isinstance(given, list | set) else given)


def check_unique(unique: Unique, signature: inspect.Signature | None) -> str | None:
    """Returns what is wrong with it, and what to use; None if nothing is.

    Args:
        unique: how calls are told apart.
        signature: the task's; None where that is not known.
    """
    names = (unique.by,) if isinstance(unique.by, str) else unique.by
    if isinstance(names, tuple):
        known = () if signature is None else tuple(signature.parameters)
        for name in names:
            if signature is not None and name not in known:
                have = f"its parameters are {', '.join(known)}" if known else "it has none"
                return f"there is no parameter {name!r}; {have}"
        if not names:
            return "by=() names no parameter; use True for all of them"
    elif unique.by is not True and not callable(unique.by):
        return f"by={unique.by!r}; use True, names of parameters, or a function"
    return _check_how(unique)


def _check_how(unique: Unique) -> str | None:
    window = seconds_of(unique.window)
    word: str = unique.on_conflict
    rules = {
        f"until={unique.until!r}; use one of {', '.join(_UNTIL)}": unique.until in _UNTIL,
        f"window={unique.window!r}; use seconds from 0 up, or a timedelta": window is not None,
        "window= follows the end or the adding; with until='started' leave it out": not (
            unique.until == "started" and window
        ),
        "until='added' holds the key for a window; give window= in seconds": not (
            unique.until == "added" and not window
        ),
        (
            "on_conflict='skip' returns no handle, which callers have to expect: say it where the"
            " task is added, as options(on_conflict='skip')"
        ): word != "skip",
        f"on_conflict={word!r}; use existing, replace or raise": word in _WORDS,
    }
    return next((wrong for wrong, fits in rules.items() if not fits), None)


def with_key(
    message: Message, task: TaskDefinition | None, options: CallOptions, arguments: Arguments
) -> Message:
    """Returns the message with its unique key, if it has one, and how that is held.

    Args:
        message: the message.
        task: its registered task; None for a call by name of a task that lives elsewhere.
        options: the options of the call.
        arguments: its arguments.

    Raises:
        TaskArgumentsError: the key cannot be, or there is none where one is asked for.
        EncodeError: an argument that counts cannot be encoded.
    """
    word = options.on_conflict
    if word is not None and word not in _WORDS:
        msg = f"on_conflict={word!r}; use one of {', '.join(_WORDS)}"
        raise TaskArgumentsError(msg)
    unique = _wanted(task, options)
    key = _given(options.unique_key)
    if key is None and unique is not None:
        key = _key(message.task, task, unique, arguments)
    if key is None:
        return message
    how = unique or _PLAIN
    return msgspec.structs.replace(
        message,
        unique_key=key,
        unique_until=how.until,
        unique_window=seconds_of(how.window) or 0.0,
        unique_replaces=(word or how.on_conflict) == "replace",
    )


def _wanted(task: TaskDefinition | None, options: CallOptions) -> Unique | None:
    """Returns how a call is told apart: as it says itself, else as its task does."""
    if options.unique is None:
        return None if task is None else task.unique
    unique = make_unique(options.unique)
    if unique is not None and unique is not (task and task.unique):
        wrong = check_unique(unique, None if task is None else task.signature)
        if wrong is not None:
            msg = f"unique={options.unique!r}: {wrong}"
            raise TaskArgumentsError(msg)
    return unique


def _given(key: Any) -> str | None:
    if key is None or (isinstance(key, str) and _is_text(key)):
        return key
    msg = f"unique_key={key!r} is not text: use for example f'order-{{number}}'"
    raise TaskArgumentsError(msg)


def _is_text(given: str) -> bool:
    """Tells whether a text can be encoded: lone surrogates cannot."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def _key(
    name: str, task: TaskDefinition | None, unique: Unique, arguments: Arguments
) -> str | None:
    args, kwargs = arguments
    if not isinstance(unique.by, bool | str | tuple):
        own: Any = unique.by(*args, **kwargs)
        if own is None:
            return None
        if not isinstance(own, str) or not _is_text(own):
            msg = f"{name}: the function of unique= returned {own!r}; return text, or None"
            raise TaskArgumentsError(msg)
        return f"{name}:{own}"
    counted: Any = [list(args), dict(kwargs)]
    if task is not None:
        bound = task.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        counted = bound.arguments
    elif unique.by is not True:
        msg = (
            f"unique={unique.by!r}: {name} is not known here, so nobody knows its parameters; give"
            " unique_key="
        )
        raise TaskArgumentsError(msg)
    if not isinstance(unique.by, bool):
        names = (unique.by,) if isinstance(unique.by, str) else unique.by
        counted = {one: counted[one] for one in names}
    data = encode(_canonical(counted), f"what is unique of {name}")
    return f"{name}:{hashlib.blake2b(data, digest_size=16).hexdigest()}"


def _canonical(value: Any) -> Any:
    """Returns what is the same for equal values, whatever the order of dicts and sets."""
    if isinstance(value, Mapping):
        pairs = [(encode(_canonical(key)), _canonical(item)) for key, item in value.items()]
        return ["map", sorted(pairs, key=lambda pair: pair[0])]
    if isinstance(value, AbstractSet):
        return ["set", sorted(encode(_canonical(item)) for item in value)]
    if isinstance(value, list | tuple):
        return ["list", [_canonical(item) for item in value]]
    return value


def conflict_of(
    calls: Sequence[TaskCall],
    messages: Sequence[Message],
    receipts: Sequence[Receipt],
    tasks: Mapping[str, TaskDefinition],
    *,
    many: bool,
) -> UniqueConflictError | None:
    """Returns what is to be raised because keys are held; None if nothing is.

    Args:
        calls: what was added.
        messages: the message of each.
        receipts: the broker's answer to each.
        tasks: the registered tasks by name.
        many: whether ``skip`` makes no difference, because there is a handle for each call.
    """
    held = []
    for place, (call, message, receipt) in enumerate(zip(calls, messages, receipts, strict=True)):
        if receipt.id == message.id:
            continue
        word = call.options.on_conflict
        if word is None:
            task = tasks.get(call.task_name)
            unique = make_unique(call.options.unique) or (task and task.unique)
            word = unique.on_conflict if unique else "existing"
        if word == "raise" or (word == "skip" and not many):
            held.append((place, message, receipt.id))
    if not held:
        return None
    _, message, holder = held[0]
    others = f"; {len(calls) - len(held):,} of {len(calls):,} calls were added" if many else ""
    msg = f"{message.task}: task {holder} holds the unique key {message.unique_key!r}{others}"
    conflicts = {place: task_id for place, _, task_id in held}
    return UniqueConflictError(msg, message.unique_key or "", holder, conflicts)
