"""Check-ins of scheduled runs: opened when a run starts, closed when its task ends.

The id of a check-in is that of the task, so whichever worker ends the task can close it.
"""

from __future__ import annotations

import math
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sentry_sdk.crons import capture_checkin

from qtasks.plugins import read_history, schedule_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.schemas import Schedule, TaskDefinition

__all__ = ["CheckIns", "slug_of"]

#: The longest slug, and what of it tells names apart that look alike.
_LONGEST: Final = 50
_DIGEST: Final = 6
_UNFIT: Final = re.compile(r"[^a-z0-9_-]+")
#: Units of periods in seconds, the longest first.
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


class CheckIns:
    """Opens and closes check-ins.

    Args:
        monitor: what every monitor is told beside its schedule, such as ``checkin_margin``.
    """

    def __init__(self, monitor: Mapping[str, Any]) -> None:
        self._monitor = dict(monitor)

    def open(self, task_id: str, headers: Mapping[str, str], task: TaskDefinition | None) -> None:
        """Says that a run of a schedule has started; nothing for other tasks.

        Args:
            task_id: the task's id.
            headers: those of its message.
            task: the task, or None if it is not known.
        """
        schedule = schedule_of(headers)
        if schedule is not None:
            self._say(task_id, schedule, task, "in_progress", None)

    def close(
        self,
        task_id: str,
        headers: Mapping[str, str],
        task: TaskDefinition | None,
        *,
        ok: bool,
        history: bytes | None,
        started: float | None,
        now: float,
    ) -> None:
        """Says that the task of a schedule has ended; nothing for other tasks.

        Args:
            task_id: the task's id.
            headers: those of its message.
            task: the task, or None if it is not known.
            ok: whether it ended well.
            history: the encoded history of the task, which knows its first run.
            started: when this run began, seconds since the epoch; None if there was none.
            now: seconds since the epoch.
        """
        schedule = schedule_of(headers)
        if schedule is None:
            return
        earlier = read_history(history)
        begun = earlier[0].started if earlier else started
        seconds = None if begun is None else max(now - begun, 0.0)
        self._say(task_id, schedule, task, "ok" if ok else "error", seconds)

    def _say(
        self,
        task_id: str,
        schedule: Schedule,
        task: TaskDefinition | None,
        status: str,
        seconds: float | None,
    ) -> None:
        capture_checkin(
            monitor_slug=slug_of(schedule.name),
            check_in_id=UUID(task_id).hex,
            status=status,
            duration=seconds,
            monitor_config=self._config(schedule, task),  # type: ignore[arg-type]  # a TypedDict of it
        )

    def _config(self, schedule: Schedule, task: TaskDefinition | None) -> dict[str, Any] | None:
        """Returns what makes or changes the monitor; None if Sentry cannot express it."""
        when = _when(schedule)
        if when is None:
            return None
        config = {"schedule": when, "timezone": schedule.timezone, **self._monitor}
        if task is not None and task.max_time is not None:
            config.setdefault("max_runtime", max(1, math.ceil(task.max_time / 60)))
        return config


def slug_of(name: str) -> str:
    """Returns the slug of a schedule, in which Sentry allows few characters.

    Args:
        name: the name of the schedule; names that differ have slugs that differ.
    """
    slug = _UNFIT.sub("-", name.lower()).strip("-")
    if slug == name and len(slug) <= _LONGEST:
        return slug
    digest = sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{slug[: _LONGEST - _DIGEST - 1]}-{digest}".strip("-")


def _when(schedule: Schedule) -> dict[str, Any] | None:
    if schedule.crontab:
        if len(schedule.crontab.split()) != 5:  # noqa: PLR2004 - with seconds or years it is another language
            return None
        return {"type": "crontab", "value": schedule.crontab}
    for seconds, unit in _UNITS:
        count, rest = divmod(schedule.every, seconds)
        if count and not rest:
            return {"type": "interval", "value": int(count), "unit": unit}
    return None
