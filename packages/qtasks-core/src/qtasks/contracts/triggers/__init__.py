"""Every trigger of QTasks, declared once: one function per trigger, grouped by component.

``CATALOGUE`` is made from them, and everything else is made from ``CATALOGUE``: registration
checks, the compiled tables, the command line, the reference page and the tests.
"""

from qtasks.contracts.triggers import app, broker, executor, life, settings, storage, worker
from qtasks.contracts.triggers.literal import TriggerName
from qtasks.contracts.triggers.spec import Check, Kind, Role, TriggerSpec, collect

__all__ = ["CATALOGUE", "COMPONENTS", "Check", "Kind", "Role", "TriggerName", "TriggerSpec"]

#: All triggers by name.
CATALOGUE: dict[str, TriggerSpec] = collect(app, broker, storage, settings, life, worker, executor)

#: Which trigger components ``add_plugin(component=...)`` stands for.
COMPONENTS: dict[str, tuple[str, ...]] = {
    "qtasks": ("qtasks",),
    "worker": ("worker", "task_executor"),
    "task_executor": ("task_executor",),
    "broker": ("broker",),
    "storage": ("storage",),
    "global_config": ("global_config",),
    "starter": ("starter",),
    "stats": ("stats",),
    "plugin": ("plugin",),
}
