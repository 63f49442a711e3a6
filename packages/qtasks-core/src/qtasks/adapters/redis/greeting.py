"""The first words with a server: is it one that can be used, and what kind is it?"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final

import msgspec
from redis import exceptions

from qtasks.adapters.redis.faults import DRIVER_ERRORS, translate
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtasks.adapters.redis.links import Link
    from qtasks.adapters.redis.url import Target

__all__ = ["OLDEST", "Greeting", "greet"]

#: The oldest release of Redis whose commands suffice.
OLDEST: Final = (6, 2)


class Greeting(msgspec.Struct, frozen=True):
    """What a server says of itself.

    Attributes:
        server: ``redis`` or ``valkey``.
        version: its release.
        cluster: whether it is a node of a cluster.
        role: ``master`` or ``replica``.
    """

    server: str = "redis"
    version: str = ""
    cluster: bool = False
    role: str = "master"


async def greet(link: Link, target: Target) -> Greeting:
    """Asks a server what it is.

    Raises:
        ConfigError: it cannot be used as the URL says: too old, a wrong password or database, TLS
            where there is none, several hosts that are no cluster.
        ServerUnavailableError: it cannot be reached, or cannot serve yet.
    """
    try:
        answer = await link.call("HELLO")
    except DRIVER_ERRORS as error:
        found = explain(error, target)
        if found is not None:
            raise ConfigError(found) from error
        raise translate(error, target) from error
    said = _pairs(answer)
    greeting = Greeting(
        server=said.get("server", "redis"),
        version=said.get("version", ""),
        cluster=said.get("mode") == "cluster",
        role=said.get("role", "master"),
    )
    _check(greeting, target)
    return greeting


def _check(greeting: Greeting, target: Target) -> None:
    if greeting.server == "redis" and _number(greeting.version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        msg = (
            f"Redis at {target.place} is {greeting.version}, which is too old: use {oldest} or"
            " newer, or Valkey"
        )
        raise ConfigError(msg)
    if greeting.cluster and target.db:
        msg = f"Redis at {target.place} is a cluster, which has no database {target.db}: use 0"
        raise ConfigError(msg)


def explain(error: BaseException, target: Target) -> str | None:
    """Returns what to change in the URL, or None if the error may pass by itself."""
    where, text = f"Redis at {target.place}", str(error)
    if _is_tls_trouble(error):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return (
                f"{where} has a certificate that is not trusted: name the authority's file,"
                " ?ssl_ca_certs=/path/to/ca.pem"
            )
        return f"{where} does not speak TLS ({text}): write redis:// instead of rediss://"
    if isinstance(error, exceptions.AuthenticationError):
        return str(translate(error, target))
    if isinstance(error, exceptions.ResponseError):
        if "DB index" in text:
            return f"{where} has no database {target.db}: use a smaller number, or raise databases"
        if "unknown command" in text.lower():
            return f"{where} is too old: use 6.2 or newer, or Valkey"
        if "WRONGPASS" in text or "NOAUTH" in text or "invalid username-password" in text:
            return str(translate(exceptions.AuthenticationError(text), target))
    if "cluster mode is not enabled" in text.lower() or "cluster support disabled" in text.lower():
        return f"{where} is no cluster: name one host, or ?sentinel=NAME if these are Sentinels"
    return None


def _is_tls_trouble(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error)) or "[SSL" in str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _pairs(answer: Any) -> dict[str, str]:
    """Returns an answer of field, value, ... as texts; the driver may have paired them already."""
    if not isinstance(answer, dict):
        answer = dict(zip(answer[::2], answer[1::2], strict=False))
    return {_text(key): _text(value) for key, value in answer.items()}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
