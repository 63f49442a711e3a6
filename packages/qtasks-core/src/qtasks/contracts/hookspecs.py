"""Start-up hooks, called through pluggy; they are cold, so pluggy's own call is right for them.

Triggers, which are hot, are declared in ``qtasks.contracts.triggers``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage
    from qtasks.schemas import CommandOption, Finding, TaskDefinition

__all__ = [
    "hookimpl",
    "hookspec",
    "qtasks_add_triggers",
    "qtasks_command_options",
    "qtasks_commands",
    "qtasks_health_checks",
    "qtasks_make_broker",
    "qtasks_make_storage",
    "qtasks_max_attempts",
    "qtasks_task_options",
    "qtasks_value_converter",
]

hookspec = pluggy.HookspecMarker("qtasks")
hookimpl = pluggy.HookimplMarker("qtasks")


@hookspec(firstresult=True)
def qtasks_make_broker(scheme: str, url: str) -> BaseBroker | None:
    """Makes the broker of a URL, or returns None to leave it to the next.

    Args:
        scheme: the part before ``://``, lower case.
        url: the whole URL.
    """


@hookspec(firstresult=True)
def qtasks_make_storage(scheme: str, url: str) -> BaseStorage | None:
    """Makes the storage of a URL, or returns None to leave it to the next.

    Args:
        scheme: the part before ``://``, lower case.
        url: the whole URL.
    """


@hookspec
def qtasks_task_options() -> Mapping[str, Callable[[Any], object]] | None:
    """Declares keywords of ``@app.task`` that belong to the plugin.

    They are kept in ``extra`` of the task's definition, where the plugin finds them.

    Returns:
        For each keyword a function that takes its value, and raises ``ValueError`` or
        ``TypeError`` with what is allowed; what it returns is not used.
    """


@hookspec(firstresult=True)
def qtasks_value_converter(annotation: Any) -> Callable[[Any], Any] | None:
    """Knows what to do with values of a type that QTasks does not know.

    Asked once for each annotation of a task's parameters and result that is no plain type, when
    the first call needs it.

    Args:
        annotation: the annotation, resolved; also a type that stands somewhere within one.

    Returns:
        A function that takes a value, or the plain data that is left of it on its way, and
        returns the value; it raises ``ValueError`` or ``TypeError`` with what is wrong. It is
        used to check arguments before they are queued, and to make them anew where the task
        runs. If it has an attribute ``fields``, a mapping of keywords to the names of fields,
        a call may give these one by one, and the function gets them as a dict.
    """


@hookspec(firstresult=True)
def qtasks_max_attempts(task: TaskDefinition) -> int | None:
    """Says how many attempts a retry policy allows; asked when a task is declared.

    Only tasks that have a keyword of :func:`qtasks_task_options` are asked about.

    Args:
        task: the task, with all its options.

    Returns:
        A whole number from 1 up, which becomes ``max_attempts`` of the task; None leaves it to
        the next plugin.

    Raises:
        ValueError: the options of the task contradict each other; the task is refused with it.
        TypeError: likewise.
    """


@hookspec
def qtasks_health_checks(app: Any) -> Iterable[Finding] | None:
    """Looks at what the plugin depends on, for ``qtasks doctor`` and ``qtasks plugins doctor``.

    It only reads, and takes a second at most.

    Args:
        app: the app.

    Returns:
        What was found, also if all is well.
    """


@hookspec
def qtasks_commands(group: Any) -> None:
    """Adds commands to the command line.

    Args:
        group: a ``typer.Typer`` whose commands and groups stand beside those of QTasks; names of
            those are taken. A command that has a parameter ``ctx: typer.Context`` finds the app
            of ``-A`` in ``ctx.obj.app``.
    """


@hookspec
def qtasks_command_options() -> Iterable[CommandOption] | None:
    """Adds options to commands of QTasks; each gives one of the plugin's own options.

    Returns:
        The options.
    """


@hookspec
def qtasks_add_triggers() -> ModuleType | Iterable[ModuleType] | None:
    """Declares triggers that the plugin fires, so that others can listen to them.

    Returns:
        The module that declares them, or several.
    """
