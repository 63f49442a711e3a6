from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.redis import RedisBroker, RedisStorage
from qtasks.contracts.clock import SystemClock
from qtasks.testing.conformance import BrokerConformance, StorageConformance

if TYPE_CHECKING:
    from qtasks.typing import Clock


class TestRedisBroker(BrokerConformance):
    """On every server, with the suite's clock: nothing waits in earnest."""

    @pytest.fixture
    def broker(self, clock: Clock, redis_url: str) -> RedisBroker:
        return RedisBroker(redis_url, clock=clock)


class TestRedisStorage(StorageConformance):
    @pytest.fixture
    def storage(self, clock: Clock, redis_url: str) -> RedisStorage:
        return RedisStorage(redis_url, clock=clock)


class TestRedisBrokerByItsOwnClock(BrokerConformance):
    """By the server's time, as in production."""

    TIME_SCALE = 0.005

    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()

    @pytest.fixture
    def broker(self, valkey: str) -> RedisBroker:
        return RedisBroker(valkey)
