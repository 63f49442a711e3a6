"""A failure as data: nothing in it is ever imported or called."""

from __future__ import annotations

import msgspec

__all__ = ["TaskError"]


class TaskError(msgspec.Struct, frozen=True):
    """Why a run failed.

    Attributes:
        type: qualified name of the exception class, for example ``builtins.ValueError``.
        message: its text, bounded.
        traceback: the formatted traceback, bounded; empty if there was none.
    """

    type: str
    message: str
    traceback: str = ""
