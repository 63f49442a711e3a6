"""The HTTP server: who gets which answer, and what is said when it cannot serve."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from qtasks_plugin_metrics import Options
from qtasks_plugin_metrics.book import Book
from qtasks_plugin_metrics.ledger import Ledger
from qtasks_plugin_metrics.serving import MetricsServer, ServingError
from qtasks_plugin_metrics.writing import of_book, of_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OPEN = "application/openmetrics-text; version=1.0.0"


class Served:
    """A server over a small book.

    Attributes:
        server: the server.
        troubles: what its probes say.
    """

    def __init__(self, **settings: Any) -> None:
        self.book = Book(5000)
        ledger = Ledger()
        self.book.open(ledger)
        ledger.counter("retries", "default", 'a "quoted"\\\n name').inc(3)
        duration = ledger.histogram("task_duration_seconds", "default", "add", "success")
        for seconds in (0.001, 0.3, 7200.0):
            duration.observe(seconds)
        duration.observe(0.3, "0af7651916cd43dd8448eb211c80319c")
        self.book.read(lambda: [("tasks_in_progress", ("default",), 2.0)])
        self.troubles = {"alive": "", "ready": ""}
        options = Options(port=0, **settings)
        self.server = MetricsServer(
            options,
            of_book(self.book),
            lambda: self.troubles["alive"],
            lambda: self.troubles["ready"],
        )
        self.server.start()

    def get(
        self, path: str = "/metrics", context: ssl.SSLContext | None = None, **headers: str
    ) -> tuple[int, bytes, Any]:
        """Returns status, body and headers of an answer."""
        url = self.server.url.removesuffix("/metrics") + path
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, headers=named)
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Starts servers, and stops them."""
    made: list[Served] = []

    def start(**settings: Any) -> Served:
        made.append(Served(**settings))
        return made[-1]

    yield start
    for served in made:
        served.server.stop()


def samples(families: Any) -> list[tuple[str, tuple[tuple[str, str], ...], float]]:
    """Returns all samples in a form that can be compared."""
    found = [sample for family in families for sample in family.samples]
    return sorted((one.name, tuple(sorted(one.labels.items())), one.value) for one in found)


def test_the_text_is_what_the_client_library_would_write(serve: Callable[..., Served]) -> None:
    served = serve()
    status, body, headers = served.get()
    registry = CollectorRegistry()
    registry.register(served.book)

    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert samples(parse(body.decode())) == samples(registry.collect())
    theirs, _ = of_registry(registry)("")
    mine, others = (
        [line for line in text.decode().splitlines() if line[0] == "#"] for text in (body, theirs)
    )
    assert mine == others


def test_openmetrics_is_written_for_who_wants_it_with_exemplars(
    serve: Callable[..., Served],
) -> None:
    served = serve()
    _, body, headers = served.get(Accept=OPEN)

    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = list(parse_open(body.decode()))  # type: ignore[no-untyped-call]  # it has no types
    registry = CollectorRegistry()
    registry.register(served.book)
    assert samples(families) == samples(registry.collect())
    exemplars = [one.exemplar for family in families for one in family.samples if one.exemplar]
    assert [one.labels["trace_id"] for one in exemplars] == ["0af7651916cd43dd8448eb211c80319c"]
    assert b"trace_id" not in served.get()[1]


def test_long_answers_are_compressed_for_who_can_read_that(serve: Callable[..., Served]) -> None:
    served = serve()
    _, body, headers = served.get(Accept_Encoding="gzip")

    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == served.get()[1]


def test_probes_answer_beside_the_metrics(serve: Callable[..., Served]) -> None:
    served = serve(token="secret")
    assert served.get("/healthz")[:2] == (200, b"ok\n")
    assert served.get("/readyz")[:2] == (200, b"ok\n")

    served.troubles = {"alive": "the loop is stuck", "ready": "no broker"}

    assert served.get("/healthz")[:2] == (503, b"the loop is stuck\n")
    assert served.get("/readyz")[:2] == (503, b"no broker\n")


def test_other_paths_are_not_there(serve: Callable[..., Served]) -> None:
    status, body, _ = serve().get("/elsewhere")
    assert status == 404
    assert b"/metrics" in body


def test_metrics_are_for_who_knows_the_token(serve: Callable[..., Served]) -> None:
    served = serve(token="s3cret")

    assert served.get()[0] == 401
    assert served.get(Authorization="Bearer wrong")[0] == 401
    assert served.get(Authorization="Basic s3cret")[0] == 401
    status, body, headers = served.get(Authorization="Bearer s3cret")
    assert (status, headers["WWW-Authenticate"]) == (200, None)
    assert b"qtasks_retries_total" in body


def test_answers_are_encrypted_if_there_is_a_certificate(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    made.private_key_pem.write_to_path(key)
    chain.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    served = serve(certificate=str(chain), key=str(key))

    assert served.server.url.startswith("https://")
    assert served.get(context=context)[0] == 200


def test_a_key_with_a_pass_phrase_is_refused_and_asks_nobody(tmp_path: Path) -> None:
    made = trustme.CA().issue_cert("127.0.0.1")
    key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    chain, apart = b"".join(blob.bytes() for blob in made.cert_chain_pems), tmp_path / "key.pem"
    together, alone = tmp_path / "both.pem", tmp_path / "chain.pem"
    apart.write_bytes(locked)
    alone.write_bytes(chain)
    together.write_bytes(locked + chain)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"certificate": str(alone), "key": str(apart)}, "key='.*key.pem'"),
        ({"certificate": str(together)}, "certificate='.*both.pem'"),
    ]
    for files, named in cases:
        with pytest.raises(ServingError, match=f"{named}: the key asks for a pass phrase"):
            MetricsServer(Options(port=0, **files), lambda _: (b"", ""), str, str)


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "X" * 40])
def test_who_does_more_than_ask_is_told_what_is_allowed(
    serve: Callable[..., Served], method: str
) -> None:
    served = serve(token="s3cret")
    answered = http.client.HTTPConnection("127.0.0.1", served.server.port, timeout=20)
    answered.request(method, "/metrics", body=b"x" * 100)
    answer = answered.getresponse()

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.read() == b"Use GET or HEAD.\n"
    answered.close()


@pytest.mark.parametrize(
    ("request_", "status", "line"),
    [
        (b"nonsense\r\n\r\n", b"400", b"Bad Request.\n"),
        (b"GET /metrics HTTP/9.0\r\n\r\n", b"505", b"HTTP Version Not Supported.\n"),
        (b"GET /metrics HTTP/1.0\r\nX: " + b"x" * 70_000, b"431", b"Fields Too Large.\n"),
        (b"GET /" + b"x" * 70_000, b"414", b"Too Long.\n"),
    ],
)
def test_what_is_no_request_is_one_line(
    serve: Callable[..., Served], request_: bytes, status: bytes, line: bytes
) -> None:
    served = serve()
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=20) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65536):
            answer += more

    assert answer.split(b" ")[1] == status
    assert answer.endswith(line)
    assert b"html" not in answer
    assert served.get()[0] == 200


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, identity", False),
        ("identity", False),
        ("", False),
    ],
)
def test_who_does_not_want_it_compressed_gets_it_plain(
    serve: Callable[..., Served], accepted: str, compressed: bool
) -> None:
    _, body, headers = serve().get(Accept_Encoding=accepted)
    assert (headers["Content-Encoding"] == "gzip") is compressed
    assert body.startswith(b"\x1f\x8b") is compressed


def test_who_dawdles_is_cut_off(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=20) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\nX: ")
        assert served.get()[0] == 200
        monkeypatch.setattr("qtasks_plugin_metrics.serving._WHOLE_PATIENCE", 0.0)
        assert connection.recv(100) == b""


def test_those_who_are_too_many_are_sent_away_and_others_come_back(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    monkeypatch.setattr("qtasks_plugin_metrics.serving._MOST", 3)
    address = ("127.0.0.1", served.server.port)
    several = [socket.create_connection(address, timeout=20) for _ in range(5)]
    for one in several[3:]:
        assert one.recv(100) == b""
    for one in several:
        one.close()
    answers: list[int] = []
    deadline = time.monotonic() + 60
    while 200 not in answers:  # as soon as it has noticed that they are gone
        assert time.monotonic() < deadline
        with contextlib.suppress(OSError, http.client.HTTPException):
            answers.append(served.get()[0])


def test_a_client_that_says_nothing_keeps_nobody(serve: Callable[..., Served]) -> None:
    served = serve()
    with socket.create_connection(("127.0.0.1", served.server.port)):
        assert served.get()[0] == 200


def test_a_taken_port_is_told_with_what_to_do(serve: Callable[..., Served]) -> None:
    port = serve().server.port
    text = rf"127\.0\.0\.1:{port}: the port is in use: give another one, or 0"
    with pytest.raises(ServingError, match=text):
        MetricsServer(Options(port=port), lambda _: (b"", ""), str, str)


def test_an_address_that_is_not_here_is_told(serve: Callable[..., Served]) -> None:
    with pytest.raises(ServingError, match=r"192\.0\.2\.1:0: this machine has no such address"):
        MetricsServer(Options(port=0, host="192.0.2.1"), lambda _: (b"", ""), str, str)


def test_a_file_that_is_no_certificate_is_told(tmp_path: Path) -> None:
    path = tmp_path / "no.pem"
    path.write_text(json.dumps({}))
    with pytest.raises(ServingError, match=r"no\.pem.*give a PEM file"):
        MetricsServer(Options(port=0, certificate=str(path)), lambda _: (b"", ""), str, str)


def test_metrics_that_cannot_be_written_are_an_error_of_the_server(
    caplog: pytest.LogCaptureFixture, serve: Callable[..., Served]
) -> None:
    served = serve()
    served.book.read(lambda: 1 / 0)  # type: ignore[arg-type,return-value]  # it fails before

    assert served.get()[0] == 500
    assert "The metrics could not be written" in caplog.messages
