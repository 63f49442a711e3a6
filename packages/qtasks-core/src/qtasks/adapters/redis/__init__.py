"""Redis and Valkey: queues and records on one server, or on a cluster."""

from __future__ import annotations

from qtasks.adapters.redis.broker import RedisBroker
from qtasks.adapters.redis.storage import RedisStorage

__all__ = ["RedisBroker", "RedisStorage"]
