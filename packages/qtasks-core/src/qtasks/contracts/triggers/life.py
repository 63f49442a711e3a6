"""Triggers of the life of workers, of their supervisor, and of plugins themselves."""

from __future__ import annotations

from typing import Any

from qtasks.contracts.triggers.spec import Kind, trigger


@trigger(Kind.NOTIFY, since="1.0", roles=("worker", "supervisor"))
def starter_start(starter: Any) -> None:
    """Fires first of all when a worker or a supervisor starts, after its plugins have.

    Args:
        starter: what starts: the worker, or the supervisor of worker processes.

    Changed:
        Plugins of the whole app get it. A worker starts its own parts, so it is the starter.

    Example:
        class Begun(Plugin):
            @on("starter_start")
            def begun(self, starter):
                print(type(starter).__name__, "starts")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker", "supervisor"))
def starter_stop(starter: Any) -> None:
    """Fires last of all when a worker or a supervisor has stopped, before its plugins do.

    Args:
        starter: what has stopped.

    Example:
        class Ended(Plugin):
            @on("starter_stop")
            def ended(self, starter):
                print(type(starter).__name__, "has stopped")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker", "supervisor"))
def qtasks_stop(qtasks: Any, starter: Any) -> None:
    """Fires when ``app.stop()`` is called, for each running worker or supervisor that it stops.

    It fires where that one runs, as its first step of stopping. A signal that stops it is no
    call of ``app.stop()``.

    Args:
        qtasks: the app.
        starter: what stops: the worker, or the supervisor of worker processes.

    Example:
        class Asked(Plugin):
            @on("qtasks_stop")
            def asked(self, starter):
                print(type(starter).__name__, "was asked to stop")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",))
def worker_start(worker: Any) -> None:
    """Fires when a worker is connected, before it claims.

    Args:
        worker: the worker.

    Example:
        class Started(Plugin):
            @on("worker_start")
            def started(self, worker):
                print(worker.id, "takes from", ", ".join(worker.queues))
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",))
def worker_stop(worker: Any) -> None:
    """Fires when a worker has settled everything, before it disconnects.

    Args:
        worker: the worker.

    Example:
        class Stopped(Plugin):
            @on("worker_stop")
            def stopped(self, worker):
                print(worker.settled, "runs were settled")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("supervisor",))
def worker_child_exit(
    supervisor: Any, child: Any, worker_id: str | None, pid: int, code: int, reason: str
) -> None:
    """Fires in the supervisor when a worker process has ended.

    Args:
        supervisor: the supervisor.
        child: the process: its ``number``, its last ``state``, and the ``channel`` to it.
            ``await child.held()`` waits for the records of the tasks that its worker held when it
            died; it is empty if the broker cannot tell.
        worker_id: the id of its worker, or None if it never said so.
        pid: the process id.
        code: its exit code; a negative one is that of a signal.
        reason: ``burst``, ``stopped``, ``retired`` (it had served long enough), ``failed`` (it
            said why it could not work), ``signal``, or ``exit`` (it ended by itself).

    Example:
        class Ends(Plugin):
            @on("worker_child_exit")
            def count(self, pid, reason):
                print("process", pid, "ended:", reason)
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("supervisor",))
def worker_before_kill(supervisor: Any, child: Any, worker_id: str | None, pid: int) -> None:
    """Fires in the supervisor before it kills a worker process that does not stop.

    The kill follows when all have answered, but at the latest a second later.

    Args:
        supervisor: the supervisor.
        child: the process: its ``number``, its last ``state``, and the ``channel`` to it.
        worker_id: the id of its worker, or None if it never said so.
        pid: the process id.

    Example:
        class LastLook(Plugin):
            @on("worker_before_kill")
            def look(self, child, pid):
                print("process", pid, "still runs", child.state.running, "tasks")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("client", "worker", "supervisor"))
def plugin_error(plugin: str, trigger: str, e: BaseException, uuid: str | None) -> None:
    """Fires when a plugin failed; it does not fire for what fails while it is fired.

    Args:
        plugin: the name of the plugin that failed.
        trigger: the trigger in which it failed; ``start`` or ``stop`` if it was one of these.
        e: what it raised, or what stands for a nonsensical answer or a time that ran out.
        uuid: the id of the task it was about, or None.

    Example:
        class Complaints(Plugin):
            @on("plugin_error")
            def complain(self, plugin, trigger, e):
                print(plugin, "failed in", trigger, "with", e)
    """
