"""The embedded queue: broker and storage in one SQLite file on this machine."""

from __future__ import annotations

from qtasks.adapters.sqlite.broker import SqliteBroker
from qtasks.adapters.sqlite.storage import SqliteStorage

__all__ = ["SqliteBroker", "SqliteStorage"]
