"""Fixtures for every test that needs Redis or Valkey.

The line "servers" in pytest's header says what was found.
What must be there and is not fails the tests that need it; nothing is skipped.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import redis

from servers.certificates import Certificates
from servers.cluster import Cluster
from servers.process import Server
from servers.programs import Program, describe, explain_missing, find_programs, tested_names
from servers.proxy import Proxy
from servers.sentinel import Sentinels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: The URL of a server that runs already, instead of those that the fixtures start.
#: Its keys that begin with ``qtasks:`` are removed before every test.
ELSEWHERE = "QTASKS_TEST_REDIS_URL"

VALKEY = "valkey-9"

T = TypeVar("T", Server, Cluster, Sentinels)


def pytest_report_header() -> list[str]:
    return describe()


@pytest.fixture(scope="session")
def _shared_servers() -> Iterator[dict[str, Server]]:
    """The servers that tests share, by name."""
    servers: dict[str, Server] = {}
    yield servers
    for server in servers.values():
        server.close()


@pytest.fixture(params=[ELSEWHERE] if os.environ.get(ELSEWHERE) else tested_names())
def redis_url(request: pytest.FixtureRequest, _shared_servers: dict[str, Server]) -> str:
    """The URL of an empty server; the test runs once for every server that can be had."""
    return _empty(request.param, _shared_servers)


@pytest.fixture
def valkey(_shared_servers: dict[str, Server]) -> str:
    """The URL of an empty Valkey."""
    return _empty(ELSEWHERE if os.environ.get(ELSEWHERE) else VALKEY, _shared_servers)


@pytest.fixture(params=tested_names())
def redis_program(request: pytest.FixtureRequest) -> Program:
    """A server's program; the test runs once for every server that can be had."""
    return need(request.param)


@pytest.fixture
def make_server() -> Iterator[Callable[..., Server]]:
    """Starts servers for one test: ``make_server(program, **settings)``, by default a Valkey."""
    yield from _make(Server)


@pytest.fixture
def make_cluster() -> Iterator[Callable[..., Cluster]]:
    """Starts clusters for one test: ``make_cluster(program, **settings)``, by default of Valkey."""
    yield from _make(Cluster)


@pytest.fixture
def make_sentinels() -> Iterator[Callable[..., Sentinels]]:
    """Starts watched pairs: ``make_sentinels(program, count=3)``, by default of Valkey."""
    yield from _make(Sentinels)


@pytest.fixture
def make_proxy() -> Iterator[Callable[..., Proxy]]:
    """Puts proxies before servers: ``make_proxy(server, tls=certificates.server)``."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Proxy(*args, **options))


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """An authority of its own for the test."""
    return Certificates(tmp_path)


def need(name: str) -> Program:
    """Returns a program, or fails the test that needs it."""
    program = find_programs().get(name)
    if program is None:
        pytest.fail(explain_missing(name), pytrace=False)
    return program


def _make(kind: Callable[..., T]) -> Iterator[Callable[..., T]]:
    """Yields what starts servers, and ends those that it started."""
    made: list[T] = []

    def make(program: Program | str = VALKEY, **settings: Any) -> T:
        made.append(kind(need(program) if isinstance(program, str) else program, **settings))
        made[-1].start()
        return made[-1]

    yield make
    for servers in made:
        servers.close()


def _empty(name: str, servers: dict[str, Server]) -> str:
    """Returns the URL of a shared server after removing what earlier tests left in it."""
    if name == ELSEWHERE:
        url = os.environ[ELSEWHERE]
        _remove_ours(url)
        return url
    if name not in servers:
        server = Server(need(name))
        server.start()
        servers[name] = server
    servers[name].execute("FLUSHALL")
    return servers[name].url


def _remove_ours(url: str) -> None:
    """Removes our keys from a server that may hold others."""
    client = redis.Redis.from_url(url)
    try:
        keys = [*client.scan_iter("qtasks:*", count=1000)]
        for key in keys:
            client.delete(key)
    except redis.RedisError as error:
        pytest.fail(f"{ELSEWHERE} leads to no server that can be used: {error}", pytrace=False)
    finally:
        client.close()
