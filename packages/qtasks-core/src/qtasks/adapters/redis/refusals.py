"""What to change in a URL when a server does not want to be spoken to like that."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from redis import exceptions

from qtasks.adapters.redis.faults import answer_in, causes, refused, translate
from qtasks.adapters.redis.sentinels import MasterUnknownError

if TYPE_CHECKING:
    from qtasks.adapters.redis.url import Target

__all__ = ["explain", "explain_silence", "may_be_tls"]


def explain(error: BaseException, target: Target) -> str | None:
    """Returns what to change, or None if the error may pass by itself."""
    error = answer_in(error)
    text = " ".join(str(error).split())
    if isinstance(error, exceptions.AuthenticationError):
        return str(translate(error, target))
    if isinstance(error, MasterUnknownError):
        found: str | None = f"cannot be found: {text}"
    elif isinstance(error, exceptions.InvalidResponse):
        found = "is no Redis, it answers something else: correct host and port of the URL"
    elif isinstance(error, exceptions.ResponseError):
        found = _about_answer(text, target)
    else:
        found = _about_connecting(error, text)
    return None if found is None else f"Redis at {target.place} {found}"


def may_be_tls(error: BaseException) -> bool:
    """Tells whether an error may come from TLS on one side only: it was accepted, then silent."""
    unknown = any(isinstance(cause, socket.gaierror) for cause in causes(error))
    there = not (unknown or refused(error))
    return there and isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError)


def explain_silence(error: BaseException | None, target: Target) -> str | None:
    """Returns what to change after a second try, with TLS if the first had none and vice versa.

    Args:
        error: what the second try met, or None if it was answered.
        target: of the first try.
    """
    answered = error is None or isinstance(
        error, exceptions.ResponseError | exceptions.AuthenticationError
    )
    if not target.tls and "ALERT_CERTIFICATE_REQUIRED" in str(error):
        answered = True  # it asked for a certificate, in TLS
    where = f"Redis at {target.place}"
    if not answered:
        return None
    if target.tls:
        return f"{where} does not speak TLS: write redis:// instead of rediss://"
    return f"{where} speaks TLS: write rediss:// instead of redis://"


def _about_connecting(error: BaseException, text: str) -> str | None:
    origins = list(causes(error))
    if any(isinstance(origin, PermissionError) for origin in origins):
        return "may not be opened by this user: widen unixsocketperm there, or join its group"
    if any(isinstance(origin, ssl.SSLError) for origin in origins) or "[SSL" in text:
        return _about_tls(text)
    return None


def _about_tls(text: str) -> str:
    if "mismatch" in text:
        return "shows a certificate for another name: write the host as the certificate names it"
    if "has expired" in text:
        return "shows a certificate that has expired: renew it there"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            "shows a certificate that is not trusted: name the file of its authority with"
            " ?ssl_ca_certs=/path/to/ca.pem"
        )
    if "[X509" in text or "PEM" in text:
        return "cannot be asked: a file in ssl_ca_certs, ssl_certfile or ssl_keyfile is no PEM file"
    return f"does not speak TLS as we do ({text.rstrip('.')}): if it has none, write redis://"


def _about_answer(text: str, target: Target) -> str | None:
    if "DB index" in text or "SELECT is not allowed" in text:
        return (
            f"has no database {target.db}: use a smaller number (a cluster has 0 alone), or raise"
            " databases there"
        )
    if "unknown command" in text.lower():
        return "is too old: use Redis 6.2 or newer, or Valkey"
    if "cluster support disabled" in text.lower():
        return "is no cluster: name one host, or add ?sentinel=NAME if these are Sentinels"
    return None
