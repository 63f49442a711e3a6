"""Checks values, and reads those that were given as text."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, Final

from qtasks._config.settings import Kind, Setting
from qtasks._config.units import read_size, read_span
from qtasks.contracts.keys import Keys
from qtasks.contracts.names import check_queues
from qtasks.contracts.secrets import mask_url
from qtasks.exc import ConfigError, RegistrationError

if TYPE_CHECKING:
    from qtasks._config.sources import Source

__all__ = ["NO", "YES", "accept", "show"]

YES: Final = frozenset({"1", "true", "yes", "on"})
NO: Final = frozenset({"0", "false", "no", "off"})
_NONE: Final = frozenset({"none", "null"})
#: The most characters of a wrong value that are shown.
_SHOWN: Final = 200


def accept(setting: Setting, given: Any, source: Source) -> Any:
    """Returns a value as the setting keeps it; outside code, text is read first.

    Raises:
        ConfigError: it cannot be used; the message names setting, value, source and what is
            allowed.
    """
    as_text = source.kind != "code"
    if setting.kind is Kind.KEYS:
        return _keys(setting, given, source)
    value = _read(setting, given) if as_text and isinstance(given, str) else given
    reason = ""
    try:
        return _checked(setting, value)
    except RegistrationError as error:  # says what is wrong with the name of a queue
        reason = f"{error}; "
    except (ValueError, OverflowError):
        pass
    msg = (
        f"setting {setting.name} = {_shown(setting, given)} (from {source.phrase}):"
        f" {reason}{_allowed(setting, as_text=as_text)}"
    )
    raise ConfigError(msg)


def show(value: Any) -> str:
    """Returns a value as people read and write it in the environment; secrets are masked."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case str():
            return mask_url(value)
        case tuple():
            return ",".join(value)
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _read(setting: Setting, text: str) -> Any:
    """Reads a text; what cannot be read stays as it is, and is refused as such."""
    word = text.strip().lower()
    if setting.optional and word in _NONE:
        return None
    value: Any = None
    with contextlib.suppress(ValueError):
        match setting.kind:
            case Kind.WHOLE:
                value = int(word)
            case Kind.SECONDS:
                value = read_span(word)
                value = float(word) if value is None else value
            case Kind.BYTES:
                value = read_size(word)
            case Kind.SWITCH:
                value = True if word in YES else False if word in NO else None
            case Kind.NAMES:
                value = tuple(filter(None, map(str.strip, text.split(","))))
            case Kind.URL:
                value = text
    return text if value is None else value


def _keys(setting: Setting, given: Any, source: Source) -> Keys | None:
    """Returns keys; no message shows what was given.

    Raises:
        ConfigError: they cannot be used, or stand where others read them.
    """
    reason = "give qtasks.signing.Keys(...), or None"
    if source.kind == "file":
        reason = f"keys do not belong into a file that others read: set {setting.variable} instead"
    elif given is None or isinstance(given, Keys):
        return given
    elif source.kind == "environment":
        if given.strip().lower() in _NONE:
            return None
        try:
            return Keys.read(given)
        except ConfigError as error:
            reason = str(error)
    msg = f"setting {setting.name} (from {source.phrase}): {reason}"
    raise ConfigError(msg)


def _checked(setting: Setting, value: Any) -> Any:
    """Returns a checked value.

    Raises:
        ValueError, OverflowError: it is of the wrong type or out of range.
    """
    if value is None and setting.optional:
        return None
    match setting.kind:
        case Kind.URL if isinstance(value, str) and value:
            return value
        case Kind.NAMES if isinstance(value, list | tuple):
            return check_queues(value)
        case Kind.SWITCH if isinstance(value, bool):
            return value
        case Kind.WHOLE | Kind.BYTES if isinstance(value, int) and not isinstance(value, bool):
            return _in_range(setting, value)
        case Kind.SECONDS if isinstance(value, int | float) and not isinstance(value, bool):
            return _in_range(setting, float(value))
    raise ValueError


def _in_range(setting: Setting, value: float) -> float:
    least, most = setting.least, setting.most
    too_small = least is not None and (value <= least if setting.above else value < least)
    too_large = most is not None and value > most
    if too_small or too_large or not math.isfinite(value):
        raise ValueError
    return value


def _shown(setting: Setting, value: Any) -> str:
    """Returns a wrong value as the message shows it."""
    if isinstance(value, str):
        shown = repr(mask_url(value))
    elif setting.kind is Kind.URL and value is not None:
        shown = f"a value of type {type(value).__name__}"  # which may hold a password
    else:
        shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _allowed(setting: Setting, *, as_text: bool) -> str:
    match setting.kind:
        case Kind.URL:
            allowed = "write a URL, such as sqlite:///qtasks.db"
        case Kind.NAMES:
            example = "mail,default" if as_text else "queues=('default',)"
            allowed = f"write for example {example}"
        case Kind.SWITCH:
            allowed = "use yes or no" if as_text else "use True or False"
        case Kind.WHOLE:
            allowed = f"use a whole number {_range(setting)}"
        case Kind.SECONDS:
            allowed = f"use a finite number of seconds {_range(setting)}"
            allowed += ", or a span such as 30s, 5m or 2d" if as_text else ""
        case Kind.BYTES:
            allowed = f"use a whole number of bytes {_range(setting)}"
            allowed += ", or a size such as 512KiB or 2GiB" if as_text else ""
    if setting.optional:
        allowed += ", or none" if as_text else ", or None"
    return allowed


def _range(setting: Setting) -> str:
    if setting.most is not None:
        return f"from {setting.least} to {setting.most}"
    return f"above {setting.least}" if setting.above else f"of {setting.least} or more"
