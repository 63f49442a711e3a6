"""A plugin that listens to a trigger that does not exist."""

from __future__ import annotations

from qtasks.plugins import Plugin, on


class Misspelt(Plugin):
    plugin_api = "1.0"

    @on("worker_strat")
    def greet(self) -> None: ...
