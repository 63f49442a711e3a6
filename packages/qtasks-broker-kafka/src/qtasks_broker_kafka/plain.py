"""Finding out that a port speaks without TLS: it waits for ever for the end of a handshake."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Final

from qtasks.exc import ServerError

if TYPE_CHECKING:
    from qtasks_broker_kafka.options import Options

__all__ = ["plain_port"]

#: Seconds that a server may take to answer.
_PATIENCE: Final = 1.0
#: "Which versions do you speak?", which every Kafka answers before anything else.
_API_VERSIONS: Final = 18
_NUMBER: Final = 0x5154
_QUESTION: Final = struct.pack(">hhih", _API_VERSIONS, 0, _NUMBER, -1)


async def plain_port(options: Options) -> ServerError | None:
    """Returns an error if one of the servers answers without TLS where the URL asks for it."""
    if not options.tls:
        return None
    for host, port in options.hosts:
        with contextlib.suppress(OSError, TimeoutError, EOFError):
            async with asyncio.timeout(_PATIENCE):
                if await _answers(host, port):
                    return ServerError(
                        f"Kafka at {host}:{port} speaks without TLS on this port: write kafka://,"
                        " or use the port for TLS"
                    )
    return None


async def _answers(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(struct.pack(">i", len(_QUESTION)) + _QUESTION)
        _, number = struct.unpack(">ii", await reader.readexactly(8))
    finally:
        writer.close()
    return bool(number == _NUMBER)
