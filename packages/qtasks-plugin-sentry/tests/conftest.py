"""What the tests share: a client that keeps its envelopes, a server that receives them, apps."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import sentry_sdk
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.transport import Transport

import qtasks
import qtasks.asyncio
from qtasks.plugins import Plugin, on
from qtasks.schemas import Verdict
from qtasks_plugin_sentry import SentryPlugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Seconds after which something that should have happened is called a failure.
PATIENCE = 60.0
STATIC = hasattr(sentry_sdk, "start_transaction")
STREAM = not STATIC or "trace_lifecycle" in DEFAULT_OPTIONS
#: How the installed SDK can send traces.
LIFECYCLES = [*(["static"] if STATIC else []), *(["stream"] if STREAM else [])]


class Items:
    """Items of envelopes, and what is looked for in them.

    Attributes:
        raw: the bytes of all envelopes.
    """

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self._lock = threading.Lock()
        self._items: list[tuple[str, Any]] = []

    def take(self, data: bytes) -> None:
        """Takes the bytes of an envelope."""
        lines = data.split(b"\n")
        with self._lock:
            self.raw.append(data)
            for head, body in zip(lines[1::2], lines[2::2], strict=False):
                self._items.append((json.loads(head)["type"], json.loads(body)))

    def of(self, kind: str) -> list[Any]:
        """Returns the items of a type, in order."""
        with self._lock:
            return [body for found, body in self._items if found == kind]

    @property
    def events(self) -> list[Any]:
        """The events."""
        return self.of("event")

    @property
    def check_ins(self) -> list[Any]:
        """The check-ins."""
        return self.of("check_in")

    def spans(self, op: str) -> list[dict[str, Any]]:
        """Returns the spans of an operation, in one form for both ways of sending them."""
        found = [_streamed(span) for batch in self.of("span") for span in batch["items"]]
        for transaction in self.of("transaction"):
            context = transaction["contexts"]["trace"]
            found.append({**context, "name": transaction["transaction"]})
            for span in transaction["spans"]:
                found.append({**span, "name": span["description"]})  # noqa: PERF401 - it is long enough
        return [span for span in found if span["op"] == op]


def _streamed(span: dict[str, Any]) -> dict[str, Any]:
    data = {name: one["value"] for name, one in span["attributes"].items()}
    return {**span, "op": data.get("sentry.op", ""), "data": data}


class Kept(Transport):
    """Keeps envelopes instead of sending them."""

    items: Items

    def capture_envelope(self, envelope: Any) -> None:
        self.items.take(envelope.serialize())

    def flush(self, *_: Any, **__: Any) -> None:
        """Has nothing to wait for."""


class Sentry(Items):
    """The client of the application under test.

    Attributes:
        lifecycle: how it sends traces.
    """

    def __init__(self, lifecycle: str) -> None:
        super().__init__()
        self.lifecycle = lifecycle

    def init(self, **options: Any) -> None:
        """Makes the client, with tracing unless that is said otherwise."""
        transport = type("Keeping", (Kept,), {"items": self})
        options.setdefault("traces_sample_rate", 1.0)
        if self.lifecycle == "stream" and STATIC:
            options["trace_lifecycle"] = "stream"
        sentry_sdk.init(
            dsn="http://key@127.0.0.1:1/1",
            transport=transport,
            auto_enabling_integrations=False,
            **options,
        )

    def flush(self) -> None:
        """Sends what is collected until there is enough of it."""
        sentry_sdk.get_client().flush(timeout=PATIENCE)

    def span(self, name: str) -> Any:
        """Returns a span that is a segment of its own."""
        if self.lifecycle == "stream":
            return sentry_sdk.traces.start_span(name=name, parent_span=None)
        return sentry_sdk.start_transaction(op="test", name=name)


@pytest.fixture(params=LIFECYCLES)
def lifecycle(request: pytest.FixtureRequest) -> str:
    """How traces are sent."""
    value: str = request.param
    return value


@pytest.fixture
def sentry(lifecycle: str) -> Iterator[Sentry]:
    """A client that keeps what it would send."""
    with sentry_sdk.isolation_scope() as scope:
        scope.clear()
        scope.set_new_propagation_context()
        found = Sentry(lifecycle)
        found.init()
        yield found
        sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)


@pytest.fixture
def plain_sentry() -> Iterator[Sentry]:
    """The same, for what does not depend on how traces are sent."""
    with sentry_sdk.isolation_scope() as scope:
        scope.clear()
        scope.set_new_propagation_context()
        found = Sentry(LIFECYCLES[0])
        found.init(traces_sample_rate=None)
        yield found
        sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)


class Again(Plugin):
    """Has every failed task run again at once, up to so many times."""

    def __init__(self, attempts: int) -> None:
        super().__init__(name="again")
        self.attempts = attempts

    @on("worker_task_error_retry")
    def judge(self, attempt: int) -> Verdict | None:
        return Verdict("retry") if attempt < self.attempts else None


class Harness:
    """Drives an app of either colour from plain tests.

    Attributes:
        app: the app.
    """

    def __init__(self, colour: str, url: str, plugins: list[Any]) -> None:
        kind: Any = qtasks.QueueTasks if colour == "sync" else qtasks.asyncio.QueueTasks
        self.app = kind(broker_url=url, plugins=plugins, strict_plugins=True)
        self._runner = asyncio.Runner()

    def do(self, call: Any) -> Any:
        """Returns the value of a call, awaited if the app is asynchronous."""
        if not inspect.isawaitable(call):
            return call

        async def wait() -> Any:
            return await call

        return self._runner.run(wait())

    def add(self, task: Any, *args: Any, **options: Any) -> Any:
        """Adds a call, and returns its handle."""
        bound = task.options(**options) if options else task
        return self.do(bound.add_task(*args))

    def run(self, task: Any, *args: Any, **options: Any) -> Any:
        """Adds a call, works until nothing is left, and returns its handle."""
        handle = self.add(task, *args, **options)
        self.app.run_forever(burst=True)
        return self.do(handle.refresh())

    def close(self) -> None:
        """Closes the app's connections and the loop."""
        self.do(self.app.close())
        self._runner.close()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The broker of the app."""
    if request.param == "redis":
        server: str = request.getfixturevalue("valkey")
        return server
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'q.db'}"


@pytest.fixture
def make_harness() -> Iterator[Callable[..., Harness]]:
    """Makes harnesses, and closes them."""
    made: list[Harness] = []

    def make(
        plugin: SentryPlugin | None = None,
        *,
        colour: str = "sync",
        url: str = "memory://",
        attempts: int = 1,
    ) -> Harness:
        made.append(Harness(colour, url, [plugin or SentryPlugin(), Again(attempts)]))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


class Receiver(Items):
    """A server on the loopback that takes envelopes as Sentry does.

    Attributes:
        dsn: the address for clients.
        hangs: while it is set, requests are taken and not answered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hangs = threading.Event()
        self._go = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.hangs.is_set():
                    receiver._go.wait(PATIENCE)
                    return
                packed = self.headers.get("Content-Encoding") == "gzip"
                receiver.take(gzip.decompress(data) if packed else data)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.dsn = f"http://key@127.0.0.1:{self._server.server_port}/1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def until(self, condition: Callable[[], object], said: Callable[[], str] = str) -> None:
        """Waits for something that other processes bring about."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, said() or self.events
            time.sleep(0.005)

    def close(self) -> None:
        """Ends it."""
        self._go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that receives envelopes."""
    found = Receiver()
    yield found
    found.close()
