"""Hiding what is secret in the URL of a server, for messages, logs and tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["mask_url"]

_MASK: Final = "***"
_SCHEME: Final = re.compile(r"[A-Za-z][\w+.\-]*://")
#: Hosts with or without ports, as they stand in a URL that has no user.
_HOSTS: Final = re.compile(r"(?:(?:\[[^\]]*\]|[^:\[\]]*)(?::\d*)?(?:,|$))*")
_QUERY: Final = re.compile(r"([^=&?;#]+)=(?=([^&]*))")
_SECRET: Final = re.compile(
    r"pass|pwd|secret|token|credential|signature|(?:api|access|account|private)[_.\-]?key$",
    re.IGNORECASE,
)


def mask_url(url: str) -> str:
    """Returns a URL with ``***`` instead of its password, and of what is secret in its query.

    Passwords that were not quoted are found too, whatever characters they hold: where it is not
    clear what belongs to a password, more is hidden rather than less. A parameter of the query
    is secret if its name holds for example ``password``, ``token`` or ``secret``; its value ends
    at the next ``&``. What is no URL at all is masked by the same rules.

    Args:
        url: the URL; several hosts, sockets and empty users are fine.
    """
    scheme = _SCHEME.match(url)
    start = scheme.end() if scheme else 0
    spans = [*_password(url, start), *_secret_values(url, start)]
    return _without(url, spans)


def _password(url: str, start: int) -> Iterable[tuple[int, int]]:
    """Yields where the password is: from the first colon to the last at sign."""
    colon, at = url.find(":", start), url.rfind("@")
    if colon < 0 or url.startswith("/", start):  # a path has no user
        return
    if at > colon:
        yield colon + 1, at
    elif at < 0 and start and not _HOSTS.fullmatch(re.split(r"[/?#]", url[start:], maxsplit=1)[0]):
        yield colon + 1, len(url)  # "user:password" whose "@host" was forgotten


def _secret_values(url: str, start: int) -> Iterable[tuple[int, int]]:
    for found in _QUERY.finditer(url, start):
        if _SECRET.search(unquote(found[1])):
            yield found.span(2)


def _without(url: str, spans: Iterable[tuple[int, int]]) -> str:
    """Replaces spans of a text; those that touch each other become one."""
    shown, end = "", -1
    for first, last in sorted(spans):
        if first > end:
            shown += url[max(end, 0) : first] + _MASK
        end = max(end, last)
    return shown + url[max(end, 0) :]
