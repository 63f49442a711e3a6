"""What went wrong at the server, in the words of the contracts."""

from __future__ import annotations

import errno
import re
import socket
from typing import TYPE_CHECKING, Final

from redis import exceptions

from qtasks.exc import ServerError, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtasks.adapters.redis.url import Target

__all__ = ["DRIVER_ERRORS", "answer_in", "causes", "lacks_rights", "refused", "translate"]

#: Everything that the driver raises for the server's or the network's sake.
DRIVER_ERRORS: Final = (exceptions.RedisError, OSError)

#: What the driver raises for what a server says.
_ANSWERS: Final = (exceptions.AuthenticationError, exceptions.ResponseError)

#: Codes that the server answers with while it cannot serve, and what they mean. They come first in
#: an answer, or inside one if a script met them.
_PASSING: Final = {
    "LOADING": "it is still loading its data",
    "BUSY": "a script runs on it for too long; SCRIPT KILL may end that",
    "READONLY": "it is a replica, which cannot be written to; name the master, or Sentinels",
    "OOM": "its memory is full: raise maxmemory, or purge what is not needed",
    "MISCONF": "it cannot save its data to disk, so it refuses writes; look at its log",
    "CLUSTERDOWN": "the cluster does not serve all its slots; if it does not mend itself, redis-cli"
    " --cluster fix gives them to its nodes",
    "MASTERDOWN": "its link with its master is down",
    "NOREPLICAS": "too few replicas are there to accept writes",
    "TRYAGAIN": "a slot of the cluster is being moved",
    "UNBLOCKED": "it ended a wait, as it does when it changes its role",
    "KILLED": "somebody ended a script of ours with SCRIPT KILL",
}
_CODE: Final = re.compile(rf"(?:^|-|\s)({'|'.join(_PASSING)})\b")
#: The same said without a code, by scripts mostly.
_SENTENCES: Final = {
    "non local key in a cluster": "TRYAGAIN",
    "while the cluster is down": "CLUSTERDOWN",
    "Script killed by user": "KILLED",
}
#: The driver takes the codes out of answers for which it has a class.
_KINDS: Final = {
    exceptions.BusyLoadingError: "LOADING",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.OutOfMemoryError: "OOM",
    exceptions.TryAgainError: "TRYAGAIN",
}
#: What servers say of rights; of those that a script lacks, in a script's error.
_RIGHTS: Final = re.compile("^NOPERM|ACL failure in script|The user executing the script can't")


def translate(error: BaseException, target: Target) -> ServerError:
    """Returns the error to raise for one of the driver's; none of them holds the password."""
    error = answer_in(error)
    where = f"Redis at {target.place}"
    text = _text(error)
    if isinstance(error, exceptions.AuthenticationError):
        return ServerError(f"{where} refused {_who(target)}: {_refusal(text, target)}")
    if lacks_rights(error):
        msg = (
            f"{where}: {_who(target)} may not do this ({text}): use an account that may, or give"
            " this one the right; the page redis-accounts of the documentation says what each"
            f" role may do, with keys that begin with {target.prefix + ':'!r}"
        )
        return ServerError(msg)
    code = _code(error, text)
    if code is not None:
        return ServerUnavailableError(f"{where} cannot serve now: {_PASSING[code]}")
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return ServerUnavailableError(f"{where} cannot be reached: {_reason(error, target)}")
    return ServerError(f"{where} failed: {text}")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walks from an error to what it came from."""
    while error is not None:
        yield error
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)


def answer_in(error: BaseException) -> BaseException:
    """Returns what the server answered, where the driver took it for a broken connection.

    It does so to all that is said to a new connection through a socket of the machine.
    """
    for cause in (error.__cause__, error.__context__):
        if isinstance(cause, _ANSWERS) and _text(cause) == _text(error):
            return cause
    return error


def lacks_rights(error: object) -> bool:
    """Tells whether a user may not do what he tried."""
    return isinstance(error, exceptions.NoPermissionError) or (
        isinstance(error, exceptions.RedisError) and _RIGHTS.search(_text(error)) is not None
    )


def refused(error: BaseException) -> bool:
    """Tells whether there was not even a connection, so that nothing was sent."""
    said = str(error).startswith(f"Error {errno.ECONNREFUSED} ")  # the driver may drop the cause
    return said or any(isinstance(origin, ConnectionRefusedError) for origin in causes(error))


def _who(target: Target) -> str:
    return f"user {target.username!r}" if target.username else "the default user"


def _refusal(text: str, target: Target) -> str:
    """Says what is wrong with the account of a URL."""
    if "without any password" in text:
        return "it has no password there: leave the password out of the URL"
    if target.password is None:
        return "a password is needed: write user:password@ before the host of the URL"
    if target.username:
        return "the password is wrong, or no such user is there, or it is switched off"
    return "the password is wrong; if it is that of a user, write user:password@ before the host"


def _code(error: BaseException, text: str) -> str | None:
    for kind, code in _KINDS.items():
        if isinstance(error, kind):
            return code
    if not isinstance(error, exceptions.ResponseError):
        return None
    found = _CODE.search(text)
    if found is not None:
        return found[1]
    return next((code for words, code in _SENTENCES.items() if words in text), None)


def _reason(error: BaseException, target: Target) -> str:
    """Says why a server cannot be reached."""
    if refused(error) and target.sentinel is not None:
        return (
            "nobody listens where the Sentinels say that the master is (connection refused); they"
            " name another one soon, if it has a replica"
        )
    if refused(error):
        return "nobody listens there (connection refused); is it started, is the port right?"
    for origin in causes(error):
        if isinstance(origin, socket.gaierror):
            return f"the host name is not known ({origin.strerror}); correct it, or the DNS"
        if isinstance(origin, FileNotFoundError) and target.path:
            return "there is no such socket; is it started, is unixsocket set there?"
        if isinstance(origin, TimeoutError | exceptions.TimeoutError):
            return "it does not answer in time"
    text = _text(error)
    if target.tls and target.certfile is None:
        text += "; if it asks for certificates, name yours with ?ssl_certfile=...&ssl_keyfile=..."
    return text


def _text(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
