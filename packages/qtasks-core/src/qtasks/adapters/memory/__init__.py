"""Broker and storage in the memory of this process: for tests and short-lived scripts."""

from __future__ import annotations

from qtasks.adapters.memory.broker import MemoryBroker
from qtasks.adapters.memory.storage import MemoryStorage

__all__ = ["MemoryBroker", "MemoryStorage"]
