"""Annotations of tasks that nothing is checked with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.schemas import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qtasks.schemas import TaskDefinition

__all__ = ["typing_gaps"]


def typing_gaps(tasks: Iterable[TaskDefinition]) -> list[Finding]:
    """Lists the parameters whose annotations are left alone.

    Args:
        tasks: the tasks of the app.

    Returns:
        A warning for annotations that name what is not there, and a word about those that say
        nothing about data; nothing where all is well.
    """
    checked = [(task, task.types) for task in tasks if task.types is not None and task.validate]
    lost = {task.name: types.unresolved for task, types in checked if types.unresolved}
    unsaid = {task.name: types.unchecked for task, types in checked if types.unchecked}
    found = []
    if lost:
        found.append(
            Finding(
                "warning",
                "annotations",
                f"These cannot be resolved, so their values are not checked: {_listed(lost)}.",
                "Import the name where the module can see it, not only under TYPE_CHECKING; or"
                " declare the task with validate=False.",
            )
        )
    if unsaid:
        found.append(
            Finding(
                "ok",
                "annotations",
                f"Nothing is checked with these: {_listed(unsaid)}.",
                "A plugin can say what such values are made of: qtasks_value_converter.",
            )
        )
    return found


def _listed(found: Mapping[str, Mapping[str, str]]) -> str:
    return "; ".join(
        f"{parameter} of {task} ({why.rstrip('.')})"
        for task, reasons in found.items()
        for parameter, why in reasons.items()
    )
