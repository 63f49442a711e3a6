"""Settings that are allowed and will hurt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.schemas import Finding

if TYPE_CHECKING:
    from qtasks._config import QueueConfig

__all__ = ["risks"]

#: Seconds below which a pause of the machine or the network costs a worker its tasks, and above
#: which nobody wants to wait for those of a crashed one.
_SHORT_LEASE: Final = 3.0
_LONG_LEASE: Final = 600.0
#: How many tasks for each one that runs may be held ready before others go without.
_HOARD: Final = 10
#: Seconds that a rollout may take.
_ROLLOUT: Final = 60.0
#: Seconds within which somebody should have looked at a dead letter.
_WEEKEND: Final = 3 * 86400.0
#: Threads of a process that are too many for most machines.
_MANY_THREADS: Final = 1000


def risks(config: QueueConfig) -> list[Finding]:
    """Returns a warning for each risky setting, or one finding that says there is none.

    A lease that is shorter than ``shutdown_timeout`` is none: it is renewed during a stop too.
    """
    found = [*_lease(config), *_stopping(config), *_amounts(config), *_keeping(config)]
    return found or [Finding("ok", "settings", "None of them is known to hurt.")]


def _lease(config: QueueConfig) -> list[Finding]:
    lease, interval = config.lease, config.commit_interval
    found = []
    if lease < _SHORT_LEASE:
        found.append(
            _warning(
                "lease",
                f"lease={lease:g} is renewed every {lease / 3:.2g} s: a short pause of the machine"
                " or the network makes others run the same tasks again.",
                "Set lease to 3 seconds or more; 15 is the default.",
            )
        )
    if lease > _LONG_LEASE:
        found.append(
            _warning(
                "lease",
                f"lease={lease:g}: the tasks of a crashed worker wait as long before they run"
                " again.",
                "Set lease to a minute or less; a long task needs no long lease, it is renewed.",
            )
        )
    if interval >= lease / 3:
        found.append(
            _warning(
                "commit_interval",
                f"commit_interval={interval:g} lets outcomes wait so long that lease={lease:g} may"
                " run out meanwhile, and the task runs twice.",
                f"Set commit_interval below {lease / 3:.2g} seconds; 0 is the default.",
            )
        )
    return found


def _stopping(config: QueueConfig) -> list[Finding]:
    found = []
    if not config.shutdown_timeout:
        found.append(
            _warning(
                "shutdown_timeout",
                "shutdown_timeout=0 gives running tasks back at once: each stop of a worker makes"
                " them start again elsewhere.",
                "Set shutdown_timeout to the seconds that most tasks take.",
            )
        )
    if config.unknown_task_grace < _ROLLOUT:
        found.append(
            _warning(
                "unknown_task_grace",
                f"unknown_task_grace={config.unknown_task_grace:g}: a new task becomes a dead"
                " letter if workers of the old version take it during a rollout.",
                "Set unknown_task_grace to longer than a rollout takes; 600 is the default.",
            )
        )
    return found


def _amounts(config: QueueConfig) -> list[Finding]:
    found = []
    if config.prefetched > _HOARD * config.max_tasks_process:
        found.append(
            _warning(
                "prefetch",
                f"prefetch={config.prefetched:,} is {config.prefetched // config.max_tasks_process}"
                " times what runs at once: tasks wait in one worker while others are idle.",
                f"Set prefetch to {config.max_tasks_process} or less; 0 if tasks take minutes.",
            )
        )
    if config.threads > _MANY_THREADS:
        found.append(
            _warning(
                "max_threads",
                f"Up to {config.threads:,} threads may run in one process, which costs memory and"
                " time.",
                "Set max_threads to some hundreds, and start more processes.",
            )
        )
    return found


def _keeping(config: QueueConfig) -> list[Finding]:
    if config.dead_ttl >= _WEEKEND:
        return []
    return [
        _warning(
            "dead_ttl",
            f"dead_ttl={config.dead_ttl:g}: dead letters are removed after"
            f" {config.dead_ttl / 3600:.2g} hours, perhaps before anybody has looked.",
            "Set dead_ttl to a week or more; 1209600 is the default.",
        )
    ]


def _warning(subject: str, message: str, fix: str) -> Finding:
    return Finding("warning", subject, message, fix)
