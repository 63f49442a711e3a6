"""What the tests of the adapter share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers.cluster import Cluster
from servers.plugin import VALKEY, need
from servers.programs import tested_names

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _shared_clusters() -> Iterator[dict[str, Cluster]]:
    """The clusters that tests share, by the name of their program."""
    clusters: dict[str, Cluster] = {}
    yield clusters
    for cluster in clusters.values():
        cluster.close()


@pytest.fixture
def valkey_cluster(_shared_clusters: dict[str, Cluster]) -> Cluster:
    """An empty cluster of Valkey, all of whose members are up."""
    return _empty(VALKEY, _shared_clusters)


@pytest.fixture(params=tested_names())
def any_cluster(request: pytest.FixtureRequest, _shared_clusters: dict[str, Cluster]) -> Cluster:
    """An empty cluster; the test runs once for every server that can be had."""
    return _empty(request.param, _shared_clusters)


def _empty(name: str, clusters: dict[str, Cluster]) -> Cluster:
    if name not in clusters:
        clusters[name] = Cluster(need(name))
        clusters[name].start()
    clusters[name].flush()
    return clusters[name]
