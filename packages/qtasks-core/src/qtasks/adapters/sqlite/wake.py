"""Bells that other threads and processes ring when they committed something.

Who waits binds a datagram socket in a directory beside the database; who commits sends one byte to
each of them. A bell of the same process is rung directly, so that waiting is quick even where such
sockets are missing. What gets lost is found by looking every now and then, see :mod:`.lookout`.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import secrets
import select
import socket
import stat
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["ANYTHING", "ENDED", "POKE", "READY", "STREAMED", "Bell", "Ringer", "directory_for"]

logger = logging.getLogger("qtasks.sqlite")

#: A claim may find more.
READY: Final = 1
#: A task ended.
ENDED: Final = 2
#: The bell's own thread has new orders.
POKE: Final = 4
#: A task gave values.
STREAMED: Final = 8

#: All that can happen to a database.
ANYTHING: Final = READY | ENDED | STREAMED

#: Bytes in the path of a socket: 104 on macOS, 108 on Linux, with the final NUL.
_LONGEST: Final = 103

#: Bytes of the slash and the longest name in the directory.
_NAME: Final = 26

_TRIES: Final = 3


class _Process:
    """The bells of this process, by database; after a fork there are none."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        # Containers that share a directory may share process ids too, so these do not do.
        self.prefix = f"{self.pid}-{secrets.token_hex(4)}."
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.bells: dict[str, tuple[Bell, ...]] = {}


_process = _Process()


def _here() -> _Process:
    """Returns the registry of this process."""
    global _process  # noqa: PLW0603 - the inherited one belongs to the parent
    if _process.pid != os.getpid():
        _process = _Process()
    return _process


def directory_for(path: str) -> Path:
    """Returns where the bells of a database are.

    Beside it, or, if that is too long for the name of a socket, in the user's runtime directory.
    """
    beside = Path(f"{path}.wake")
    if len(os.fsencode(beside)) + _NAME <= _LONGEST:
        return beside
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    digest = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    owner = os.geteuid() if hasattr(os, "geteuid") else 0
    return Path(base) / f"qtasks-{owner}-{digest}"


class Bell:
    """What one waiting thread listens to.

    Args:
        path: of the database.
    """

    def __init__(self, path: str) -> None:
        here = _here()
        self._path = path
        self._pid = here.pid
        self._near, self._far = socket.socketpair()
        self._near.settimeout(0)
        self._far.settimeout(0)
        self._place = directory_for(path) / f"{here.prefix}{next(here.numbers)}"
        self._ear = _listen(self._place)
        with here.lock:
            here.bells[path] = (*here.bells.get(path, ()), self)

    @property
    def stale(self) -> bool:
        """Whether the bell came into this process by a fork."""
        return self._pid != os.getpid()

    def ring(self, what: int) -> None:
        """Rings from within this process."""
        # A full buffer means that it is ringing already; a closed one, that nobody listens.
        with suppress(OSError):
            self._far.send(bytes((what,)))

    def wait(self, timeout: float) -> int:
        """Waits at most ``timeout`` seconds; returns what was rung since the last time, or 0."""
        sockets = [self._near] if self._ear is None else [self._near, self._ear]
        what = 0
        for one in _readable(sockets, timeout):
            while True:
                try:
                    heard = one.recv(256)
                except OSError:
                    break
                if not heard:
                    break
                for byte in heard:
                    what |= byte
        return what

    def close(self) -> None:
        """Stops listening; calling it again is harmless."""
        if not self.stale:
            here = _here()
            with here.lock:
                others = tuple(bell for bell in here.bells.get(self._path, ()) if bell is not self)
                if others:
                    here.bells[self._path] = others
                else:
                    here.bells.pop(self._path, None)
        for one in (self._near, self._far, self._ear):
            if one is not None:
                one.close()
        if self._ear is not None and not self.stale:
            with suppress(OSError):
                self._place.unlink()
            # Only the last one can.
            with suppress(OSError):
                self._place.parent.rmdir()
        self._ear = None


class Ringer:
    """Rings all bells of a database.

    Args:
        path: of the database.
    """

    def __init__(self, path: str) -> None:
        self._voice: socket.socket | None = None
        self._making = threading.Lock()
        self._path = path
        self._directory = str(directory_for(path))

    def ring(self, what: int) -> None:
        """Tells all who listen, in this and in other processes; never fails and never waits."""
        here = _here()
        for bell in here.bells.get(self._path, ()):
            bell.ring(what)
        try:
            names = os.listdir(self._directory)  # noqa: PTH208 - runs at every commit
        except OSError:
            return
        for name in names:
            if not name.startswith(here.prefix):
                self._send(what, f"{self._directory}/{name}")

    def close(self) -> None:
        """Gives up the socket; calling it again is harmless."""
        voice, self._voice = self._voice, None
        if voice is not None:
            voice.close()

    def __del__(self) -> None:
        """Gives up the socket of a broker that nobody has stopped, or that rang once more."""
        self.close()

    def _open(self) -> socket.socket:
        with self._making:
            if self._voice is None:
                self._voice = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._voice.settimeout(0)
            return self._voice

    def _send(self, what: int, place: str) -> None:
        """Sends one byte to one socket, and removes the socket if nobody owns it any more."""
        try:
            (self._voice or self._open()).sendto(bytes((what,)), place)
        except BlockingIOError:
            pass  # it has been rung often enough to look
        except ConnectionRefusedError:
            _remove_socket(Path(place))
        except (OSError, AttributeError) as error:
            logger.debug("cannot wake %s: %s", place, error)


def _remove_socket(place: Path) -> None:
    """Removes a socket, and nothing else: a plain file refuses to be connected just the same."""
    with suppress(OSError):
        if stat.S_ISSOCK(place.lstat().st_mode):
            place.unlink()


def _listen(place: Path) -> socket.socket | None:
    """Binds a socket; returns None where that does not work, because looking does too."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.settimeout(0)
    for attempt in range(1, _TRIES + 1):
        try:
            place.parent.mkdir(mode=0o700, exist_ok=True)
            if not _private(place.parent):
                logger.warning(
                    "%s is not a private directory of this user; waiting for tasks polls instead",
                    place.parent,
                )
                break
            ear.bind(str(place))
        except FileNotFoundError:
            # The last bell of another process may take the directory with it.
            if attempt < _TRIES:
                continue
            break
        except OSError as error:
            logger.debug("cannot listen at %s, polling instead: %s", place, error)
            break
        return ear
    ear.close()
    return None


def _private(directory: Path) -> bool:
    """Tells whether nobody else can put sockets into a directory."""
    found = directory.lstat()
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.geteuid()
        and not stat.S_IMODE(found.st_mode) & 0o077
    )


def _readable(sockets: list[socket.socket], timeout: float) -> list[socket.socket]:
    """Waits until something can be read; unlike ``select`` on Unix for any number of files."""
    if not hasattr(select, "poll"):
        return select.select(sockets, (), (), timeout)[0]
    poller = select.poll()
    for one in sockets:
        poller.register(one, select.POLLIN)
    # Rounded up, so that a wait for less than a millisecond does not spin.
    ready = {number for number, _ in poller.poll(-(-timeout * 1000 // 1))}
    return [one for one in sockets if one.fileno() in ready]
