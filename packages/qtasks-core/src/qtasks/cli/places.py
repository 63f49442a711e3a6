"""Where an app's tasks are, in words: URLs without their passwords, files with their full path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtasks.app.base import BaseQueueTasks

__all__ = ["describe_url", "masked", "place_of"]


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
    return masked(url)


def masked(url: str) -> str:
    """Hides the password of a URL, and what in its query looks like one."""
    # Greedy, because a password that was not quoted may hold a slash or an at sign itself.
    url = re.sub(r"(://[^:/@]*:).*@", r"\1***@", url)
    return re.sub(r"(?i)([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&]*", r"\1***", url)
