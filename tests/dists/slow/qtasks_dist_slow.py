"""A plugin that never has started."""

from __future__ import annotations

import asyncio

from qtasks.plugins import Plugin


class Slow(Plugin):
    plugin_api = "1.0"

    async def start(self) -> None:
        await asyncio.Event().wait()
