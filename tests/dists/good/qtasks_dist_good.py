"""A plugin as it should be."""

from __future__ import annotations

from qtasks.plugins import Plugin, on


class Good(Plugin):
    plugin_api = "1.0"

    @on("task_executor_run_task")
    def praise(self, result: object) -> object:
        return {"result": f"{result}, and well done"}
