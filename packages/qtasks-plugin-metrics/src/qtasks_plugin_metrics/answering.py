"""Answers requests: ``/metrics``, ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import gzip
import hmac
import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Handler"]

log = logging.getLogger("qtasks_plugin_metrics")

#: Below so many bytes compressing is not worth it.
_SMALL: Final = 512
#: How much is compressed: scrapes are frequent, and their texts repeat themselves.
_LEVEL: Final = 1
_PLAIN: Final = "text/plain; charset=utf-8"


class Handler(BaseHTTPRequestHandler):
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
        if len(body) >= _SMALL and _takes_gzip(self.headers.get("Accept-Encoding", "")):
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


def _takes_gzip(accepted: str) -> bool:
    """Tells whether a client that accepts this reads what is compressed."""
    for each in accepted.lower().split(","):
        name, _, weight = each.replace(" ", "").partition(";q=")
        if name in {"gzip", "*"}:
            return weight.strip("0.") != "" or not weight
    return False
