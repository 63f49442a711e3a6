"""What was counted, as tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from inventory import Counts
    from rich.console import Console

TOP = 12


@dataclass
class Inventory:
    """The results as they come in.

    Attributes:
        counts: by file, for those that could be parsed.
        failures: id of the task and the error in one line, by file, for the others.
    """

    counts: dict[str, Counts] = field(default_factory=dict)
    failures: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.counts) + len(self.failures)

    def total(self, what: str) -> int:
        """Adds up lines, functions, classes or imports."""
        return sum(counts[what] for counts in self.counts.values())  # type: ignore[literal-required]  # `what` is one of its keys

    def print(self, console: Console) -> None:
        """Prints the tables and the totals."""
        largest = Table(box=None, pad_edge=False)
        largest.add_column("file")
        for name in ("lines", "functions", "classes", "imports"):
            largest.add_column(name, justify="right")
        for path, counts in sorted(
            self.counts.items(), key=lambda item: (-item[1]["lines"], item[0])
        )[:TOP]:
            numbers = (counts["lines"], counts["functions"], counts["classes"], counts["imports"])
            largest.add_row(Text(path), *(f"{number:,}" for number in numbers))
        imported = Table(box=None, pad_edge=False)
        imported.add_column("name")
        imported.add_column("files", justify="right")
        names = Counter(name for counts in self.counts.values() for name in counts["names"])
        for name, files in sorted(names.items(), key=lambda item: (-item[1], item[0]))[:TOP]:
            imported.add_row(Text(name), f"{files:,}")
        console.print(
            "\nLargest modules\n", largest, "\nMost imported names\n", imported, "", sep="\n"
        )
        console.print(
            f"In all: {len(self.counts):,} files,"
            f" {self.total('lines'):,} lines, {self.total('functions'):,} functions,"
            f" {self.total('classes'):,} classes, {self.total('imports'):,} imports."
        )

    def print_failures(self, console: Console, command: str) -> None:
        """Prints which files could not be parsed, and how to see why."""
        if not self.failures:
            console.print("Every file could be parsed.")
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        for path, (_, error) in sorted(self.failures.items()):
            table.add_row(Text(path), Text(error, no_wrap=True, overflow="ellipsis"))
        console.print(f"\nCould not be parsed: {len(self.failures)}, whose tasks failed:")
        console.print(table)
        task_id, _ = self.failures[min(self.failures)]
        console.print("\nThe traceback of the first of them, with:")
        console.print(Text(f"  {command} tasks show {task_id}"), soft_wrap=True)
