"""Stack frames: what of them is sent, and how they are read from a traceback that is text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sentry_sdk.utils import current_stacktrace

from qtasks_plugin_sentry.patterns import FILTERED, mask_secrets, mask_source
from qtasks_plugin_sentry.redaction import (
    Known,
    mask_data,
    masked_values,
    secrets_in,
    texts_in,
)
from qtasks_plugin_sentry.sdk import active_client

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import CodeType, FrameType, TracebackType

__all__ = [
    "NOTHING",
    "clean_crumbs",
    "clean_frames",
    "crumbs_of",
    "data_of",
    "frames_of_text",
    "hide_engine",
]

_FILE: Final = re.compile(r'  File "(.+)", line (\d+)(?:, in (.+))?\Z')
_BEGIN: Final = "Traceback (most recent call last):"
#: Where an event has its frames.
_STACKS: Final = frozenset({"exception", "stacktrace", "threads"})
#: Frames of one traceback that are looked at, from the last one on.
_MANY: Final = 50
#: Exceptions of a chain that are looked at.
_CHAIN: Final = 20
#: How deep their variables are looked into.
_DEPTH: Final = 3
#: The shortest data that is looked for in source lines.
_LEAST: Final = 4
#: What is known of an event that is not the plugin's.
NOTHING: Final = Known()


def hide_engine(event: Any, _hint: Any = None) -> Any:
    """Takes the variables out of frames of QTasks, which hold payloads, headers and results.

    Args:
        event: the event; it is changed.
        _hint: not used; the SDK gives it.
    """
    _attach_stack(event)
    for frame in _frames(event):
        if _is_engine(frame):
            frame.pop("vars", None)
            frame["in_app"] = False
    return event


def clean_frames(event: Any, known: Known = NOTHING, *, as_they_are: bool) -> Any:
    """Takes the values of variables out of all frames, and secrets out of lines of source.

    Args:
        event: the event; it is changed.
        known: what is known to be data.
        as_they_are: whether values may be sent; those that are secret never are.
    """
    hide_engine(event)
    frames = list(_frames(event))
    shown = [values for frame in frames if (values := frame.get("vars"))]
    secrets = known.secrets.union(*map(secrets_in, shown))
    # A word of the program may be data by chance.
    data = [one for one in known.data if len(one) >= _LEAST and not one.isidentifier()]
    for frame in frames:
        if values := frame.get("vars"):
            frame["vars"] = (
                masked_values(values, secrets) if as_they_are else dict.fromkeys(values, FILTERED)
            )
        _clean_lines(frame, () if as_they_are else data, secrets)
    return event


def _clean_lines(frame: dict[str, Any], data: Collection[str], secrets: Collection[str]) -> None:
    """Takes data out of the lines of source that a frame shows."""
    before = list(frame.get("pre_context") or ())
    line = [frame["context_line"]] if isinstance(frame.get("context_line"), str) else []
    after = list(frame.get("post_context") or ())
    code = "\n".join([*before, *line, *after])
    if not code:
        return
    for one in data:
        code = code.replace(one, FILTERED)
    lines = mask_source(code, secrets).split("\n")
    if before:
        frame["pre_context"] = lines[: len(before)]
    if line:
        frame["context_line"] = lines[len(before)]
    if after:
        frame["post_context"] = lines[len(before) + len(line) :]


def clean_crumbs(event: Any, known: Known) -> None:
    """Takes secrets out of breadcrumbs, which the SDK makes of commands and requests, too.

    Args:
        event: the event; it is changed.
        known: what is known to be secret.
    """
    for crumb in crumbs_of(event):
        if isinstance(crumb.get("message"), str):
            crumb["message"] = mask_secrets(crumb["message"], known.secrets)
        if crumb.get("data"):
            crumb["data"] = masked_values(crumb["data"], known.secrets)


def crumbs_of(event: Any) -> list[dict[str, Any]]:
    """Returns the breadcrumbs of an event, which can be changed.

    Args:
        event: the event.
    """
    found = event.get("breadcrumbs")
    return list((found.get("values") if isinstance(found, dict) else found) or ())


def frames_of_text(text: str) -> list[dict[str, Any]]:
    """Reads the frames of a formatted traceback, the outermost first.

    Args:
        text: the traceback; of several that led to each other the last one counts.
    """
    frames: list[dict[str, Any]] = []
    for line in text.rpartition(_BEGIN)[2].splitlines():
        found = _FILE.match(line)
        if found:
            frames.append(
                {
                    "filename": found[1].rpartition("/")[2],
                    "abs_path": found[1],
                    "lineno": int(found[2]),
                    "function": found[3] or "<module>",
                }
            )
        elif frames and line.startswith("    ") and "context_line" not in frames[-1]:
            frames[-1]["context_line"] = line.strip()
    return frames


def data_of(error: BaseException) -> Known:
    """Returns what the frames of an exception, and of those that led to it, say about its text.

    Args:
        error: the exception.
    """
    data: set[str] = set()
    secrets: set[str] = set()
    words: set[str] = set()
    chain = _chain(error)
    for frame in [frame for one in chain for frame in _raised_in(one.__traceback__)]:
        words |= _words(frame.f_code)
        if frame.f_code.co_name != "<module>" and not _is_ours(frame.f_globals.get("__name__")):
            values = dict(frame.f_locals)
            data |= texts_in(list(values.values()), _DEPTH)
            secrets |= secrets_in(values, _DEPTH)
    # What stands in the code is the program's, unless it looks like a key; and the text itself
    # often has a name before it is raised.
    known = {one for one in data if one not in words or mask_data(one) != one}
    texts = {text for one in chain for text in one.args if isinstance(text, str)}
    return Known(frozenset(known - texts), frozenset(secrets), frozenset(words))


def _chain(error: BaseException) -> list[BaseException]:
    """Returns an exception, those that led to it, and those that it is a group of."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(found) < _CHAIN:
        one = waiting.pop()
        if one is None or any(one is known for known in found):
            continue
        found.append(one)
        waiting += (one.__cause__, one.__context__)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return found


def _attach_stack(event: Any) -> None:
    """Attaches the stack to an event that would get it later, when nobody cleans it any more."""
    client = active_client()
    if client is None or event.get("type") is not None or _STACKS & event.keys():
        return
    if client.options.get("attach_stacktrace"):
        stack = {"stacktrace": current_stacktrace(), "crashed": False, "current": True}
        event["threads"] = {"values": [stack]}


def _raised_in(trace: TracebackType | None) -> list[FrameType]:
    frames = []
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    return frames[-_MANY:]


def _words(code: CodeType) -> set[str]:
    constants = {one for one in code.co_consts if isinstance(one, str)}
    return {*constants, *code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars}


def _frames(event: Any) -> Iterator[dict[str, Any]]:
    holders = [event]
    for kind in ("exception", "threads"):
        found = event.get(kind)
        values = found.get("values") if isinstance(found, dict) else found
        holders.extend(values or ())
    for holder in holders:
        stack = holder.get("stacktrace") if isinstance(holder, dict) else None
        yield from (frame for frame in (stack or {}).get("frames") or () if frame)


def _is_engine(frame: dict[str, Any]) -> bool:
    return _is_ours(frame.get("module"))


def _is_ours(module: Any) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in (
        "qtasks",
        "qtasks_plugin_sentry",
    )
