"""A plugin for a plugin API of another age; it must not be made."""

from __future__ import annotations

from qtasks.plugins import Plugin


class Later(Plugin):
    plugin_api = "9.0"

    def __init__(self) -> None:
        msg = "this was made although it does not fit"
        raise SystemExit(msg)
