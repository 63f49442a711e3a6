"""Spans of time and sizes, as people write them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SPAN_UNITS", "read_size", "read_span"]

#: Seconds of a unit of time.
SPAN_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b")
_POWERS: Final = " kmgt"


def read_span(text: str) -> float | None:
    """Reads ``90``, ``30s``, ``15m``, ``1h30m``, ``2d`` or ``1w``; a bare number is seconds.

    Returns:
        The seconds; None if it is none of these.
    """
    text = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        text += "s"
    parts = _SPAN.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        return None
    return sum(float(number) * SPAN_UNITS[unit] for number, unit in parts)


def read_size(text: str) -> int | None:
    """Reads ``1048576``, ``512KiB``, ``1.5GiB`` or ``64MB``; a bare number is bytes.

    ``KiB``, ``MiB``, ``GiB`` and ``TiB`` count by 1024, ``kB``, ``MB``, ``GB`` and ``TB`` by 1000.

    Returns:
        The bytes; None if it is none of these.
    """
    text = text.strip().lower()
    if text.isdecimal():
        return int(text)
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    unit = found[2] or " "
    base = 1024 if unit.endswith("i") else 1000
    factor: int = base ** _POWERS.index(unit[0])
    return round(float(found[1]) * factor)
