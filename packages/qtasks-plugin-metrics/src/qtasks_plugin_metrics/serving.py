"""The little HTTP server: ``/metrics``, ``/healthz`` and ``/readyz``, in threads of their own."""

from __future__ import annotations

import errno
import gzip
import hmac
import logging
import os
import socket
import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks_plugin_metrics.options import Options

__all__ = ["MetricsServer", "ServingError"]

log = logging.getLogger("qtasks_plugin_metrics")

#: Seconds that a client gets to say what it wants.
_PATIENCE: Final = 10.0
#: Below so many bytes compressing is not worth it.
_SMALL: Final = 512
#: How much is compressed: scrapes are frequent, and their texts repeat themselves.
_LEVEL: Final = 1
_PLAIN: Final = "text/plain; charset=utf-8"


class ServingError(Exception):
    """Metrics cannot be served; the message says why, and what to change."""


class MetricsServer:
    """Answers until it is stopped.

    Args:
        options: where and how.
        encode: takes the header ``Accept``, and returns the metrics as text with its type.
        alive: returns what is wrong with workers that are stuck; nothing if all is well.
        ready: returns why workers take no tasks; nothing if they do.

    Raises:
        ServingError: the port is taken, the address is not there, or the certificate is none.
    """

    def __init__(
        self,
        options: Options,
        encode: Callable[[str], tuple[bytes, str]],
        alive: Callable[[], str],
        ready: Callable[[], str],
    ) -> None:
        handler = type(
            "Handler",
            (_Handler,),
            {
                "token": options.token,
                "encode": staticmethod(encode),
                "alive": staticmethod(alive),
                "ready": staticmethod(ready),
            },
        )
        self._scheme = "https" if options.certificate else "http"
        self._server = _listen(options, handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="qtasks-metrics-http",
            daemon=True,
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host = str(self._server.server_address[0])
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/metrics"

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answers no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """A server whose requests keep nobody: neither each other, nor the end of the process."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name != "nt"  # there it would let two listen on one port
    context: ssl.SSLContext | None = None

    def get_request(self) -> tuple[Any, Any]:
        """Takes a connection; hands shake in the thread of the request."""
        connection, address = super().get_request()
        connection.settimeout(_PATIENCE)
        if self.context is not None:
            connection = self.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as its base has it
        """Notes that a client went away or spoke no HTTP; that is nobody's fault here."""
        log.debug("A request from %s failed", client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server_version = "qtasks"
    default_request_version = "HTTP/1.0"  # before it there was no status, not even of errors
    sys_version = ""
    token: str
    encode: Callable[[str], tuple[bytes, str]]
    alive: Callable[[], str]
    ready: Callable[[], str]

    def do_GET(self) -> None:
        """Answers."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._metrics()
        elif path in {"/healthz", "/readyz"}:
            trouble = self.alive() if path == "/healthz" else self.ready()
            status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
            self._answer(status, f"{trouble or 'ok'}\n".encode(), _PLAIN)
        else:
            text = b"There are /metrics, /healthz and /readyz.\n"
            self._answer(HTTPStatus.NOT_FOUND, text, _PLAIN)

    do_HEAD = do_GET  # noqa: N815 - likewise

    def _metrics(self) -> None:
        if self.token and not self._is_allowed():
            header = ("WWW-Authenticate", "Bearer")
            self._answer(HTTPStatus.UNAUTHORIZED, b"A token is needed.\n", _PLAIN, header)
            return
        try:
            body, kind = self.encode(self.headers.get("Accept", ""))
        except Exception:
            log.exception("The metrics could not be written")
            text = b"The metrics could not be written; the log says why.\n"
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, text, _PLAIN)
            return
        self._answer(HTTPStatus.OK, body, kind)

    def _is_allowed(self) -> bool:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self.token.encode())
        return scheme.lower() == "bearer" and same

    def _answer(self, status: HTTPStatus, body: bytes, kind: str, *more: tuple[str, str]) -> None:
        self.send_response(status)
        if len(body) >= _SMALL and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, _LEVEL)
            self.send_header("Content-Encoding", "gzip")
        for name, value in (("Content-Type", kind), ("Cache-Control", "no-store"), *more):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Says in one line what is wrong with a request; the stock answer is a page."""
        del message, explain  # they repeat what was asked
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:  # so its base says that there is no such method
            allowed = ("Allow", "GET, HEAD")
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, b"Use GET or HEAD.\n", _PLAIN, allowed)
        else:
            self._answer(status, f"{status.phrase}.\n".encode(), _PLAIN)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Keeps requests out of the log of a worker."""
        log.debug(format, *args)


def _listen(options: Options, handler: Any) -> _Server:
    port = options.port or 0
    where = f"{options.host}:{port}"
    context = _context(options) if options.certificate else None
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    kind = type("Server", (_Server,), {"address_family": family, "context": context})
    try:
        server: _Server = kind((options.host, port), handler)
    except OSError as error:
        why = {
            errno.EADDRINUSE: "the port is in use: give another one, or 0 for any that is free",
            errno.EACCES: "only an administrator may use this port: give one above 1023",
            errno.EADDRNOTAVAIL: "this machine has no such address: give another host",
        }.get(error.errno or 0, f"{error}: give another host or port")
        msg = f"metrics cannot be served on {where}: {why}"
        raise ServingError(msg) from None
    return server


def _context(options: Options) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.certificate, options.key or None, _no_pass_phrase)
    except _PassPhraseError:
        file = f"key={options.key!r}" if options.key else f"certificate={options.certificate!r}"
        msg = (
            f"metrics cannot be served with {file}: the key asks for a pass phrase, and nobody is"
            " there to type it; give a key without one, which openssl pkey -in KEY -out NEW writes"
        )
        raise ServingError(msg) from None
    except (OSError, ssl.SSLError) as error:
        files = f"certificate={options.certificate!r}, key={options.key!r}"
        msg = f"metrics cannot be served with {files}: {error}; give a PEM file of each"
        raise ServingError(msg) from None
    return context


class _PassPhraseError(Exception):
    """A key is encrypted."""


def _no_pass_phrase() -> str:
    """Is asked for the pass phrase of a key; without it OpenSSL would ask the terminal."""
    raise _PassPhraseError
