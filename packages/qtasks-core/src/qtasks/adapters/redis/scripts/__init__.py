"""The Lua scripts that run on the server; each is one atomic step."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import msgspec

__all__ = ["NAMES", "Script", "load"]

#: All scripts, by the names of their files.
NAMES = (
    "append",
    "begin",
    "cancel",
    "clear",
    "counter",
    "discard",
    "dispatched",
    "due",
    "exchange",
    "expire",
    "extend",
    "flush",
    "know",
    "list",
    "pause",
    "progress",
    "publish",
    "purge",
    "queues",
    "read",
    "ready",
    "records",
    "report",
    "requeue",
    "state",
    "stats",
    "sweep",
    "workers",
)

#: What some scripts begin with, beside what all of them do.
_PARTS = {"append": ("streams",), "read": ("streams",)}


class Script(msgspec.Struct, frozen=True):
    """One script.

    Attributes:
        name: the name of its file.
        text: what the server runs.
        sha: by which the server knows it once it was loaded.
    """

    name: str
    text: str
    sha: str


@cache
def load(name: str) -> Script:
    """Returns a script with what every script begins with."""
    parts = [_read(part) for part in ("prelude", "tasks", *_PARTS.get(name, ()), name)]
    text = "\n".join(parts)
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@cache
def _read(name: str) -> str:
    return files(__name__).joinpath(f"{name}.lua").read_text(encoding="utf-8")
