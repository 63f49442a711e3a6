"""Finding out that a port speaks with TLS where the URL says that it does not, or without.

Drivers wait for long then: each side takes the first bytes of the other for something else.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Final

from qtasks.exc import ServerError

if TYPE_CHECKING:
    from qtasks_broker_kafka.options import Options

__all__ = ["wrong_port"]

#: Seconds that a server may take to answer.
_PATIENCE: Final = 1.0
#: "Which versions do you speak?", which every Kafka answers before anything else.
_API_VERSIONS: Final = 18
_NUMBER: Final = 0x5154
_QUESTION: Final = struct.pack(">ihhih", 10, _API_VERSIONS, 0, _NUMBER, -1)
#: The first bytes of what a server with TLS answers to that: an alert.
_ALERT: Final = b"\x15\x03"


async def wrong_port(options: Options) -> ServerError | None:
    """Returns an error if one of the servers answers in another way than the URL says."""
    for host, port in options.hosts:
        answer = b""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                answer = await _ask(host, port)
        if options.tls and answer[4:] == struct.pack(">i", _NUMBER):
            return ServerError(
                f"Kafka at {host}:{port} speaks without TLS on this port: write kafka://, or use"
                " the port for TLS"
            )
        if not options.tls and answer.startswith(_ALERT):
            return ServerError(
                f"Kafka at {host}:{port} speaks with TLS on this port: write kafkas://, or use the"
                " port without it"
            )
    return None


async def _ask(host: str, port: int) -> bytes:
    """Returns the beginning of the answer: its length and the question's number."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_QUESTION)
        answer = await reader.read(8)
    finally:
        writer.close()
    return answer
