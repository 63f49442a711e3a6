"""The proxy counts what passes and cuts where it is told to."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from servers import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Server
    from servers.certificates import Certificates

#: Seconds within which a reply comes that nothing holds back.
LONG = 60.0
#: Seconds after which a client gives up that waits for nothing.
SHORT = 0.05


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    return make_server()


@pytest.fixture
def proxy(server: Server, make_proxy: Callable[..., Proxy]) -> Proxy:
    return make_proxy(server)


@contextlib.contextmanager
def connect(proxy: Proxy, timeout: float = LONG, **options: str) -> Iterator[redis.Redis]:
    """Connects through a proxy and repeats nothing."""
    client = redis.Redis.from_url(
        proxy.url,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout,
        **options,
    )
    with client:
        yield client


def test_a_request_and_its_reply_are_one_round_trip(proxy: Proxy) -> None:
    with connect(proxy) as client:
        client.ping()
        proxy.reset()

        for _ in range(5):
            client.ping()

    counted = proxy.reset()
    assert (counted.round_trips, counted.connections) == (5, 0)
    assert counted.sent == 5 * len(b"*1\r\n$4\r\nPING\r\n")
    assert counted.received == 5 * len(b"+PONG\r\n")


def test_a_pipeline_is_one_round_trip(proxy: Proxy) -> None:
    with connect(proxy) as client:
        client.ping()
        proxy.reset()

        with client.pipeline(transaction=False) as pipe:
            for number in range(50):
                pipe.set(f"key-{number}", number)
            pipe.execute()

    assert proxy.reset().round_trips == 1


def test_a_large_request_is_one_round_trip(proxy: Proxy) -> None:
    with connect(proxy) as client:
        client.ping()
        proxy.reset()

        client.set("key", "x" * 3_000_000)

    counted = proxy.reset()
    assert counted.round_trips == 1
    assert counted.sent > 3_000_000


def test_a_lost_request_is_not_applied(proxy: Proxy, server: Server) -> None:
    with connect(proxy) as client:
        proxy.lose_request(b"INCR")
        client.ping()

        with pytest.raises(redis.ConnectionError):
            client.incr("key")

        assert server.execute("GET", "key") is None
        assert client.incr("key") == 1
    assert proxy.cuts == 1


def test_a_request_whose_reply_is_lost_is_applied(proxy: Proxy, server: Server) -> None:
    with connect(proxy) as client:
        proxy.lose_reply(b"INCR", times=2)
        client.ping()

        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                client.incr("key")

        assert server.execute("GET", "key") == "2"
        assert client.incr("key") == 3
    assert proxy.cuts == 2


def test_cut_connections_are_replaced(proxy: Proxy) -> None:
    with connect(proxy) as client:
        client.ping()
        proxy.reset()

        proxy.cut()

        with contextlib.suppress(redis.ConnectionError):  # the client may notice by itself
            client.ping()
        assert client.ping()
    assert proxy.reset().connections == 1


def test_a_black_hole_answers_nobody_until_it_is_healed(proxy: Proxy) -> None:
    with connect(proxy) as patient, connect(proxy, SHORT) as hasty:
        patient.ping()
        proxy.blackhole()
        with pytest.raises(redis.TimeoutError):
            hasty.ping()

        waiting = threading.Thread(target=patient.set, args=("key", "value"))
        waiting.start()
        proxy.heal()
        waiting.join()

        assert patient.get("key") == "value"


def test_a_delayed_request_arrives_late(proxy: Proxy) -> None:
    with connect(proxy, SHORT) as hasty:
        proxy.delay(LONG)
        with pytest.raises(redis.TimeoutError):
            hasty.ping()

        proxy.heal()

        with connect(proxy) as patient:
            assert patient.ping()


@pytest.mark.parametrize("hurt", [Proxy.strand, lambda proxy: proxy.trickle(0.01)])
def test_a_connection_that_is_half_open_or_slow_leaves_new_ones_alone(
    proxy: Proxy, hurt: Callable[[Proxy], None]
) -> None:
    with connect(proxy) as client, connect(proxy) as other:
        client.ping()
        hurt(proxy)
        with ThreadPoolExecutor() as threads:
            waiting = threads.submit(client.ping)

            assert other.ping()
            assert not waiting.done()

            proxy.cut()
            assert isinstance(waiting.exception(), redis.ConnectionError)


def test_a_slow_connection_carries_everything_in_the_end(proxy: Proxy) -> None:
    with connect(proxy) as client:
        client.set("key", "x" * 1000)
        proxy.trickle(10_000.0)

        assert client.get("key") == "x" * 1000


def test_a_narrow_wire_is_as_slow_for_every_connection(proxy: Proxy) -> None:
    proxy.limit(1.0)
    with connect(proxy, SHORT) as hasty, pytest.raises(redis.TimeoutError):
        hasty.ping()

    proxy.limit(100_000.0)
    with connect(proxy) as client:
        assert client.set("key", "x" * 10_000)

        proxy.heal()
        assert client.get("key") == "x" * 10_000


def test_healing_forgets_faults_that_have_not_happened(proxy: Proxy) -> None:
    proxy.lose_request()
    proxy.heal()

    with connect(proxy) as client:
        assert client.ping()
    assert proxy.cuts == 0


def test_a_server_that_is_away_ends_the_connection(proxy: Proxy, server: Server) -> None:
    server.kill()

    with connect(proxy) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_tls_is_spoken_before_any_server(
    server: Server, make_proxy: Callable[..., Proxy], certificates: Certificates
) -> None:
    proxy = make_proxy(server, tls=certificates.server)

    assert proxy.url.startswith("rediss://")
    with connect(proxy, ssl_ca_certs=str(certificates.ca_file)) as client:
        assert client.ping()
    with connect(proxy) as distrustful, pytest.raises(redis.ConnectionError, match="CERTIFICATE"):
        distrustful.ping()


def test_a_proxy_ends_though_clients_are_connected(server: Server) -> None:
    with contextlib.ExitStack() as clients:
        with Proxy(server) as proxy:
            client = clients.enter_context(connect(proxy))
            client.ping()

        with pytest.raises(redis.ConnectionError):
            client.ping()
