"""Listeners for ``emit.py``: they take two of five arguments, and do nothing with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NAME", "Predecessor", "of_pluggy", "ours"]

#: The trigger that they listen to.
NAME = "worker_outcome"


def ours(count: int, *, coloured: bool, spelled: bool) -> Any:
    """Returns the compiled table of ``count`` plugins."""
    from qtasks._triggers.registry import TriggerRegistry
    from qtasks.plugins import BasePlugin, Plugin, on

    class Marked(Plugin):
        @on(NAME)
        def hear(self, task_broker: Any, outcome: Any) -> None:
            """Does nothing."""

    class AsyncMarked(Plugin):
        @on(NAME)
        async def hear(self, task_broker: Any, outcome: Any) -> None:
            """Does nothing."""

    class Seed(BasePlugin):
        def start(self, *args: Any, **kwargs: Any) -> None: ...

        def stop(self, *args: Any, **kwargs: Any) -> None: ...

        def trigger(self, name: str, *args: Any, **kwargs: Any) -> None: ...

    class AsyncSeed(Seed):
        async def trigger(  # type: ignore[override]  # a plugin may be of either colour
            self, name: str, *args: Any, **kwargs: Any
        ) -> None: ...

    registry = TriggerRegistry()
    kind: Any = ((Seed, AsyncSeed), (Marked, AsyncMarked))[spelled][coloured]
    for number in range(count):
        registry.add(kind(f"p{number}"), trigger_names=[NAME])
    return registry.table


def of_pluggy(count: int, *, coloured: bool) -> Any:
    """Returns the hook of ``count`` plugins."""
    manager = pluggy.PluginManager("bench")
    spec, impl = pluggy.HookspecMarker("bench"), pluggy.HookimplMarker("bench")

    class Specs:
        @spec
        def worker_outcome(
            self, worker: Any, task_broker: Any, outcome: Any, final: Any, fenced: Any
        ) -> None:
            """Declares the hook."""

    class Listener:
        @impl
        def worker_outcome(self, task_broker: Any, outcome: Any) -> None:
            """Does nothing."""

    class AsyncListener:
        @impl
        async def worker_outcome(self, task_broker: Any, outcome: Any) -> None:
            """Does nothing."""

    manager.add_hookspecs(Specs)
    for _ in range(count):
        manager.register(AsyncListener() if coloured else Listener())
    return manager.hook.worker_outcome


class Predecessor:
    """A dispatcher of the predecessor's shape: named plugins, then global ones, asked by name."""

    def __init__(self, count: int) -> None:
        self.plugins: dict[str, list[Any]] = {}
        self.plugins[NAME] = [self.Listener() for _ in range(count)]

    class Listener:
        name = "p"

        def __init__(self) -> None:
            self.handlers: dict[str, Callable[..., Any]] = {NAME: self.hear}

        async def trigger(self, name: str, **kwargs: Any) -> Any:
            handler = self.handlers.get(name)
            return handler(**kwargs) if handler else None

        def hear(self, **kwargs: Any) -> None:
            """Does nothing."""

    async def trigger(self, name: str, **kwargs: Any) -> list[Any]:
        results = []
        for plugin in self.plugins.get(name, []) + self.plugins.get("Globals", []):
            given = kwargs.copy()
            try:
                result = await plugin.trigger(name=name, **given)
            except Exception:  # noqa: BLE001 - as it was: the rest is not asked
                break
            if result is not None:
                results.append(result)
        return results
