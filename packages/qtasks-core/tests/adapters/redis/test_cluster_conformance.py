"""The contract on a cluster, where each queue is in a slot of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.redis import RedisBroker, RedisStorage
from qtasks.testing.conformance import BrokerConformance, StorageConformance

if TYPE_CHECKING:
    from servers.cluster import Cluster

    from qtasks.contracts.broker import BaseBroker
    from qtasks.typing import Clock


class TestRedisCluster(BrokerConformance):
    @pytest.fixture
    def broker(self, clock: Clock, any_cluster: Cluster) -> RedisBroker:
        return RedisBroker(any_cluster.urls[0], clock=clock)

    @pytest.mark.xfail(reason="a cluster knows ids within a queue: each queue is in another slot")
    async def test_a_known_id_changes_nothing(self, broker: BaseBroker) -> None:
        await super().test_a_known_id_changes_nothing(broker)


class TestRedisClusterStorage(StorageConformance):
    @pytest.fixture
    def storage(self, clock: Clock, any_cluster: Cluster) -> RedisStorage:
        return RedisStorage(any_cluster.urls[0], clock=clock)
