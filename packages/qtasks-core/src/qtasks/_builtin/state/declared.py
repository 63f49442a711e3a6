"""What classes of state declare: the fields, how long they stay, and where they are kept."""

from __future__ import annotations

import copy
import difflib
import inspect
import re
import sys
import typing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, get_origin

import msgspec

from qtasks.contracts.codec import decode, encode
from qtasks.exc import DecodeError, RegistrationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BaseState", "Declared"]

_NAME: Final = re.compile(r"[^\s:]+")
#: What states have themselves, and fields may not hide.
_TAKEN: Final = ("clear", "declared", "delete", "get", "get_all", "set", "update")
#: Names that are not known yet are no reason to fail.
_TOLERANT: Final[dict[str, Any]] = {}

if sys.version_info >= (3, 14):
    import annotationlib

    _TOLERANT["format"] = annotationlib.Format.FORWARDREF


class Declared:
    """What one class declares.

    Args:
        owner: the class.
        bucket: the name of its place in the storage; None for the class's name.
        ttl: seconds after the last change until everything is forgotten; None for never.

    Attributes:
        bucket: likewise.
        is_named: whether somebody chose that name.
        ttl: likewise.
        fields: annotations by name; empty if any key may be set.

    Raises:
        RegistrationError: an argument does not fit.
    """

    def __init__(self, owner: type[Any], bucket: Any = None, ttl: Any = None) -> None:
        self._owner = owner
        self._title = owner.__qualname__.rpartition("<locals>.")[2]
        name = self._title if bucket is None else bucket
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            msg = f"{self._title}(bucket={bucket!r}): use text without blanks and colons"
            raise RegistrationError(msg)
        seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
        if seconds is not None and (
            isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0
        ):
            msg = f"{self._title}(ttl={ttl!r}): use seconds above 0, or a timedelta"
            raise RegistrationError(msg)
        self.bucket = name
        self.is_named = bucket is not None
        self.ttl = None if seconds is None else float(seconds)
        self._fields: Mapping[str, Any] | None = None

    @property
    def fields(self) -> Mapping[str, Any]:
        """The declared fields; looked at when they are first needed."""
        if self._fields is None:
            self._fields = _fields(self._owner)
        return self._fields

    def default(self, key: str) -> Any:
        """Returns the default of a field, of which each caller has one of its own; None if none."""
        if key not in self.fields:
            return None
        return copy.deepcopy(getattr(self._owner, key, None))

    def check_names(self) -> None:
        """Refuses fields that would hide a method.

        Raises:
            RegistrationError: there is one.
        """
        for name in _names(self._owner):
            if name in _TAKEN:
                msg = (
                    f"{self._title}.{name} hides what every state has: give the field another name"
                )
                raise RegistrationError(msg)

    def check_key(self, key: Any) -> str:
        """Returns a key that is text, and of a field if the class declares any.

        Raises:
            TypeError: it is something else.
        """
        self.check_text(key)
        if self.fields and key not in self.fields:
            close = difflib.get_close_matches(key, self.fields, n=1)
            hint = (
                f", did you mean {close[0]!r}?" if close else f"; it has {', '.join(self.fields)}"
            )
            msg = f"{self._title} declares no field {key!r}{hint}"
            raise TypeError(msg)
        return key  # type: ignore[no-any-return]  # check_text has looked

    def check_text(self, key: Any) -> None:
        """Refuses what can be no key.

        Raises:
            TypeError: it is no text.
        """
        if not isinstance(key, str) or not _is_unicode(key):
            msg = f"{self._title}: the key {key!r} is no text"
            raise TypeError(msg)

    def dump(self, values: Mapping[str, Any], limit: int) -> dict[str, bytes]:
        """Encodes values, and checks those of declared fields.

        Args:
            values: by key.
            limit: the most bytes of a value.

        Raises:
            TypeError: a key is no text, there is no such field, or its value does not fit.
            EncodeError: a value cannot be encoded.
            PayloadTooLargeError: one is too large.
        """
        return {self.check_key(key): self._dump(key, v, limit) for key, v in values.items()}

    def load(self, key: str, data: bytes) -> Any:
        """Decodes a value, as the type that its field declares.

        Raises:
            DecodeError: it was written as something else.
        """
        value = decode(data)
        if key not in self.fields:
            return value
        try:
            return _convert(value, self.fields[key])
        except (TypeError, ValueError) as error:
            msg = f"{self._name(key)} was written as something else than it is now: {error}"
            raise DecodeError(msg) from error

    def _dump(self, key: str, value: Any, limit: int) -> bytes:
        data = encode(value, self._name(key), limit)
        if key in self.fields:
            try:
                _convert(decode(data), self.fields[key])
            except (TypeError, ValueError) as error:
                expected = self.fields[key]
                expected = getattr(expected, "__name__", None) or str(expected)
                kind = type(value).__name__
                msg = f"{self._name(key)} is declared as {expected}, not {kind}: {error}"
                raise TypeError(msg) from None
        return data

    def _name(self, key: str) -> str:
        return f"{self._title}.{key}"


class BaseState:
    """What all classes of state share: what they declare.

    ::

        class Form(AsyncState, ttl=3600):
            step: int = 0
            phone: str

    A class without fields takes any key.

    Args:
        bucket: for a class: the name of its place in the storage; by default the class's.
        ttl: for a class: seconds, or a timedelta, after the last change until everything in a
            place is forgotten; by default that of the class it derives from.
    """

    declared: ClassVar[Declared]

    def __init_subclass__(
        cls, *, bucket: str | None = None, ttl: float | timedelta | None = None, **kwargs: Any
    ) -> None:
        """Takes what a class declares."""
        super().__init_subclass__(**kwargs)
        inherited: Declared | None = getattr(cls, "declared", None)
        if ttl is None and inherited is not None:
            ttl = inherited.ttl
        cls.declared = Declared(cls, bucket, ttl)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _names(owner: type[Any]) -> list[str]:
    return [
        name
        for base in reversed(owner.__mro__)
        if base is not BaseState and issubclass(base, BaseState)
        for name in inspect.get_annotations(base, **_TOLERANT)
        if not name.startswith("_")
    ]


def _fields(owner: type[Any]) -> dict[str, Any]:
    names = _names(owner)
    if not names:
        return {}
    try:
        hints = typing.get_type_hints(owner, include_extras=True)
    except Exception as error:
        msg = f"the fields of {owner.__qualname__} cannot be read: {error}"
        raise RegistrationError(msg) from error
    return {name: hints[name] for name in names if get_origin(hints[name]) is not ClassVar}


def _convert(value: Any, kind: Any) -> Any:
    return msgspec.convert(value, kind, dec_hook=_foreign)


def _foreign(kind: type[Any], value: Any) -> Any:
    """Makes values of types that msgspec does not know."""
    if isinstance(value, kind):
        return value
    if callable(validate := getattr(kind, "model_validate", None)):  # pydantic
        return validate(value)
    msg = f"{value!r:.100} is no {kind.__name__}"
    raise TypeError(msg)
