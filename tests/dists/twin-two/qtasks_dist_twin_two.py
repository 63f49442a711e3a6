"""One of two plugins of the same name."""

from __future__ import annotations

from qtasks.plugins import Plugin


class Twin(Plugin):
    plugin_api = "1.0"
