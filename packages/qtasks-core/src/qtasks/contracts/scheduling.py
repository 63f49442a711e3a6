"""How a task says that it was added by a schedule: in a header, so that every worker can know.

QTasks has no scheduler of its own. Whoever adds tasks by a schedule, be it a plugin, cron or a
loop, marks them; plugins that watch schedules read the mark where the task runs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from qtasks.schemas import Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["schedule_headers", "schedule_of"]

_HEADER: Final = "qtasks-schedule"

_decoder = msgspec.json.Decoder(Schedule)


def schedule_headers(schedule: Schedule) -> dict[str, str]:
    """Returns the headers that mark a call as one of a schedule.

    Args:
        schedule: the schedule.

    Raises:
        ValueError: it has no name, both a crontab and a period, or a period that is none.
    """
    if not schedule.name.strip():
        msg = f"{schedule!r} has no name: give it one, such as Schedule(name='nightly')"
        raise ValueError(msg)
    if schedule.crontab and schedule.every:
        msg = f"schedule {schedule.name!r} has crontab= and every=: use one of them"
        raise ValueError(msg)
    if not 0 <= schedule.every < math.inf:  # no number is neither
        msg = f"schedule {schedule.name!r} has every={schedule.every!r}: use seconds above 0"
        raise ValueError(msg)
    return {_HEADER: msgspec.json.encode(schedule).decode()}


def schedule_of(headers: Mapping[str, str]) -> Schedule | None:
    """Returns the schedule that added a task; None if there is none, or it cannot be read.

    Args:
        headers: those of its message or record.
    """
    text = headers.get(_HEADER)
    if text is None:
        return None
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError:
        return None
