"""Measures QTasks and its peers side by side, each in an environment of its own, on one Valkey.

    python benchmarks/compare.py [--peers qtasks,ardiq] [--measures drain,delay] [--quick] [--save]

It prints one line of JSON for each peer and round, and at the end a table of the medians.
With --save both go into benchmarks/results.
A peer that cannot be installed or fails is listed with the reason, and the run goes on.
What is measured, and how, stands in benchmarks/README.md.
A task that was lost, ran twice or returned something else is such a failure.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).parent)]

from peers.catalogue import PEERS  # noqa: E402 - the path is set first
from peers.environment import Environment  # noqa: E402 - the path is set first
from peers.measure import MEASURES, measure  # noqa: E402 - the path is set first
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
    ("worker_cpu_us_per_task", "worker CPU µs a task", 0),
    ("server_cpu_us_per_task", "server CPU µs a task", 0),
    ("delay_1ms_drain_per_s", "drain /s behind 1 ms", 0),
    ("delay_2ms_drain_per_s", "behind 2 ms", 0),
    ("rss_mb", "RSS MB", 0),
)


def main() -> None:
    options = parse()
    program = find_programs().get(options.server)
    if program is None:
        sys.exit(f"no server {options.server!r} was found; found: {', '.join(find_programs())}")
    failed: dict[str, str] = {}
    environments = [Environment(PEERS[name], options.python) for name in options.peers]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.peers}
    for environment in environments:
        attempt(failed, environment.peer.name, environment.prepare)
    for number in range(options.rounds):
        # Each round begins with another peer, so that none is always first.
        turn = number % len(environments)
        for environment in environments[turn:] + environments[:turn]:
            name = environment.peer.name
            if name in failed:
                continue
            print(f"round {number + 1} of {options.rounds}: {name} ...", file=sys.stderr)

            def run(environment: Environment = environment) -> dict[str, Any]:
                return measure(environment, program, options.tasks, options.measures)

            found = attempt(failed, name, run)
            if found is not None:
                runs[name].append(found)
                print(json.dumps({"round": number, **found}), flush=True)
    report = "\n\n".join(filter(None, [table(runs), failures(failed)]))
    print(report, file=sys.stderr)
    if options.save:
        save(runs, failed, report, f"{program.name} {program.version}")


def attempt(failed: dict[str, str], name: str, step: Callable[[], Any]) -> Any:
    """Takes a step of a peer; if it fails, notes why and returns None."""
    try:
        return step()
    except (SystemExit, RuntimeError, OSError, AssertionError) as error:
        failed[name] = str(error)
    except subprocess.SubprocessError as error:
        failed[name] = f"{type(error).__name__}: {error}"
    print(f"{name} failed: {failed[name]}", file=sys.stderr)
    return None


def failures(failed: dict[str, str]) -> str:
    """Returns a list of the peers that failed, with the reasons."""
    return "\n".join(f"- {name} failed: {' '.join(why.split())}" for name, why in failed.items())


def save(
    runs: dict[str, list[dict[str, Any]]], failed: dict[str, str], report: str, server: str
) -> None:
    """Writes the table and the raw figures into benchmarks/results."""
    now = dt.datetime.now(dt.UTC)
    path = RESULTS / f"{now:%Y-%m-%d-%H%M}-peers.md"
    command = shlex.join(["python", "benchmarks/compare.py", *sys.argv[1:]])
    versions = {name: PEERS[name].requirements for name in runs}
    about = {
        "date": f"{now:%Y-%m-%d}",
        "command": command,
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        "server": server,
    }
    lines = [f"- {key}: {value}" for key, value in about.items()]
    lines += [f"- {name}, {PEERS[name].promise}: {', '.join(versions[name])}" for name in runs]
    path.write_text("# Beside its peers\n\n" + "\n".join(lines) + f"\n\n{report}\n")
    raw = {**about, "requirements": versions, "failed": failed, "runs": runs}
    path.with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        epilog="What is measured, and how, stands in benchmarks/README.md.",
    )
    parser.add_argument("--peers", type=names(PEERS), default=[*PEERS], help=", ".join(PEERS))
    parser.add_argument(
        "--measures", type=names(MEASURES), default=[*MEASURES], help=", ".join(MEASURES)
    )
    parser.add_argument("--quick", action="store_true", help="500 tasks, one round: does it work?")
    parser.add_argument("--save", action="store_true", help="write into benchmarks/results")
    parser.add_argument("--tasks", type=int, help="tasks of a drain (10000)")
    parser.add_argument("--rounds", type=int, help="rounds of each peer (3)")
    parser.add_argument("--server", default="valkey-9", help="a server that the tests know")
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="what the environments are made with, 3.12 or newer",
    )
    options = parser.parse_args()
    options.tasks = options.tasks or (500 if options.quick else 10_000)
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Returns a reader of names with commas between them."""

    def read(text: str) -> list[str]:
        found = [name.strip() for name in text.split(",")]
        if unknown := [name for name in found if name not in known]:
            msg = f"unknown: {', '.join(unknown)}; known: {', '.join(known)}"
            raise argparse.ArgumentTypeError(msg)
        return found

    return read


def table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """Returns the medians of all rounds as Markdown, with the extremes behind them."""
    lines = ["| | " + " | ".join(heading for _, heading, _ in COLUMNS) + " |"]
    lines.append("|" + "---|" * (len(COLUMNS) + 1))
    for name, found in runs.items():
        cells = [cell([run.get(key) for run in found], digits) for key, _, digits in COLUMNS]
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
