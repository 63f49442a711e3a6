"""The little HTTP server, in threads of its own."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import ssl
import threading
import time
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from qtasks_plugin_metrics.answering import Handler

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtasks_plugin_metrics.options import Options

__all__ = ["MetricsServer", "ServingError"]

log = logging.getLogger("qtasks_plugin_metrics")

#: Seconds that a client gets for each step, and for all of what it wants.
_PATIENCE: Final = 10.0
_WHOLE_PATIENCE: Final = 30.0
#: How many clients are answered at once.
_MOST: Final = 100


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
            (Handler,),
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
    request_queue_size = 128  # five, as its base has it, make scrapers of a storm wait for seconds
    allow_reuse_address = os.name != "nt"  # there it would let two listen on one port
    context: ssl.SSLContext | None = None

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self._open: dict[Any, float] = {}
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers in a thread; who comes when too many wait is sent away."""
        if len(self._open) >= _MOST:
            super().shutdown_request(request)
            return
        self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Ends a connection."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Ends what goes on for too long, a byte now and a byte then; now and then."""
        latest = time.monotonic() - _WHOLE_PATIENCE
        for request, since in self._open.copy().items():
            if since < latest:
                with contextlib.suppress(OSError):  # it has just ended
                    request.shutdown(socket.SHUT_RDWR)

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
