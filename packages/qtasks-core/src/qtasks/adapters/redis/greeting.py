"""The first words with a server: is it one that can be used, and what kind is it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks.adapters.redis.faults import DRIVER_ERRORS, translate
from qtasks.adapters.redis.links import connect
from qtasks.adapters.redis.refusals import explain, explain_silence, may_be_tls
from qtasks.adapters.redis.url import Target
from qtasks.exc import ConfigError, ServerUnavailableError

if TYPE_CHECKING:
    from qtasks.adapters.redis.links import Link

__all__ = ["OLDEST", "Greeting", "greet"]

#: The oldest release of Redis whose commands suffice.
OLDEST: Final = (6, 2)


class Greeting(msgspec.Struct, frozen=True):
    """What a server says of itself.

    Attributes:
        server: ``redis`` or ``valkey``.
        version: its release.
        mode: ``standalone``, ``cluster`` or ``sentinel``.
        role: ``master`` or ``replica``.
    """

    server: str = "redis"
    version: str = ""
    mode: str = "standalone"
    role: str = "master"

    @property
    def cluster(self) -> bool:
        """Whether it is a node of a cluster."""
        return self.mode == "cluster"


async def greet(link: Link, target: Target, *, blocking: bool, known: bool = False) -> Greeting:
    """Asks a server what it is.

    Args:
        link: how it is reached.
        target: what the URL said.
        blocking: whether the link blocks its thread.
        known: whether it was spoken with before, so that it is away if it does not answer, and
            nobody has to find out whether it speaks TLS.

    Raises:
        ConfigError: it cannot be used as the URL says: too old, a wrong password or database, TLS
            where there is none, several hosts that are no cluster.
        ServerUnavailableError: it cannot be reached, or cannot serve yet.
    """
    _check_files(target)
    try:
        answer = await link.call("HELLO")
    except DRIVER_ERRORS as error:
        found = explain(error, target)
        if found is None and not known and target.path is None and may_be_tls(error):
            found = await _other_language(target, blocking=blocking)
        if found is not None:
            raise ConfigError(found) from error
        raise translate(error, target) from error
    said = _pairs(answer)
    greeting = Greeting(
        server=said.get("server", "redis"),
        version=said.get("version", ""),
        mode=said.get("mode", "standalone"),
        role=said.get("role", "master"),
    )
    _check(greeting, target)
    return greeting


async def _other_language(target: Target, *, blocking: bool) -> str | None:
    """Tries TLS instead of none, or none instead of TLS, without a password.

    A server that is spoken to in the wrong one closes the connection or waits for more, as one
    does that is being restarted; whether it understands the other one tells them apart.
    """
    stranger = Target(hosts=target.hosts[:1], tls=not target.tls, verify=False)
    link = connect(stranger, blocking=blocking, cluster=False)
    try:
        await link.call("PING")
    except DRIVER_ERRORS as error:
        return explain_silence(error, target)
    finally:
        await link.close()
    return explain_silence(None, target)


def _check_files(target: Target) -> None:
    """Looks at the files that TLS needs; the driver's errors do not name them."""
    named = {
        "ssl_ca_certs": target.ca_certs,
        "ssl_certfile": target.certfile,
        "ssl_keyfile": target.keyfile,
    }
    for option, path in named.items():
        if path is None:
            continue
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            msg = f"{option}={path} of the Redis URL cannot be read: {error.strerror}"
            raise ConfigError(msg) from None


def _check(greeting: Greeting, target: Target) -> None:
    where = f"Redis at {target.place}"
    if greeting.server == "redis" and _number(greeting.version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        msg = f"{where} is {greeting.version}, which is too old: use {oldest} or newer, or Valkey"
        raise ConfigError(msg)
    if greeting.mode == "sentinel":
        msg = f"{where} is a Sentinel: add ?sentinel=NAME with the name of its master to the URL"
        raise ConfigError(msg)
    if greeting.cluster and target.db:
        msg = f"{where} is a cluster, which has no database {target.db}: use 0"
        raise ConfigError(msg)
    if not greeting.cluster and len(target.hosts) > 1 and target.sentinel is None:
        msg = f"{where} is no cluster: name one host, or add ?sentinel=NAME if these are Sentinels"
        raise ConfigError(msg)
    if not greeting.cluster and greeting.role != "master":
        fix = "name its master, or the Sentinels with ?sentinel=NAME"
        if target.sentinel is not None:
            fix = "the Sentinels name another master soon, or their logs say why not"
        msg = f"{where} is a replica, which cannot be written to: {fix}"
        raise ServerUnavailableError(msg)


def _pairs(answer: Any) -> dict[str, str]:
    """Returns an answer of field, value, ... as texts; the driver may have paired them already."""
    if not isinstance(answer, dict):
        answer = dict(zip(answer[::2], answer[1::2], strict=False))
    return {_text(key): _text(value) for key, value in answer.items()}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
