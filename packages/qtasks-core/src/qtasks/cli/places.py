"""Where an app's tasks are, in words: URLs without their passwords, files with their full path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from qtasks.contracts.secrets import mask_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks.app.base import BaseQueueTasks

__all__ = ["describe_url", "place_of", "without_secrets"]

#: A URL within a text, without the punctuation behind it.
_URL: Final = re.compile(r"[A-Za-z][\w+.\-]*://[^\s'\"<>]*[^\s'\"<>.,;:!?)\]]")
#: Characters of a password that is no word of its own; a shorter one also stands in other words.
_LONG: Final = 8
_PASSWORD: Final = re.compile(r"://[^:/@]*:(.+)@")
#: What looks like the user, the password and the host of a URL whose scheme was forgotten.
_NO_SCHEME: Final = re.compile(r"(?<![\w.])([\w.\-]*:)(?!//)[^\s'\"]+@(?=[\w.\[])")


def place_of(app: BaseQueueTasks) -> str:
    """Says where messages are, and where records are if that is elsewhere."""
    broker, storage = app.broker.url, app.storage.url
    if storage == broker:
        return describe_url(broker)
    return f"{describe_url(broker)}, records in {describe_url(storage)}"


def describe_url(url: str) -> str:
    """Returns the absolute path of an embedded queue, or the URL without its password."""
    if url.startswith("sqlite:"):
        from qtasks.adapters.sqlite.url import parse_url

        return f"SQLite file {parse_url(url).path}"
    return mask_url(url)


def without_secrets(text: str, urls: Iterable[str] = ()) -> str:
    """Hides passwords in a text that somebody else wrote, such as a driver's error.

    Args:
        text: any text.
        urls: URLs whose passwords are hidden wherever they stand.
    """
    for url in urls:
        for password in _PASSWORD.findall(url):
            for secret in {password, unquote(password)}:
                text = _without(text, secret)
    text = _URL.sub(lambda found: mask_url(found[0]), text)
    return _NO_SCHEME.sub(r"\1***@", text)


def _without(text: str, secret: str) -> str:
    """Hides a password in a text.

    A short word, such as "redis", is hidden only where it stands as a value: behind a colon, an
    equals sign or a quotation mark, up to what ends a value. Elsewhere it is a part of words.
    """
    if len(secret) >= _LONG or not secret.isalnum():
        return text.replace(secret, "***")
    value = rf"(?<=[:='\"`]){re.escape(secret)}(?=[@&'\"`\s,;)]|$)"
    return re.sub(value, "***", text)
