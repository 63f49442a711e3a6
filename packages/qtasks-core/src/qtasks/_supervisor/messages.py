"""What a supervisor and its children tell each other; see :mod:`qtasks._runtime.channel`."""

from __future__ import annotations

from typing import Literal

import msgspec

from qtasks._discovery.switches import Switches

__all__ = ["Failed", "Goodbye", "Hello", "LogLine", "Order", "Ping", "Retiring", "State", "Stop"]


class Order(msgspec.Struct, frozen=True):
    """The first message to a child: what it is to do.

    Attributes:
        app: ``MODULE:NAME`` of the app; the module may be ``__main__``.
        main: the file the supervisor was started from, if the app is found there.
        path: the supervisor's ``sys.path``.
        queues: the queues to take from; None for those of the settings.
        burst: whether to end when nothing is ready any more.
        concurrency: tasks to run at once; None for what the settings say.
        retry: whether to wait for a broker that is away.
        log_level: from which level on records are logged, if the app has not set up logging.
        log_always: whether ``log_level`` counts even if it has.
        plugins: what the supervisor's command line says about plugins.
    """

    app: str
    path: list[str]
    main: str | None = None
    queues: tuple[str, ...] | None = None
    burst: bool = False
    concurrency: int | None = None
    retry: bool = True
    log_level: int = 20
    log_always: bool = False
    plugins: Switches = Switches()


class Stop(msgspec.Struct, frozen=True):
    """Tells a child to stop.

    Attributes:
        hurry: whether running tasks are given back at once.
    """

    hurry: bool = False


class Ping(msgspec.Struct, frozen=True):
    """Asks a child for a sign of life; it answers with the same, whatever its loop does."""


class Hello(msgspec.Struct, frozen=True):
    """A child has loaded the app, and is about to claim tasks.

    Attributes:
        worker: the id of its worker, by which the broker knows what it holds.
        pid: its process id.
    """

    worker: str
    pid: int


class State(msgspec.Struct, frozen=True):
    """How a child is; sent every second, and last when its worker has stopped.

    Attributes:
        settled: runs it has settled, without those that it gave back.
        running: tasks that run.
        memory: bytes of memory it takes, or None where that cannot be measured.
    """

    settled: int
    running: int
    memory: int | None


class Retiring(msgspec.Struct, frozen=True):
    """A child claims no more, because it is to be replaced.

    Attributes:
        why: the limit it has reached.
    """

    why: str


class Failed(msgspec.Struct, frozen=True):
    """A child cannot work, and another one could not either.

    Attributes:
        kind: ``config`` if the app or a setting is wrong, ``server`` if the broker cannot be
            used, ``unavailable`` if it is away and is not waited for.
        message: one line that says what to change.
        details: the traceback of the user's own code, if it failed.
    """

    kind: Literal["config", "server", "unavailable"]
    message: str
    details: str = ""


class Goodbye(msgspec.Struct, frozen=True):
    """A child has stopped as it should.

    Attributes:
        why: ``stopped``, ``retired`` or ``burst``.
        held: tasks it could not give back, because the broker is away.
    """

    why: Literal["stopped", "retired", "burst"]
    held: int = 0


class LogLine(msgspec.Struct, frozen=True):
    """A log record of a child.

    Attributes:
        name: the logger.
        level: the record's level.
        message: its text.
        created: when, in seconds since the epoch.
        where: path of the file, line and function.
        thread: the name of the thread.
        trace: the formatted exception, if there is one.
        extra: further attributes of the record that are plain values.
    """

    name: str
    level: int
    message: str
    created: float
    where: tuple[str, int, str]
    thread: str
    trace: str = ""
    extra: dict[str, str | int | float | bool | None] = {}
