"""Tables that fit the terminal."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from qtasks._runtime.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

__all__ = ["Column", "LongTable", "print_table"]

#: Characters between two columns.
_GAP: Final = 2
#: The least that a column of sentences should have, and the most lines of one cell of it.
_SENTENCE: Final = 24
_LINES: Final = 4
#: What such a column keeps in a long table when the others grow.
_NARROW: Final = 10
#: How much of an id is shown where there is no room for it; enough to name the task.
_SHORT_ID: Final = 8


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: what stands above it.
        right: whether its values stand right.
        wraps: whether it holds sentences, which may take several lines.
        shortens: whether it holds ids, of which the last characters are enough.
        copied: whether its values are there to be copied, so that they are never cut.
        spare: in which turn it is left out where there is no room, from 1; 0 is never.
    """

    name: str
    right: bool = False
    wraps: bool = False
    shortens: bool = False
    copied: bool = False
    spare: int = 0


def print_table(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> None:
    """Writes a table: first ids get short, then spare columns go, and sentences wrap.

    Args:
        console: where to write.
        columns: the columns.
        rows: the values, as many in each row as there are columns; text is shown as it is.
    """
    texts = [[printable(str(value)) for value in row] for row in rows]
    kept, texts = _fitting(columns, texts, console.width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in kept:
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            no_wrap=column.shortens or column.copied,  # others shrink first
            overflow="fold" if column.wraps else "ellipsis",
        )
    room = console.width - _width([c for c in kept if not c.wraps], _without_wrapping(kept, texts))
    for row in texts:
        table.add_row(*(_cell(c, text, room) for c, text in zip(kept, row, strict=True)))
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    lines = (line.rstrip() for line in captured.get().splitlines())
    console.print(Text("\n".join(lines)), soft_wrap=True)


class LongTable:
    """Writes a table page by page, without holding or measuring all of it.

    The first page decides which columns there are; they grow where a later one has longer values.
    Sentences wrap in the last column.

    Args:
        console: where to write.
        columns: the columns.
    """

    def __init__(self, console: Console, columns: Sequence[Column]) -> None:
        self._console = console
        self._columns = columns
        self._kept: Sequence[Column] = ()
        self._short = False
        self._widths: list[int] = []

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Writes the next rows, and the names of the columns above the first ones."""
        texts = [[printable(str(value)) for value in row] for row in rows]
        first = not self._kept
        if first:
            # Sentences need room, even if those of the first page are all empty.
            sentences = [" " * _SENTENCE if column.wraps else "" for column in self._columns]
            probe = [*texts, sentences]
            self._short = _width(self._columns, probe) > self._console.width
            self._kept, _ = _fitting(self._columns, probe, self._console.width)
            self._widths = [len(column.name) for column in self._kept]
        texts = [self._shown(row) for row in texts]
        places = range(len(self._kept) - 1)
        for place in places:
            widest = max((cell_len(row[place]) for row in texts), default=0)
            self._widths[place] = max(self._widths[place], widest)
        if first:
            names = self._lines([column.name for column in self._kept])
            self._console.print(Text("\n".join(names), style="bold"), soft_wrap=True)
        # rich takes longer for a row than the server does.
        lines = (line for row in texts for line in self._lines(row))
        self._console.file.write("".join(f"{line}\n" for line in lines))

    def _shown(self, row: Sequence[str]) -> list[str]:
        return [
            text[-_SHORT_ID:] if self._short and column.shortens else text
            for column, text in zip(self._columns, row, strict=True)
            if column in self._kept
        ]

    def _lines(self, row: Sequence[str]) -> list[str]:
        start = ""
        for column, width, text in zip(self._kept[:-1], self._widths, row, strict=False):
            gap = " " * (width - cell_len(text))
            start += (gap + text if column.right else text + gap) + " " * _GAP
        room = max(_NARROW, self._console.width - cell_len(start))
        wrapped = [row[-1]]
        if self._kept[-1].wraps and len(row[-1]) > room:
            wrapped = textwrap.wrap(row[-1], room, max_lines=_LINES, placeholder="…")
        indent = " " * cell_len(start)
        return [
            f"{indent if number else start}{text}".rstrip() for number, text in enumerate(wrapped)
        ]


def _cell(column: Column, text: str, room: int) -> Text:
    if not column.wraps:
        # The text itself does not wrap, so that its column may shrink and stay one line high.
        return Text(text, no_wrap=True, overflow="ellipsis")
    most = max(_SENTENCE, room - _GAP) * _LINES
    return Text(text if len(text) <= most else f"{text[: most - 1]}…", overflow="fold")


def _fitting(
    columns: Sequence[Column], rows: list[list[str]], width: int
) -> tuple[list[Column], list[list[str]]]:
    """Shortens ids and drops columns until the table fits, or nothing more can be done."""
    kept = list(columns)
    if _width(kept, rows) > width:
        rows = [
            [t[-_SHORT_ID:] if c.shortens else t for c, t in zip(kept, row, strict=True)]
            for row in rows
        ]
    for column in sorted((c for c in columns if c.spare), key=lambda c: c.spare):
        if _width(kept, rows) <= width:
            break
        place = kept.index(column)
        del kept[place]
        rows = [row[:place] + row[place + 1 :] for row in rows]
    return kept, rows


def _width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Returns what the columns take; sentences may be content with less than all they could."""
    taken = 0
    for place, column in enumerate(columns):
        width = max([len(column.name), *(len(row[place]) for row in rows)])
        taken += min(width, _SENTENCE) if column.wraps else width
    return taken + _GAP * (len(columns) - 1)


def _without_wrapping(columns: Sequence[Column], rows: list[list[str]]) -> list[list[str]]:
    return [[t for c, t in zip(columns, row, strict=True) if not c.wraps] for row in rows]
