"""Running workers of an app: in this process, or in several."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from qtasks._discovery.switches import current_switches
from qtasks._supervisor.limits import check_limits
from qtasks._supervisor.loading import find_app
from qtasks._supervisor.messages import Order
from qtasks._supervisor.supervisor import Supervisor
from qtasks._supervisor.watch import app_directories, changed_files
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from qtasks.app.base import BaseQueueTasks

__all__ = ["make_supervisor", "needs_supervisor"]


def needs_supervisor(app: BaseQueueTasks, processes: int | None) -> int:
    """Returns how many children are to work; 0 if the worker runs in this process.

    One worker needs no child, unless it is to be replaced now and then.

    Args:
        app: the app.
        processes: how many workers were asked for; None for what the settings say.

    Raises:
        ConfigError: that is no number of processes.
    """
    count: Any = app.config.worker_processes if processes is None else processes
    if not isinstance(count, int) or count < 1:
        msg = f"processes={processes!r}: use a whole number of 1 or more"
        raise ConfigError(msg)
    limits = (app.config.max_tasks_per_child, app.config.max_memory_per_child)
    supervised = count > 1 or any(limit is not None for limit in limits)
    return int(count) if supervised else 0


def make_supervisor(
    app: BaseQueueTasks,
    processes: int,
    *,
    app_path: str | None = None,
    queues: tuple[str, ...] | None = None,
    burst: bool = False,
    concurrency: int | None = None,
    retry: bool = True,
    reload: bool = False,
    log_level: int | None = None,
) -> Supervisor:
    """Makes the supervisor of an app's worker processes.

    Args:
        app: the app; each child loads it anew.
        processes: how many children work.
        app_path: ``MODULE:NAME`` of the app; None to search the modules for it.
        queues: the queues to take from; None for those of the settings.
        burst: end when nothing is ready any more.
        concurrency: tasks that run at once in each child; None for what the settings say.
        retry: wait for a broker that is away.
        reload: start the children anew when the app's code changes.
        log_level: the least level that children log; None for that of this process.

    Raises:
        ConfigError: children cannot load the app or share its servers, or a limit cannot be
            measured here.
    """
    if not (app.broker.capabilities.processes and app.storage.capabilities.processes):
        msg = (
            f"{app.broker.url}: this queue lives in one process, so worker processes cannot share"
            " it; use another broker_url, for example 'sqlite:///qtasks.db', or one process"
            " without limits"
        )
        raise ConfigError(msg)
    check_limits(app.config)
    app._discovery.register()  # noqa: SLF001 - what is missing is better said once, and here
    where, main = (app_path, None) if app_path is not None else find_app(app)
    level = logging.getLogger().getEffectiveLevel() if log_level is None else log_level
    order = Order(
        app=where,
        path=list(sys.path),
        main=main,
        queues=queues,
        burst=burst,
        concurrency=concurrency,
        retry=retry,
        log_level=level,
        log_always=log_level is not None,
        plugins=current_switches(),
    )
    supervisor = Supervisor(
        app._connection,  # noqa: SLF001 - as above
        order,
        processes=processes,
        shutdown_timeout=app.config.shutdown_timeout,
        lease=app.config.lease,
        changes=changed_files(app_directories()) if reload else None,
        registry=app._registry,  # noqa: SLF001 - as above
        owner=app,
    )
    app._workers.add(supervisor)  # noqa: SLF001 - as above
    return supervisor
