"""Typed messages between a supervisor and its child, in both directions.

A message is a msgspec struct. Its type is its address: whoever wants messages of a type says
``channel.on(Type, handler)``, whoever has one says ``channel.send(message)``, and nobody else has
to know. So a plugin may speak over the same channel as the engine, with types of its own.
What nobody listens to is skipped.

A channel does no I/O: it is given a function that writes bytes, and is fed the bytes that came.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from qtasks.exc import QTasksError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Channel", "ChannelError", "write_all"]

log = logging.getLogger("qtasks.supervisor")

M = TypeVar("M", bound=msgspec.Struct)

#: Bytes in front of each message that say how long it is.
_HEAD: Final = 4
#: Bytes of the longest message; a larger number means that the bytes are no message at all.
_MAX_MESSAGE: Final = 16 * 1024 * 1024

_frames = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
_encoder = msgspec.msgpack.Encoder()


class ChannelError(QTasksError):
    """What came over a channel is no message."""


class Channel:
    """One end of a conversation.

    Args:
        write: sends bytes, all of them, to the other end; raises OSError if that is gone.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._lock = threading.RLock()
        self._outbox: deque[bytes] = deque()
        self._writing = False
        self._received = bytearray()
        self._handlers: dict[str, tuple[msgspec.msgpack.Decoder[Any], Callable[[Any], object]]] = {}

    def on(self, kind: type[M], handler: Callable[[M], object]) -> None:
        """Has messages of a type handled; one handler for each type, the last one counts.

        Args:
            kind: the type, as the other end knows it too.
            handler: takes each message, in the order they were sent.
        """
        self._handlers[_address(kind)] = (msgspec.msgpack.Decoder(kind), handler)

    def send(self, message: msgspec.Struct) -> None:
        """Sends a message; may be called from any thread.

        If the other end is gone nobody can be told, so nothing is raised.

        Raises:
            TypeError: a value in it cannot be sent.
            ValueError: it is longer than 16 MiB.
        """
        frame = _encoder.encode((_address(type(message)), message))
        if len(frame) > _MAX_MESSAGE:
            msg = f"a {type(message).__name__} of {len(frame)} bytes is too long for a channel"
            raise ValueError(msg)
        with self._lock:
            self._outbox.append(len(frame).to_bytes(_HEAD, "big") + frame)
            if self._writing:
                return  # a finalizer or signal handler speaks in the middle of another message
            self._writing = True
            try:
                while self._outbox:
                    self._write(self._outbox.popleft())
            except OSError:
                self._outbox.clear()  # the other end is gone; logging it may come back to here
            finally:
                self._writing = False

    def feed(self, data: bytes) -> None:
        """Takes bytes as they came, and handles the messages that are complete by now.

        Raises:
            ChannelError: they are no messages; nothing that follows can be understood.
        """
        self._received += data
        while len(self._received) >= _HEAD:
            size = int.from_bytes(self._received[:_HEAD], "big")
            if size > _MAX_MESSAGE:
                msg = f"no message begins with {bytes(self._received[:60])!r}"
                raise ChannelError(msg)
            if len(self._received) < _HEAD + size:
                return
            frame = bytes(self._received[_HEAD : _HEAD + size])
            del self._received[: _HEAD + size]
            self._handle(frame)

    def _handle(self, frame: bytes) -> None:
        try:
            address, body = _frames.decode(frame)
        except msgspec.DecodeError as error:
            msg = f"{frame[:60]!r} is no message: {error}"
            raise ChannelError(msg) from error
        if address not in self._handlers:
            log.debug("Nobody listens to %s", address)
            return
        decoder, handler = self._handlers[address]
        try:
            handler(decoder.decode(body))
        except Exception:
            log.exception("A %s was not handled", address)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of ``data`` to a pipe.

    Raises:
        OSError: nobody reads it any more.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _address(kind: type[msgspec.Struct]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
