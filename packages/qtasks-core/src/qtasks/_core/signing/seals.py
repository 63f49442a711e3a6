"""Signatures: how bytes are signed, and how it is told that they were.

Signed bytes begin with a byte that msgpack never uses, the version, the name of the key and the
HMAC-SHA256. It covers what the bytes are, whose they are and the bytes themselves, each with its
length, so nothing signed can stand for anything else.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from qtasks.contracts.codec import REFUSALS, REFUSED, SIGNED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks.contracts.keys import Keys

__all__ = ["SEAL_HEADER", "Seals", "SignatureRefusedError"]

#: The header that holds the signature of the others.
SEAL_HEADER: Final = "qtasks-signature"

_NAME: Final = slice(len(SIGNED), len(SIGNED) + 4)
_MAC: Final = slice(_NAME.stop, _NAME.stop + 32)


#: The bytes that stand for the reasons, in their order.
_UNSIGNED, _CUT, _STRANGE, _FALSE = REFUSALS


class SignatureRefusedError(Exception):
    """Bytes are not what somebody with the keys signed; says why.

    Args:
        code: which of the reasons.
    """

    def __init__(self, code: bytes) -> None:
        super().__init__(REFUSALS[code])
        self.code = code


class Seals:
    """Signs with the keys of an app, and checks.

    Args:
        keys: the keys.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._name = keys.current_id
        key = keys.find(keys.current_id)
        assert key is not None  # noqa: S101 - keys know their own
        self._key = key

    def seal(self, kind: bytes, data: bytes, *about: str) -> bytes:
        """Returns signed bytes.

        Args:
            kind: what they are.
            data: the bytes.
            *about: whose they are: nothing signed for one is accepted for another.
        """
        return SIGNED + self._name + _digest(self._key, kind, data, about) + data

    def open(self, kind: bytes, sealed: bytes, *about: str) -> bytes:
        """Returns the bytes that were signed.

        Raises:
            SignatureRefusedError: nobody with one of the keys signed them as such.
        """
        if not sealed.startswith(SIGNED):
            if self._keys.require:
                raise SignatureRefusedError(_UNSIGNED)
            return sealed
        if len(sealed) < _MAC.stop:
            raise SignatureRefusedError(_CUT)
        key = self._keys.find(sealed[_NAME])
        if key is None:
            raise SignatureRefusedError(_STRANGE)
        data = sealed[_MAC.stop :]
        if not hmac.compare_digest(sealed[_MAC], _digest(key, kind, data, about)):
            raise SignatureRefusedError(_FALSE)
        return data

    def shown(self, kind: bytes, sealed: bytes, *about: str) -> bytes:
        """Returns the bytes that were signed, else bytes whose decoding says why there are none."""
        try:
            return self.open(kind, sealed, *about)
        except SignatureRefusedError as error:
            return REFUSED + error.code

    def seal_headers(self, headers: Mapping[str, str], task_id: str) -> dict[str, str]:
        """Returns headers with one that signs the others."""
        kept = {key: value for key, value in headers.items() if key != SEAL_HEADER}
        digest = _digest(self._key, b"headers", b"", (task_id, *_flat(kept)))
        return {**kept, SEAL_HEADER: f"{self._name.hex()}:{digest.hex()}"}

    def open_headers(self, headers: Mapping[str, str], task_id: str) -> dict[str, str]:
        """Returns the headers that were signed.

        Raises:
            SignatureRefusedError: nobody with one of the keys signed them for this task.
        """
        kept = dict(headers)
        sealed = kept.pop(SEAL_HEADER, None)
        if sealed is None:
            if self._keys.require:
                raise SignatureRefusedError(_UNSIGNED)
            return kept
        name, _, digest = sealed.partition(":")
        try:
            key, given = self._keys.find(bytes.fromhex(name)), bytes.fromhex(digest)
        except ValueError:
            raise SignatureRefusedError(_CUT) from None
        if key is None:
            raise SignatureRefusedError(_STRANGE)
        if not hmac.compare_digest(given, _digest(key, b"headers", b"", (task_id, *_flat(kept)))):
            raise SignatureRefusedError(_FALSE)
        return kept


def _flat(headers: Mapping[str, str]) -> list[str]:
    return [text for pair in sorted(headers.items()) for text in pair]


def _digest(key: bytes, kind: bytes, data: bytes, about: tuple[str, ...]) -> bytes:
    """Returns the HMAC-SHA256 of parts, each with its length, so that no two calls look alike."""
    parts = [kind, *(text.encode("utf-8", "surrogatepass") for text in about), data]
    signed = SIGNED + b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hmac.digest(key, signed, hashlib.sha256)
