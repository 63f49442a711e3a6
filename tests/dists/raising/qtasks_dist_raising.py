"""A plugin that raises whatever it is asked."""

from __future__ import annotations

from typing import Any

from qtasks.plugins import BasePlugin


class Raising(BasePlugin):
    plugin_api = "1.0"

    def start(self, *args: Any, **kwargs: Any) -> Any:
        msg = "no start today"
        raise OSError(msg)

    def stop(self, *args: Any, **kwargs: Any) -> Any:
        msg = "no stop today"
        raise OSError(msg)

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        msg = f"no {name} today"
        raise OSError(msg)
