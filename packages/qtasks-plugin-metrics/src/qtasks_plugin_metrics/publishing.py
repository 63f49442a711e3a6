"""Measures calls that add tasks."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from qtasks.schemas import Message

__all__ = ["Publishing", "Tally"]


class Tally(Protocol):
    """Where calls are counted."""

    def published(self, app: Any, messages: Sequence[Message], seconds: float) -> None:
        """Counts messages that the broker has acknowledged."""

    def not_published(self, app: Any, messages: Sequence[Message], error: BaseException) -> None:
        """Counts messages that could not be added."""


class Publishing:
    """Stands around one call to the broker.

    Args:
        tally: where it is counted.
        app: the app.
        messages: what is published.
    """

    __slots__ = ("_app", "_began", "_messages", "_tally")

    def __init__(self, tally: Tally, app: Any, messages: Sequence[Message]) -> None:
        self._tally = tally
        self._app = app
        self._messages = messages
        self._began = 0.0

    def __enter__(self) -> None:
        """Begins."""
        self._began = perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Counts."""
        if error is None:
            self._tally.published(self._app, self._messages, perf_counter() - self._began)
        else:
            self._tally.not_published(self._app, self._messages, error)
