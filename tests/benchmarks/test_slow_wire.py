"""The slow wire of the benchmarks delays each request, keeps their order, and piles up none."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.slow_wire import SlowWire

if TYPE_CHECKING:
    from collections.abc import Iterator

DELAY = 0.05  # seconds


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data)


@contextmanager
def wired() -> Iterator[socket.socket]:
    """Connects to a server that echoes, through a slow wire."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        port = server.server_address[1]
        with SlowWire(f"redis://127.0.0.1:{port}/0", DELAY) as wire:
            near = "127.0.0.1", urlsplit(wire.url).port or 0
            with socket.create_connection(near, timeout=30) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                yield client
        server.shutdown()
        thread.join()


def received(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += client.recv(size - len(found))
    return found


def test_a_request_arrives_later() -> None:
    with wired() as client:
        began = time.monotonic()
        client.sendall(b"ping")

        assert received(client, 4) == b"ping"
        assert time.monotonic() - began >= DELAY


def test_requests_keep_their_order() -> None:
    sent = [f"{number:04}".encode() for number in range(500)]

    with wired() as client:
        for one in sent:
            client.sendall(one)

        assert received(client, 2000) == b"".join(sent)


def test_the_url_leads_to_the_same_database_with_the_same_password() -> None:
    with SlowWire("redis://:secret@127.0.0.1:6379/3", DELAY) as wire:
        assert wire.url.startswith("redis://:secret@127.0.0.1:")
        assert wire.url.endswith("/3")
        assert urlsplit(wire.url).port != 6379
