"""The settings of an app: what there is, where values come from, and what they may be."""

from qtasks._config.plugins import PluginSettings, read_plugin_settings
from qtasks._config.queue_config import ConfigFields, QueueConfig
from qtasks._config.settings import SETTINGS, Applies, Kind, Setting
from qtasks._config.sources import (
    CODE,
    DEFAULT,
    FILE_VARIABLE,
    TABLE,
    SettingsFile,
    Source,
    find_file,
)
from qtasks._config.values import show

__all__ = [
    "CODE",
    "DEFAULT",
    "FILE_VARIABLE",
    "SETTINGS",
    "TABLE",
    "Applies",
    "ConfigFields",
    "Kind",
    "PluginSettings",
    "QueueConfig",
    "Setting",
    "SettingsFile",
    "Source",
    "find_file",
    "read_plugin_settings",
    "show",
]
