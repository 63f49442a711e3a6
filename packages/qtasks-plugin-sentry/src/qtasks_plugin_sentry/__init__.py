"""Sentry for QTasks: errors, traces and check-ins of tasks."""

from qtasks_plugin_sentry._version import __version__
from qtasks_plugin_sentry.options import Options
from qtasks_plugin_sentry.plugin import SentryPlugin

__all__ = ["Options", "SentryPlugin", "__version__"]
