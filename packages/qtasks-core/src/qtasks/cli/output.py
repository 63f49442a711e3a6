"""What reaches the terminal: tables and lines for people, or one JSON document for programs."""

from __future__ import annotations

import base64
import json
import math
import os
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from qtasks._runtime.errors import printable
from qtasks.cli.tables import Column, LongTable, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Output", "json_safe"]

#: What a table may take where there is no terminal whose width it has to fit.
_UNBOUNDED: Final = 10_000

#: The least that a text beside a label may take of a line.
_LEAST: Final = 20


class Output:
    """Writes answers to standard output and everything else to standard error.

    Args:
        as_json: whether the answer is a JSON document.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def document(self, value: Any) -> None:
        """Writes the one JSON document of the command."""
        text = json.dumps(json_safe(value), ensure_ascii=False, indent=2, allow_nan=False)
        _console().print(Text(text), soft_wrap=True)

    def line(self, text: str = "", style: str = "") -> None:
        """Writes a line of the answer."""
        _console().print(Text(text, style=style), soft_wrap=True)

    def note(self, text: str, style: str = "") -> None:
        """Writes a line that is not the answer."""
        _console(stderr=True).print(Text(text, style=style), soft_wrap=True)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> None:
        """Writes a table that fits the terminal."""
        print_table(_console(), columns, rows)

    def long_table(self, columns: Sequence[Column]) -> LongTable:
        """Returns a table that is written page by page."""
        return LongTable(_console(), columns)

    def hanging(self, label: str, style: str, width: int, *texts: str) -> None:
        """Writes texts below each other beside a label, wrapped to the terminal.

        Long words, which may be paths to copy, are not broken.

        Args:
            label: what stands at the left.
            style: how the label looks.
            width: characters that the label takes, with the gap behind it.
            *texts: the texts.
        """
        console = _console()
        room = max(console.width - width, _LEAST)
        lines = [
            line
            for text in texts
            for line in textwrap.wrap(
                printable(text), room, break_long_words=False, break_on_hyphens=False
            )
        ]
        for number, line in enumerate(lines):
            beside = "" if number else label
            console.print(Text.assemble((f"{beside:<{width}}", style), line), soft_wrap=True)

    def fields(self, pairs: Mapping[str, Any]) -> None:
        """Writes names and values below each other; empty values are left out."""
        shown = {name: value for name, value in pairs.items() if value not in (None, "")}
        width = max(map(len, shown), default=0)
        for name, value in shown.items():
            text = Text.assemble((f"{name:<{width}}", "bold"), "  ", printable(str(value)))
            _console().print(text, soft_wrap=True)

    def block(self, text: str) -> None:
        """Writes several lines as they are."""
        self.line(printable(text.rstrip(), lines=True))

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Shows how far long work has come, on a terminal only.

        Args:
            what: what is done.
            total: how many steps there are, if that is known.

        Yields:
            A function to call with the number of steps that were done.
        """
        from rich.progress import Progress

        console = _console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(what, total=total)
            yield lambda steps: bar.advance(task, steps)


def json_safe(value: Any) -> Any:  # noqa: PLR0911 - one return for each kind of value
    """Turns a value into what JSON can say.

    Bytes become base64, dates ISO 8601, durations seconds, sets and tuples arrays, and anything
    else its text.
    """
    if isinstance(value, Enum):
        return json_safe(value.value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(json_safe(key)): json_safe(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [json_safe(item) for item in sorted(value, key=repr)]
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    return str(value)


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _UNBOUNDED
    return console
