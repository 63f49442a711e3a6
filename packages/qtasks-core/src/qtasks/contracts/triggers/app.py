"""Triggers of the app: adding tasks and asking for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers.spec import Kind, trigger

if TYPE_CHECKING:
    from collections.abc import Mapping


@trigger(Kind.FILTER, returns=("task_name", "priority", "args", "kw", "headers"), since="1.0")
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
    """


@trigger(Kind.NOTIFY, since="1.0")
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
    """


@trigger(Kind.FILTER, returns=("task",), since="1.0")
def qtasks_get(qtasks: Any, broker: Any, task: Any) -> Any:
    """Fires once for each user's ``get`` and each finished wait; may replace the handle.

    Args:
        qtasks: the app.
        broker: the broker.
        task: the handle, or None if there is no such task.
    """
