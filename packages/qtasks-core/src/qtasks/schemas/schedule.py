"""The schedule by which a task was added."""

from __future__ import annotations

import msgspec

__all__ = ["Schedule"]


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """When a task is added again and again, as whoever adds it says.

    Attributes:
        name: its name; the runs of one name belong together.
        crontab: five fields as of cron, such as ``0 3 * * *``; empty if it is no such schedule.
        every: seconds from one run to the next; 0 if that is not how it is said.
        timezone: the IANA name of the time zone that ``crontab`` is meant in.
    """

    name: str
    crontab: str = ""
    every: float = 0.0
    timezone: str = "UTC"
