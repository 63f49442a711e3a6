"""What plugin authors import."""

from qtasks.contracts.hookspecs import hookimpl
from qtasks.contracts.on import on
from qtasks.contracts.plugin import PLUGIN_API_VERSION, BasePlugin, Plugin
from qtasks.contracts.triggers.literal import TriggerName
from qtasks.contracts.triggers.spec import Kind
from qtasks.contracts.triggers.spec import trigger as trigger_spec

__all__ = [
    "PLUGIN_API_VERSION",
    "BasePlugin",
    "Kind",
    "Plugin",
    "TriggerName",
    "hookimpl",
    "on",
    "trigger_spec",
]


def __dir__() -> list[str]:
    return __all__
