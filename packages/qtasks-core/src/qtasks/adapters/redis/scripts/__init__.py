"""The Lua scripts that run on the server; each is one atomic step."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

__all__ = ["NAMES", "Script", "load"]

#: All scripts, by the names of their files.
NAMES = (
    "add",
    "append",
    "begin",
    "blame",
    "cancel",
    "claim",
    "clear",
    "counter",
    "discard",
    "dispatched",
    "due",
    "exchange",
    "expire",
    "extend",
    "flush",
    "holds",
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
    "settle",
    "state",
    "stats",
    "sweep",
    "workers",
)

#: What some scripts begin with, beside what all of them do.
_PARTS = {
    "append": ("streams",),
    "claim": ("claiming",),
    "exchange": ("settling", "claiming"),
    "read": ("streams",),
    "settle": ("settling",),
}

_COMMENT: Final = re.compile(r"^\s*--.*\n", re.MULTILINE)
_LOCAL: Final = re.compile(r"^(?=local )", re.MULTILINE)
#: ``local function name`` or ``local name, name``, with what stands behind it.
_NAMES: Final = re.compile(r"local (?:function )?(\w+(?:, \w+)*)")
_WORD: Final = re.compile(r"\w+")


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
    """Returns a script with the parts of what scripts begin with that it needs.

    The server makes all functions of a script anew for each call, used or not.
    """
    body = _COMMENT.sub("", _read(name))
    common = [piece for part in ("prelude", "tasks", *_PARTS.get(name, ())) for piece in _cut(part)]
    text = "\n".join([*_needed(common, body), body])
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def _needed(pieces: list[tuple[frozenset[str], str]], body: str) -> list[str]:
    """Returns the pieces that a script uses, directly or through another one.

    What is said in a string counts too, which keeps a piece too many now and then.
    """
    used = set(_WORD.findall(body))
    needed = []
    for names, text in reversed(pieces):  # a piece uses only what stands before it
        if names & used:
            used.update(_WORD.findall(text))
            needed.append(text)
    return needed[::-1]


@cache
def _cut(name: str) -> tuple[tuple[frozenset[str], str], ...]:
    """Cuts a file into its outermost ``local`` statements: the names they make, and their text."""
    texts = _LOCAL.split(_COMMENT.sub("", _read(name)))
    return tuple(
        (frozenset(_WORD.findall(declared[1])), text.rstrip())
        for text in texts
        if (declared := _NAMES.match(text))
    )


@cache
def _read(name: str) -> str:
    return files(__name__).joinpath(f"{name}.lua").read_text(encoding="utf-8")
