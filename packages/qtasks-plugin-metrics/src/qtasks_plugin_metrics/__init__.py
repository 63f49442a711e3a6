"""Prometheus metrics for QTasks.

Names are imported when they are used: :mod:`qtasks_plugin_metrics.multiproc` has something to say
before ``prometheus_client`` is there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from qtasks_plugin_metrics._version import __version__

if TYPE_CHECKING:
    from qtasks_plugin_metrics import multiproc
    from qtasks_plugin_metrics.options import Options
    from qtasks_plugin_metrics.plugin import MetricsPlugin

__all__ = ["MetricsPlugin", "Options", "__version__", "multiproc"]

_HOME: Final = {"MetricsPlugin": "plugin", "Options": "options"}


def __getattr__(name: str) -> Any:
    if name == "multiproc":
        return import_module(f"{__name__}.multiproc")
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
