"""Triggers of the app: adding tasks and asking for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers.checks import check_call
from qtasks.contracts.triggers.spec import Kind, trigger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtasks.schemas import Message


@trigger(
    Kind.FILTER,
    returns=("task_name", "priority", "args", "kw", "headers"),
    since="1.0",
    roles=("client",),
    per_task=True,
    check=check_call,
)
def qtasks_add_task_before_broker(
    qtasks: Any,
    broker: Any,
    task_name: str,
    priority: int,
    args: tuple[Any, ...],
    kw: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Any:
    """Fires before a call is checked and encoded; may change what is added.

    Args:
        qtasks: the app.
        broker: the broker the call goes to.
        task_name: the task's name.
        priority: −128…127, lower runs earlier.
        args: positional arguments.
        kw: keyword arguments.
        headers: text values that travel with the task.

    Returns:
        What the call is to be instead; what an answer leaves out stays as it was.

    Changed:
        There are ``headers``, and there is no ``extra``. An answer without ``args`` and ``kw``
        leaves the arguments of the call alone.

    Example:
        class Tenant(Plugin):
            @on("qtasks_add_task_before_broker")
            def tag(self, headers):
                return {"headers": {**headers, "tenant": "acme"}}
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("client",), per_task=True)
def qtasks_add_task_after_broker(
    qtasks: Any,
    broker: Any,
    task_name: str,
    priority: int,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    uuid: str,
) -> None:
    """Fires when the broker has acknowledged a call, before anybody waits for it.

    Args:
        qtasks: the app.
        broker: the broker.
        task_name: the task's name.
        priority: its priority.
        args: positional arguments.
        kwargs: keyword arguments.
        uuid: the task's id.

    Changed:
        There is ``uuid``, without which nobody knew which task it was about.

    Example:
        class Journal(Plugin):
            @on("qtasks_add_task_after_broker")
            def note(self, task_name, uuid):
                print("added", task_name, uuid)
    """


@trigger(Kind.AROUND, since="1.0", roles=("client",))
def qtasks_publish(qtasks: Any, broker: Any, messages: Sequence[Message]) -> Any:
    """Wraps the publishing of messages; subscribers return a context manager.

    It is entered once for each call to the broker, with all messages that go with it. In a
    synchronous app the context manager is a plain one; elsewhere it may be of either colour.

    Args:
        qtasks: the app.
        broker: the broker.
        messages: what is published. They are fixed, but for ``headers``: a subscriber may put
            text values of its own into those of each message before the step begins, 16 KiB
            with those that are there.

    Example:
        class Timing(Plugin):
            @on("qtasks_publish")
            @contextmanager
            def measure(self, messages):
                start = perf_counter()
                yield
                print(len(messages), "published in", perf_counter() - start, "s")
    """


@trigger(Kind.FILTER, returns=("task",), since="1.0", roles=("client",), per_task=True)
def qtasks_get(qtasks: Any, broker: Any, task: Any) -> Any:
    """Fires once for each user's ``get`` and each finished wait; may replace the handle.

    Args:
        qtasks: the app.
        broker: the broker.
        task: the handle, or None if there is no such task.

    Returns:
        What ``app.get()`` and ``as_completed()`` give instead. A handle that was waited for
        takes over the record of the one that replaces it.

    Changed:
        It does not fire at each look of a wait any more, but once, when the wait is over.

    Example:
        class Seen(Plugin):
            @on("qtasks_get")
            def seen(self, task):
                print(task)
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("client",))
def qtasks_ping(qtasks: Any, global_config: Any) -> None:
    """Fires when ``app.ping()`` is called, before the answer is known.

    Args:
        qtasks: the app.
        global_config: its shared configuration.

    Example:
        class Pinged(Plugin):
            @on("qtasks_ping")
            def pinged(self, qtasks):
                print(qtasks.name, "was asked whether it is there")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("client",))
def qtasks_flush_all(qtasks: Any, broker: Any) -> None:
    """Fires when ``app.flush_all()`` is called, before anything is removed.

    Args:
        qtasks: the app.
        broker: the broker.

    Changed:
        Synchronous apps pass ``broker``, too.

    Example:
        class Warn(Plugin):
            @on("qtasks_flush_all")
            def warn(self, qtasks):
                print("everything of", qtasks.name, "is removed")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("client",))
def stats_inspect(stats: Any) -> None:
    """Fires when ``inspect()`` of ``SyncStats`` or ``AsyncStats`` is called.

    Args:
        stats: the object whose ``inspect()`` it is.

    Example:
        class Inspected(Plugin):
            @on("stats_inspect")
            def inspected(self, stats):
                print("somebody looks at the app")
    """
