"""What was measured, as one document: runs, the queues in them, figures, and failures.

Documents can be merged, so a measurement that is taken again later joins the others; each row says
which run it comes from.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Failure", "Results", "Row"]


@dataclass(frozen=True)
class Row:
    """The figures of one measurement of one queue in one round.

    Attributes:
        run: the id of the run.
        round: its number, from 0.
        peer: the queue.
        measure: the measurement.
        figures: what was found, by name; None for what the queue cannot do.
        took: seconds, the start of server and worker included.
    """

    run: str
    round: int
    peer: str
    measure: str
    figures: dict[str, float | None]
    took: float = 0.0


@dataclass(frozen=True)
class Failure:
    """A measurement that came to nothing, or a queue that does not run; then `measure` is none."""

    run: str
    round: int
    peer: str
    measure: str | None
    why: str


@dataclass
class Results:
    """Everything that is known.

    Attributes:
        runs: of the harness, by their ids, the oldest first: date, command, machine, seed, sizes.
        peers: the queues, by their names: versions, promise, worker, requirements.
        rows: figures.
        failures: what came to nothing.
    """

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    peers: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def merged(self, later: Results) -> Results:
        """Returns these results with later ones added.

        Raises:
            ValueError: both have a run of the same id.
        """
        if both := sorted(self.runs.keys() & later.runs.keys()):
            msg = f"both results have the run {', '.join(both)}; merge each run once"
            raise ValueError(msg)
        return Results(
            {**self.runs, **later.runs},
            {**self.peers, **later.peers},
            [*self.rows, *later.rows],
            [*self.failures, *later.failures],
        )

    def latest(self, peer: str, measure: str) -> list[Row]:
        """Returns the rows of the newest run that has any of this measurement."""
        rows = [row for row in self.rows if (row.peer, row.measure) == (peer, measure)]
        newest = max((list(self.runs).index(row.run) for row in rows), default=None)
        return [row for row in rows if list(self.runs).index(row.run) == newest]

    def main_run(self) -> str:
        """Returns the id of the run that has the most rows, of two the older.

        Raises:
            ValueError: there are no runs.
        """
        if not self.runs:
            msg = "these results have no runs: measure something first"
            raise ValueError(msg)
        return max(self.runs, key=lambda run: sum(row.run == run for row in self.rows))

    def save(self, path: Path) -> None:
        """Writes the document, one row on a line, so that changes can be read."""
        document = asdict(self)
        rows, failures = document.pop("rows"), document.pop("failures")
        head = json.dumps(document, indent=1, ensure_ascii=False)[:-2]
        parts = [
            f' "{name}": [\n' + ",\n".join(f"  {_line(one)}" for one in many) + "\n ]"
            for name, many in (("rows", rows), ("failures", failures))
        ]
        path.write_text(head + ",\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Reads a document.

        Raises:
            ValueError: the file holds something else; the message names it.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                document["runs"],
                document["peers"],
                [Row(**row) for row in document["rows"]],
                [Failure(**one) for one in document["failures"]],
            )
        except (KeyError, TypeError, ValueError) as error:
            msg = f"{path} holds no results of compare.py: {type(error).__name__} {error}"
            raise ValueError(msg) from error


def _line(one: dict[str, Any]) -> str:
    return json.dumps(one, ensure_ascii=False)
