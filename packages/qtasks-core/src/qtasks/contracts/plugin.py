"""The plugin: subscribes to triggers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qtasks.schemas import TaskDefinition

__all__ = ["PLUGIN_API_VERSION", "BasePlugin"]

#: Version of the contract between core and plugins. A minor step adds, a major step breaks.
PLUGIN_API_VERSION = "1.0"


class BasePlugin(ABC):
    """The base of a plugin that answers triggers by name.

    The three methods may be ``def`` or ``async def`` in either kind of app::

        class Audit(BasePlugin):
            def start(self, *args, **kwargs): ...
            def stop(self, *args, **kwargs): ...
            def trigger(self, name, **kwargs):
                print(name, sorted(kwargs))

    Args:
        name: its name, unique within an app; by default the class's name.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def applies(self, task: TaskDefinition) -> bool:  # noqa: ARG002 - for subclasses
        """Tells whether the plugin wants the triggers of a task; asked once for each task.

        Args:
            task: the registered task.
        """
        return True

    @abstractmethod
    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Answers a trigger; None means "no answer".

        Args:
            name: the trigger's name.
            *args: not used; accepted so that signatures stay compatible.
            **kwargs: the trigger's arguments, as its page in the reference lists them.
        """

    @abstractmethod
    def start(self, *args: Any, **kwargs: Any) -> Any:
        """Gets ready; called once before the first trigger."""

    @abstractmethod
    def stop(self, *args: Any, **kwargs: Any) -> Any:
        """Puts everything away; called once after the last trigger."""
