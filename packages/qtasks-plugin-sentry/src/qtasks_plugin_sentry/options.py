"""What can be said about what is sent: in code, in the environment, or in the settings file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import msgspec

__all__ = ["OptionFields", "Options", "check_code", "make_options"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent to Sentry, and what is not.

    Attributes:
        report: ``final`` sends one event for a task that failed for good; ``every`` also sends one,
            as a warning, for each failed attempt after which the task runs again.
        send_args: whether arguments, variables and exception texts are sent as they are, if the
            SDK allows it too; secrets among them are filtered all the same.
        traces: whether spans are made and traces go on in the worker.
        crons: whether runs of a schedule are checked in.
        flush_timeout: the most seconds that a process which ends waits for what is to be sent.
    """

    report: Literal["final", "every"] = "final"
    send_args: bool = False
    traces: bool = True
    crons: bool = True
    flush_timeout: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.flush_timeout < math.inf:
            msg = f"flush_timeout={self.flush_timeout!r}: use seconds from 0 up"
            raise ValueError(msg)


class OptionFields(TypedDict, total=False):
    """The same as keywords."""

    report: Literal["final", "every"]
    send_args: bool
    traces: bool
    crons: bool
    flush_timeout: float


def make_options(given: OptionFields | dict[str, Any]) -> Options:
    """Returns options that code gives.

    Args:
        given: those that are not left at their defaults.

    Raises:
        TypeError: there is no such option, or a value is not allowed.
    """
    known = Options.__struct_fields__
    for name in given:
        if name not in known:
            msg = f"SentryPlugin() has no option {name!r}; it has {', '.join(known)}"
            raise TypeError(msg)
    try:
        return msgspec.convert(dict(given), Options)
    except msgspec.ValidationError as error:
        msg = f"SentryPlugin({', '.join(f'{k}={v!r}' for k, v in given.items())}): {error}"
        raise TypeError(msg) from None


def check_code(options: Any, before_report: Any, monitor: Any, init: Any) -> None:
    """Looks at what only code can give.

    Args:
        options: those that were read elsewhere, or None.
        before_report: a function of an event and its hint, or None.
        monitor: what monitors are told, or None.
        init: what makes a client, or None; it may hold a key, so it is not shown.

    Raises:
        TypeError: one of them is something else.
    """
    if not isinstance(options, Options | None):
        msg = f"options={options!r}: give SentryPlugin(report=...) or Options(report=...)"
        raise TypeError(msg)
    if before_report is not None and not callable(before_report):
        msg = f"before_report={before_report!r}: use a function of an event and its hint"
        raise TypeError(msg)
    if not isinstance(monitor, Mapping | None):
        msg = f"monitor={monitor!r}: use a mapping such as {{'checkin_margin': 5}}"
        raise TypeError(msg)
    if not isinstance(init, Mapping | None):
        msg = f"init= is a {type(init).__name__}: use a mapping such as {{'dsn': ...}}"
        raise TypeError(msg)
