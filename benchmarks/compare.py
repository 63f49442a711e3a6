"""Measures QTasks and its peers side by side, each in an environment of its own.

    python benchmarks/compare.py                             # everything, about 25 minutes
    python benchmarks/compare.py --quick                     # does it work? a few minutes
    python benchmarks/compare.py --peers qtasks,ardiq --measures drain,latency
    python benchmarks/compare.py --save                      # into benchmarks/results
    python benchmarks/compare.py --peers saq --into benchmarks/results/2026-11-28-peers.json

Tables of the medians are printed, for each class of queues one.
What does not install, does not run, loses a task or runs one twice is listed with the reason, and
the run goes on.
What is measured, and how, stands in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).parent)]

from harness.catalogue import CLASSES, PEERS  # noqa: E402 - the path is set first
from harness.interpreters import find_interpreters  # noqa: E402 - the path is set first
from harness.machine import describe_machine  # noqa: E402 - the path is set first
from harness.measures import MEASURES  # noqa: E402 - the path is set first
from harness.results import Results  # noqa: E402 - the path is set first
from harness.scale import FULL, QUICK  # noqa: E402 - the path is set first
from harness.session import Session  # noqa: E402 - the path is set first
from harness.tables import report  # noqa: E402 - the path is set first
from servers import find_programs  # noqa: E402 - the path is set first
from servers.programs import explain_missing  # noqa: E402 - the path is set first


def main() -> None:
    options = parse()
    program = find_programs().get(options.server)
    if program is None:
        sys.exit(explain_missing(options.server))
    before = Results.load(options.into) if options.into and options.into.exists() else Results()
    scale = QUICK if options.quick else FULL
    now = dt.datetime.now(dt.UTC)
    run = f"{now:%Y-%m-%d %H:%M:%S}"
    pythons = options.python or find_interpreters()
    peers = [PEERS[name] for name in options.peers]
    session = Session(run, peers, scale, program=program, pythons=pythons, seed=options.seed)
    session.results.runs[run] = {
        "command": shlex.join(["python", "benchmarks/compare.py", *sys.argv[1:]]),
        "commit": commit(),
        **describe_machine(),
        "server": f"{program.name} {program.version}",
        "harness python": platform.python_version(),
        "seed": options.seed,
        "rounds": options.rounds or scale.rounds,
        "scale": dataclasses.asdict(scale),
    }
    new = RESULTS / f"{now:%Y-%m-%d-%H%M}-peers.json" if options.save else None
    try:
        session.measure(session.prepare(), options.measures, options.rounds or scale.rounds)
    except KeyboardInterrupt:
        print("interrupted: what was measured so far counts", file=sys.stderr)
    finally:
        conclude(before.merged(session.results), options.into or new)


def conclude(results: Results, path: Path | None) -> None:
    """Keeps the results, if they are to be kept, and prints the tables."""
    if path is not None:
        results.save(path)
        print(f"saved; show it with: python benchmarks/publish.py {path}", file=sys.stderr)
    print(report(results))


def commit() -> str:
    """Returns the commit of QTasks that is measured, with a mark if files have changed since."""
    git = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="measures:\n"
        + "\n".join(f"  {name:<12} {one.about}" for name, one in MEASURES.items())
        + "\n\nclasses:\n"
        + "\n".join(f"  {name:<12} {about}" for name, about in CLASSES.items()),
    )
    which = parser.add_argument_group("what is measured")
    which.add_argument(
        "--peers", type=names(PEERS), metavar="A,B", help=f"of {', '.join(PEERS)} (all)"
    )
    which.add_argument(
        "--classes", type=names(CLASSES), metavar="A,B", help="all queues of these classes"
    )
    which.add_argument(
        "--measures",
        type=names(MEASURES),
        default=[*MEASURES],
        metavar="A,B",
        help="see below (all)",
    )
    which.add_argument("--quick", action="store_true", help="small and once: does it work?")
    which.add_argument("--rounds", type=int, metavar="N", help="of each measurement, at most (3)")
    which.add_argument("--seed", type=int, default=1, metavar="N", help="of what is random (1)")
    where = parser.add_argument_group("with what, and where to")
    where.add_argument("--server", default="valkey-9", help="a server the tests know (valkey-9)")
    where.add_argument(
        "--python",
        action="append",
        metavar="COMMAND",
        help="makes the environments; more than one is tried in turn (the newest on the path)",
    )
    keep = where.add_mutually_exclusive_group()
    keep.add_argument("--save", action="store_true", help="keep the figures in benchmarks/results")
    keep.add_argument("--into", type=Path, metavar="FILE", help="keep them beside those in a file")
    options = parser.parse_args()
    if options.peers is None:
        classes = set(options.classes or CLASSES)
        options.peers = [name for name, peer in PEERS.items() if classes & {*peer.classes}]
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


if __name__ == "__main__":
    main()
