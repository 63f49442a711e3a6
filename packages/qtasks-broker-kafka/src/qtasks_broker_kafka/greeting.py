"""Finding out that a port speaks with TLS where the URL says that it does not, or without.

Drivers wait for long then: each side takes the first bytes of the other for something else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
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


async def wrong_port(options: Options) -> ServerError | None:
    """Returns an error if one of the servers answers in the other way than the URL says."""
    way = "without" if options.tls else "with"
    scheme = "kafka://" if options.tls else "kafkas://"
    look = _speaks_plainly if options.tls else _speaks_tls
    for host, port in options.hosts:
        with contextlib.suppress(OSError, EOFError, TimeoutError):  # it does not
            async with asyncio.timeout(_PATIENCE):
                if await look(host, port):
                    return ServerError(
                        f"Kafka at {host}:{port} speaks {way} TLS on this port: write {scheme}, or"
                        " use another port"
                    )
    return None


async def _speaks_plainly(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_QUESTION)
        _, number = struct.unpack(">ii", await reader.readexactly(8))
    finally:
        writer.close()
    return bool(number == _NUMBER)


async def _speaks_tls(host: str, port: int) -> bool:
    """Shakes hands and says nothing, so it does not matter with whom."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    writer.close()
    return True
