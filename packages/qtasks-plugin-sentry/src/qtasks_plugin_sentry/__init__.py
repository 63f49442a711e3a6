"""Sentry for QTasks: errors, traces and check-ins of tasks."""

from qtasks_plugin_sentry._version import __version__
from qtasks_plugin_sentry.options import Options
from qtasks_plugin_sentry.plugin import SentryPlugin
from qtasks_plugin_sentry.quieting import prepare_sdk

__all__ = ["Options", "SentryPlugin", "__version__"]

prepare_sdk()  # here, so that it holds even if the plugin is refused when it is made
