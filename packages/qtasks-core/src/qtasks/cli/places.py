"""Where an app's tasks are, in words: URLs without their passwords, files with their full path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.contracts.secrets import mask_url

if TYPE_CHECKING:
    from qtasks.app.base import BaseQueueTasks

__all__ = ["describe_url", "place_of"]


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
