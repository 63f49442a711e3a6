"""What went wrong at the server, in the words of the contracts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from redis import exceptions

from qtasks.exc import ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from qtasks.adapters.redis.url import Target

__all__ = ["DRIVER_ERRORS", "translate"]

#: Everything that the driver raises for the server's or the network's sake.
DRIVER_ERRORS: Final = (exceptions.RedisError, OSError)

#: Codes that the server answers with while it cannot serve, and what they mean. They come first in
#: an answer, or inside one if a script met them.
_PASSING: Final = {
    "LOADING": "it is still loading its data",
    "BUSY": "a script runs on it for too long; SCRIPT KILL may end that",
    "READONLY": "it is a replica, which cannot be written to; name the master, or Sentinels",
    "OOM": "its memory is full: raise maxmemory, or purge what is not needed",
    "MISCONF": "it cannot save its data to disk, so it refuses writes; look at its log",
    "CLUSTERDOWN": "the cluster does not serve all its slots; look at CLUSTER INFO",
    "MASTERDOWN": "its link with its master is down",
    "NOREPLICAS": "too few replicas are there to accept writes",
    "TRYAGAIN": "a slot of the cluster is being moved",
    "UNBLOCKED": "it ended a wait, as it does when it changes its role",
}
_CODE: Final = re.compile(rf"(?:^|-|\s)({'|'.join(_PASSING)})\b")


def translate(error: BaseException, target: Target) -> ServerError:
    """Returns the error to raise for one of the driver's."""
    where = f"Redis at {target.place}"
    if isinstance(
        error, exceptions.AuthenticationError | exceptions.AuthenticationWrongNumberOfArgsError
    ):
        user = f"user {target.username!r}" if target.username else "the default user"
        given = "the password is wrong" if target.password else "a password is needed"
        msg = f"{where} refused {user}: {given}; write redis://user:password@host:port/db"
        return ServerError(msg)
    if isinstance(error, exceptions.NoPermissionError) or str(error).startswith("NOPERM"):
        return ServerError(f"{where}: the user may not do this: {error}")
    code = _code(error)
    if code is not None:
        return ServerUnavailableError(f"{where} cannot serve now: {_PASSING[code]}")
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return ServerUnavailableError(f"{where} cannot be reached: {_text(error)}")
    if isinstance(error, exceptions.RedisClusterException):
        return ServerUnavailableError(f"{where}: {_text(error)}")
    return ServerError(f"{where} failed: {_text(error)}")


def _code(error: BaseException) -> str | None:
    kinds = {
        exceptions.BusyLoadingError: "LOADING",
        exceptions.ReadOnlyError: "READONLY",
        exceptions.ClusterDownError: "CLUSTERDOWN",
        exceptions.MasterDownError: "MASTERDOWN",
        exceptions.TryAgainError: "TRYAGAIN",
    }
    for kind, code in kinds.items():
        if isinstance(error, kind):
            return code
    if isinstance(error, exceptions.ResponseError):
        found = _CODE.search(str(error))
        return None if found is None else found[1]
    return None


def _text(error: BaseException) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
