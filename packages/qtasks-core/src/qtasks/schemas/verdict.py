"""What a retry policy answers."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Verdict"]


class Verdict(msgspec.Struct, frozen=True):
    """The decision of a ``worker_task_error_retry`` subscriber about a failed attempt.

    Attributes:
        action: ``retry`` (counted), ``snooze`` (not counted), ``fail`` or ``discard``.
        delay: seconds until the next run, for ``retry`` and ``snooze``.
        reason: one word or sentence that is stored with the task.
        headers: headers to set on the message, beside those it has; or None.
    """

    action: Literal["retry", "snooze", "fail", "discard"]
    delay: float = 0.0
    reason: str = ""
    headers: dict[str, str] | None = None
