"""What plugin authors import."""

from qtasks.contracts.hookspecs import hookimpl
from qtasks.contracts.on import on
from qtasks.contracts.plugin import PLUGIN_API_VERSION, BasePlugin, Plugin
from qtasks.contracts.triggers.literal import TriggerName

__all__ = ["PLUGIN_API_VERSION", "BasePlugin", "Plugin", "TriggerName", "hookimpl", "on"]


def __dir__() -> list[str]:
    return __all__
