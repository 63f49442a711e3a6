"""The settings that exist: one declaration each, from which checks, tables and help are made."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

__all__ = ["PREFIX", "SETTINGS", "Applies", "Kind", "Setting"]

#: What the names of environment variables start with.
PREFIX: Final = "QTASKS_"


class Kind(StrEnum):
    """What the values of a setting are."""

    URL = "URL"
    NAMES = "names"
    WHOLE = "whole number"
    SECONDS = "seconds"
    BYTES = "bytes"
    SWITCH = "yes or no"
    KEYS = "keys"


class Applies(StrEnum):
    """When a value that is assigned later takes effect."""

    AT_ONCE = "at once"
    NEXT_START = "next start"
    NEW_APP = "new app"


class Setting(msgspec.Struct, frozen=True):
    """One setting.

    Attributes:
        name: its name.
        default: its value if nothing else is given.
        kind: what its values are.
        least: the smallest number; None for no limit.
        most: the largest number; None for no limit.
        above: whether ``least`` itself is too small.
        optional: whether None is a value.
        unit: what its numbers count, for tables.
        applies: when a later value takes effect.
    """

    name: str
    default: Any
    kind: Kind
    least: int | None = None
    most: int | None = None
    above: bool = False
    optional: bool = False
    unit: str = ""
    applies: Applies = Applies.AT_ONCE

    @property
    def variable(self) -> str:
        """The environment variable that gives it."""
        return PREFIX + self.name.upper()


def _url(name: str, default: str | None) -> Setting:
    optional = default is None
    return Setting(name, default, Kind.URL, optional=optional, unit="URL", applies=Applies.NEW_APP)


def _count(name: str, default: int | None, unit: str, applies: Applies, least: int = 1) -> Setting:
    optional = default is None
    return Setting(name, default, Kind.WHOLE, least, optional=optional, unit=unit, applies=applies)


def _seconds(name: str, default: float, *, above: bool, applies: Applies) -> Setting:
    return Setting(name, default, Kind.SECONDS, 0, above=above, unit="seconds", applies=applies)


def _bytes(name: str, default: int | None, applies: Applies) -> Setting:
    optional = default is None
    return Setting(name, default, Kind.BYTES, 1, optional=optional, unit="bytes", applies=applies)


_AT_ONCE: Final = Applies.AT_ONCE
_NEXT_START: Final = Applies.NEXT_START

#: Every setting by its name, in the order in which they are shown.
SETTINGS: Final[dict[str, Setting]] = {
    setting.name: setting
    for setting in (
        _url("broker_url", "sqlite:///qtasks.db"),
        _url("storage_url", None),
        Setting("queues", ("default",), Kind.NAMES, unit="names", applies=_NEXT_START),
        _count("worker_processes", 1, "processes", _NEXT_START),
        _count("max_tasks_process", 100, "tasks", _AT_ONCE),
        _count("max_threads", None, "threads", _AT_ONCE),
        _count("max_processes", None, "processes", _NEXT_START),
        _count("prefetch", None, "tasks", _AT_ONCE, least=0),
        _count("max_tasks_per_child", None, "tasks", _NEXT_START),
        _bytes("max_memory_per_child", None, _NEXT_START),
        Setting("uvloop", default=True, kind=Kind.SWITCH, unit="yes or no", applies=_NEXT_START),
        _seconds("lease", 15.0, above=True, applies=_NEXT_START),
        _seconds("shutdown_timeout", 30.0, above=False, applies=_AT_ONCE),
        _seconds("result_ttl", 86400.0, above=False, applies=_AT_ONCE),
        _seconds("dead_ttl", 1209600.0, above=True, applies=_AT_ONCE),
        _count("dead_limit", 10_000, "tasks", _AT_ONCE),
        _bytes("max_payload", 1048576, _AT_ONCE),
        _bytes("max_stream", 67108864, _AT_ONCE),
        _seconds("commit_interval", 0.0, above=False, applies=_AT_ONCE),
        _seconds("unknown_task_grace", 600.0, above=False, applies=_AT_ONCE),
        _seconds("plugin_timeout", 30.0, above=True, applies=_AT_ONCE),
        Setting(
            "signing_keys",
            None,
            Kind.KEYS,
            optional=True,
            unit="keys",
            applies=Applies.NEW_APP,
        ),
        Setting("task_default_priority", 0, Kind.WHOLE, -128, 127, unit="−128 to 127"),
    )
}
