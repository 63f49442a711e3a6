"""What names and headers may be: names become keys, labels and log words, headers travel along."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MAX_HEADERS", "check_name", "check_queues", "headers_size"]

#: The most bytes of all header names and values together.
MAX_HEADERS: Final = 16384
MAX_LENGTH: Final = 200
_ALLOWED: Final = re.compile(r"[\w.\-/@+]+")


def check_name(kind: str, name: object) -> str:
    """Checks a name and returns it.

    Args:
        kind: what it names, for the message: ``task`` or ``queue``.
        name: the name.

    Raises:
        RegistrationError: it is not text, empty, too long, or has characters such as a colon,
            a space or a newline.
    """
    if not isinstance(name, str):
        msg = f"a {kind} name is text, not {type(name).__name__}: {name!r}"
        raise RegistrationError(msg)
    if not _ALLOWED.fullmatch(name) or len(name) > MAX_LENGTH:
        msg = (
            f"{name[:250]!r} is not a {kind} name: use letters, digits and any of _ . - / @ +,"
            f" at most {MAX_LENGTH} characters"
        )
        raise RegistrationError(msg)
    return name


def check_queues(queues: str | Iterable[str]) -> tuple[str, ...]:
    """Checks names of queues; a single name may stand for itself.

    Raises:
        RegistrationError: there is none, or one cannot be a name.
    """
    names = (queues,) if isinstance(queues, str) else tuple(queues)
    if not names:
        msg = "no queue was named: give at least one, for example 'default'"
        raise RegistrationError(msg)
    return tuple(check_name("queue", name) for name in names)


def headers_size(headers: Mapping[str, str]) -> int:
    """Returns how many bytes names and values of headers take.

    Raises:
        UnicodeEncodeError: one of them is no text that can be written.
    """
    return sum(len(name.encode()) + len(value.encode()) for name, value in headers.items())
