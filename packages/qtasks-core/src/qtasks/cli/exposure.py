"""What strangers could do to an app's tasks, and tasks to an app's workers."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from qtasks.schemas import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks.contracts.keys import Keys
    from qtasks.schemas import TaskDefinition

__all__ = ["endless", "signing"]

#: How many tasks are named; more of them nobody reads.
_NAMED: Final = 5


def signing(keys: Keys | None, urls: Iterable[str]) -> list[Finding]:
    """Says whether somebody at the servers could have tasks run.

    Args:
        keys: the keys that the app signs with.
        urls: where its servers are.
    """
    if keys is not None and not keys.require:
        text = "Messages are signed, but those that are not signed run too."
        return [
            Finding("warning", "signing", text, "Leave out require=False when none of them waits.")
        ]
    if keys is not None:
        return [Finding("ok", "signing", "Messages and results are signed.")]
    if not any(map(_is_shared, urls)):
        return []
    return [
        Finding(
            "warning",
            "signing",
            "Messages are not signed: whoever may write to the server can run every task with any"
            " arguments.",
            "Set QTASKS_SIGNING_KEYS, unless everybody who reaches the server may do that.",
        )
    ]


def endless(tasks: Iterable[TaskDefinition]) -> list[Finding]:
    """Lists tasks that may hold their place in a worker for ever."""
    names = sorted(task.name for task in tasks if task.max_time is None)
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [
        Finding(
            "warning",
            "max_time",
            f"Nothing ends a run that hangs of {', '.join(names[:_NAMED])}{more}: it holds its"
            " place, and its lease is renewed.",
            "Declare max_time= in seconds, for example three times what the longest run takes.",
        )
    ]


def _is_shared(url: str) -> bool:
    """Tells whether others than the programs of this machine reach a server."""
    try:
        host = urlsplit(url).hostname
    except ValueError:  # several hosts with brackets: they are not all here
        return True
    if not host or host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True
