"""What went wrong at the server, in the words of the contracts."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aiokafka import errors
from aiokafka.conn import create_conn

from qtasks.exc import ServerError, ServerUnavailableError
from qtasks_broker_kafka.greeting import wrong_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qtasks_broker_kafka.batches import Written
    from qtasks_broker_kafka.options import Options

__all__ = ["DRIVER_ERRORS", "find_out", "not_written", "refusing", "translate", "translated"]

#: Everything that the driver raises for the server's or the network's sake.
DRIVER_ERRORS: Final = (errors.KafkaError, OSError, TimeoutError)

#: A password of so many characters is no part of a word by chance.
_LONG: Final = 8
#: Seconds that a server has to say why it does not let us in, when time is up.
_ANSWER: Final = 1.0

_REFUSED: Final = (
    errors.AuthenticationFailedError,
    errors.SaslAuthenticationFailed,
    errors.IllegalSaslStateError,
    errors.UnsupportedSaslMechanismError,
)
_FORBIDDEN: Final = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
)
_TOO_LARGE: Final = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)
#: What a server says that has not written a batch, whenever it is asked again.
_NOT_WRITTEN: Final = (*_TOO_LARGE, *_FORBIDDEN, errors.InvalidTopicError)
#: Not marked as passing by the driver, but they pass.
_PASSING: Final = (
    errors.KafkaConnectionError,
    errors.KafkaTimeoutError,
    errors.NodeNotReadyError,
    errors.NotEnoughReplicasError,
    errors.NotEnoughReplicasAfterAppendError,
    errors.GroupCoordinatorNotAvailableError,
    errors.StaleMetadata,
    errors.UnknownTopicOrPartitionError,
    errors.UnknownError,  # code -1: a server that has just started again says so, for one
    OSError,
    TimeoutError,
)


def translate(error: BaseException, options: Options, unsure: str = "") -> ServerError:
    """Returns the error to raise for one of the driver's; none of them holds the password.

    Args:
        error: what the driver said.
        options: where the servers are.
        unsure: what is added if it may pass.
    """
    where = f"Kafka at {options.place}"
    text = _text(error, options)
    if isinstance(error, _REFUSED):
        who = (
            f"user {options.username!r}"
            if options.username is not None
            else "a client without a user"
        )
        return ServerError(
            f"{where} refused {who} with {options.mechanism}: {text}; correct"
            " user, password or mechanism= in the URL"
        )
    if isinstance(error, _FORBIDDEN):
        return ServerError(
            f"{where}: the account may not do this ({text}): it needs rights to read and write"
            f" topics that begin with {options.prefix!r}, and to read group {options.group!r}"
        )
    if isinstance(error, _TOO_LARGE):
        return ServerError(
            f"{where}: a task is larger than its topic takes ({text}): raise max.message.bytes of"
            " the topic, or lower max_payload"
        )
    if isinstance(error, _PASSING) or getattr(error, "retriable", False):
        return ServerUnavailableError(
            f"{where} cannot be reached or cannot serve now: {text}{unsure}"
        )
    return ServerError(f"{where}: {text}")


def not_written(error: BaseException) -> bool:
    """Tells whether a batch that failed like this is certainly not in the log."""
    return isinstance(error, _NOT_WRITTEN)


def refusing(error: ServerError, refused: Iterable[Written]) -> ServerError:
    """Returns the error for one caller, which names the tasks that are certainly not written."""
    own = type(error)(str(error))
    own.__cause__ = error.__cause__
    own.refused = frozenset(record.task for record in refused)
    return own


def _text(error: BaseException, options: Options) -> str:
    """Returns an error's kind and what it says, without the password."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return _without(text, options)


def _without(text: str, options: Options) -> str:
    """Returns a text without the password.

    A short one may be a part of any word by chance, so it is hidden where it stands alone.
    """
    for secret in {options.password or "", quote(options.password or "", safe="")} - {""}:
        pattern = re.escape(secret)
        if len(secret) < _LONG:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, "***", text)
    return text


@contextlib.contextmanager
def translated(options: Options) -> Iterator[None]:
    """Raises errors of the driver as those of the contracts."""
    try:
        yield
    except ServerError:
        raise
    except DRIVER_ERRORS as error:
        raise translate(error, options) from error


async def find_out(error: BaseException, options: Options, until: float) -> ServerError:
    """Returns why no server could be reached: the driver only says that none could.

    Args:
        error: what the driver said.
        options: where the servers are.
        until: the loop's time at which the caller has waited for long enough; after that each
            server has a second to say why.
    """
    loop = asyncio.get_running_loop()
    settings = options.connection()
    settings.pop("bootstrap_servers")
    for host, port in options.hosts:
        try:
            async with asyncio.timeout_at(max(until, loop.time() + _ANSWER)):
                conn = await create_conn(host, port, **settings)
        except _REFUSED as refusal:
            return translate(refusal, options)
        except (KeyError, ValueError) as answer:  # the driver does not expect a refusal by SCRAM
            return translate(errors.SaslAuthenticationFailed(repr(answer)), options)
        except DRIVER_ERRORS as failure:
            error = failure
        else:
            conn.close()
    if (wrong := await wrong_port(options)) is not None:
        return wrong
    hint = ""
    if isinstance(error, errors.KafkaError | TimeoutError):
        way = "plain connections (kafka://)" if options.tls else "TLS (kafkas://)"
        hint = f"; if it runs, see whether it wants {way}, and another user or mechanism="
    return ServerUnavailableError(
        f"Kafka at {options.place} cannot be reached: {_text(error, options)}{hint}"
    )
