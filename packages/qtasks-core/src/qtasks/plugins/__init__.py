"""What plugin authors import."""

from qtasks.contracts.hookspecs import hookimpl
from qtasks.contracts.plugin import PLUGIN_API_VERSION, BasePlugin

__all__ = ["PLUGIN_API_VERSION", "BasePlugin", "hookimpl"]


def __dir__() -> list[str]:
    return __all__
