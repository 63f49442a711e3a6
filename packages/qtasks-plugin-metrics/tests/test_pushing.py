"""The push gateway, for workers that end before they are scraped."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from qtasks.testing import make_app, run_task
from qtasks_plugin_metrics import MetricsPlugin, Options
from qtasks_plugin_metrics.pushing import push

if TYPE_CHECKING:
    from collections.abc import Iterator


class Gateway:
    """Takes what is pushed.

    Attributes:
        pushed: method, path and body of each push.
    """

    def __init__(self) -> None:
        self.pushed: list[tuple[str, str, str]] = []
        pushed = self.pushed

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                pushed.append((self.command, self.path, body.decode()))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        """Ends it."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A push gateway."""
    made = Gateway()
    yield made
    made.close()


def test_a_worker_that_ends_pushes_what_it_has_counted(gateway: Gateway) -> None:
    options = Options(push_gateway=gateway.address, push_job="nightly")
    app = make_app("sync", plugins=[MetricsPlugin(options=options)])
    app.task(name="add")(lambda: None)
    run_task(app, "add")

    ((method, path, body),) = gateway.pushed
    assert (method, path.split("/")[:5]) == ("POST", ["", "metrics", "job", "nightly", "instance"])
    line = 'qtasks_attempts_total{outcome="success",queue="default",task="add"} 1.0'
    assert line in body


def test_a_gateway_that_is_away_fails_no_run(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.server.server_close()
    app = make_app("sync", plugins=[MetricsPlugin(options=Options(push_gateway=gateway.address))])
    app.task(name="add")(lambda: None)

    assert run_task(app, "add").status == "success"
    assert any("The metrics were not pushed" in text for text in caplog.messages)


def test_a_gateway_that_never_ends_its_answer_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        push(Options(push_gateway=address), CollectorRegistry(), patience=0.01)
        assert "The metrics were not pushed to push_gateway: no answer in 0.01 s" in caplog.messages
    for thread in threading.enumerate():
        if thread.name == "qtasks-metrics-push":
            thread.join(60)
