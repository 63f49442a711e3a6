"""What a look at a server, or at an installation, found."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Finding"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at, and what it means; ``qtasks doctor`` lists them.

    Attributes:
        level: ``ok``; ``warning`` if it will hurt some day; ``error`` if it hurts now, or loses
            tasks.
        subject: what was looked at, a short noun: ``server``, ``persistence``, ``eviction policy``,
            ``password``.
        message: one sentence with the value that was observed; never a secret.
        fix: what to do about it, as one sentence; not empty unless the level is ``ok``.
    """

    level: Literal["ok", "warning", "error"]
    subject: str
    message: str
    fix: str = ""
