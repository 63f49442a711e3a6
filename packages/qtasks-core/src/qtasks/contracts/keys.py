"""The keys that sign what goes to the servers."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from qtasks.exc import ConfigError

__all__ = ["Keys"]

#: The fewest bytes of a key: as many as an HMAC-SHA256 has.
_LEAST: Final = 32
_MAKE: Final = 'make one with  python -c "import secrets; print(secrets.token_hex(32))"'


class Keys:
    """The keys that messages and results are signed with; what they are is never shown.

    The first key signs. What any of them has signed is accepted, so a key is exchanged without a
    stop: give the new one everywhere as a previous one, then as the first one, and drop the old
    one when nothing that it signed is left.

    Args:
        current: the key that signs: bytes, or text whose UTF-8 is the key; at least 32 bytes.
        *previous: keys that are accepted too.
        require: False also accepts what is not signed at all, while signing is introduced; it
            protects nothing until it is True again.

    Raises:
        ConfigError: a key is too short or is given twice.

    Attributes:
        require: likewise.
    """

    __slots__ = ("_by_id", "current_id", "require")

    def __init__(self, current: str | bytes, *previous: str | bytes, require: bool = True) -> None:
        self.require = require
        self._by_id: dict[bytes, bytes] = {}
        for number, given in enumerate((current, *previous), 1):
            key = _checked(given, number)
            name = _name(key)
            if name in self._by_id:
                msg = f"signing key {number} is given twice: leave it out, or {_MAKE}"
                raise ConfigError(msg)
            self._by_id[name] = key
        #: The name of the key that signs, 4 bytes that do not tell the key.
        self.current_id = next(iter(self._by_id))

    @classmethod
    def read(cls, text: str) -> Keys:
        """Reads keys as ``QTASKS_SIGNING_KEYS`` gives them: the current one first, by commas.

        Raises:
            ConfigError: one of them is too short or is given twice.
        """
        return cls(*(part.strip() for part in text.split(",")))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys, the current one first; they do not tell the keys."""
        return tuple(name.hex() for name in self._by_id)

    def find(self, name: bytes) -> bytes | None:
        """Returns the key of a name; None if it is not one of these."""
        return self._by_id.get(name)

    def __eq__(self, other: object) -> bool:
        """Compares the keys, their order and what is accepted."""
        if not isinstance(other, Keys):
            return NotImplemented
        # The names differ whenever keys do, and comparing them tells nothing about the keys.
        return self.names == other.names and self.require == other.require

    def __hash__(self) -> int:
        """Hashes the names of the keys."""
        return hash((self.names, self.require))

    def __repr__(self) -> str:
        """Shows the names of the keys instead of the keys."""
        shown = ", ".join(f"<key {name}>" for name in self.names)
        return f"Keys({shown}{'' if self.require else ', require=False'})"


def _checked(given: object, number: int) -> bytes:
    """Returns a key as bytes; no message shows any part of it."""
    if not isinstance(given, str | bytes):
        msg = f"signing key {number} is a {type(given).__name__}: give text or bytes, or {_MAKE}"
        raise ConfigError(msg)
    key = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
    if len(key) < _LEAST:
        msg = f"signing key {number} has {len(key)} bytes, and needs {_LEAST} or more: {_MAKE}"
        raise ConfigError(msg)
    if re.fullmatch(rb"(.)\1*", key, re.DOTALL):
        msg = f"signing key {number} is one character over and over: {_MAKE}"
        raise ConfigError(msg)
    return key


def _name(key: bytes) -> bytes:
    return hmac.digest(key, b"qtasks: the name of this key", hashlib.sha256)[:4]
