"""Measures QTasks and its peers side by side, each in an environment of its own, on one Valkey.

    python benchmarks/compare.py [--peers qtasks ardiq taskiq] [--tasks 10000] [--rounds 3]

It prints one line of JSON for each peer and round, and at the end a table of the medians.
What is measured, and how, stands in benchmarks/README.md.
A task that was lost, ran twice or returned something else ends the run with an error.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).parent)]

from peers.catalogue import PEERS  # noqa: E402 - the path is set first
from peers.environment import Environment  # noqa: E402 - the path is set first
from peers.measure import measure  # noqa: E402 - the path is set first
from servers import find_programs  # noqa: E402 - the path is set first

#: Columns of the table: the key in the JSON, the heading, the digits after the point.
COLUMNS = (
    ("drain_per_s", "drain /s", 0),
    ("enqueue_one_per_s", "enqueue /s, one by one", 0),
    ("enqueue_together_per_s", "32 at a time", 0),
    ("enqueue_bulk_per_s", "bulk", 0),
    ("start_p50_ms", "start p50 ms", 2),
    ("start_p99_ms", "start p99 ms", 2),
    ("result_p50_ms", "result p50 ms", 2),
    ("result_p99_ms", "result p99 ms", 2),
    ("commands_per_task", "commands a task", 1),
    ("round_trips_per_task", "round trips a task", 2),
    ("idle_commands_per_s", "idle commands /s", 1),
    ("idle_round_trips_per_s", "idle round trips /s", 1),
    ("rss_mb", "RSS MB", 0),
)


def main() -> None:
    options = parse()
    program = find_programs().get(options.server)
    if program is None:
        sys.exit(f"no server {options.server!r} was found; found: {', '.join(find_programs())}")
    environments = [Environment(PEERS[name], options.python) for name in options.peers]
    for environment in environments:
        environment.prepare()
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.peers}
    for number in range(options.rounds):
        # Each round begins with another peer, so that none is always first.
        turn = number % len(environments)
        for environment in environments[turn:] + environments[:turn]:
            found = measure(environment, program, options.tasks)
            runs[environment.peer.name].append(found)
            print(json.dumps({"round": number, **found}), flush=True)
    print(table(runs), file=sys.stderr)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        epilog="What is measured, and how, stands in benchmarks/README.md.",
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[*PEERS])
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks of a drain")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server", default="valkey-9", help="a server that the tests know")
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="what the environments are made with, 3.12 or newer",
    )
    return parser.parse_args()


def table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """Returns the medians of all rounds as Markdown, with the extremes behind them."""
    lines = ["| | " + " | ".join(heading for _, heading, _ in COLUMNS) + " |"]
    lines.append("|" + "---|" * (len(COLUMNS) + 1))
    for name, found in runs.items():
        cells = [cell([run[key] for run in found], digits) for key, _, digits in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(values: list[float | None], digits: int) -> str:
    """Returns a median and its extremes, or a dash for what a peer cannot do."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    middle = f"{statistics.median(known):,.{digits}f}"
    if len(known) == 1:
        return middle
    return f"{middle} ({min(known):,.{digits}f}–{max(known):,.{digits}f})"


if __name__ == "__main__":
    main()
