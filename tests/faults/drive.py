"""Drives queues through the cases of the fault plan and prints what became of their tasks.

    python tests/faults/drive.py CASE... [--broker redis] [--seed N] [--tasks N] [--kills N]
    python tests/faults/drive.py CASE... --system NAME [--tasks N] [--kills N]

CASE is a name such as F1, or ``all``.
``--broker`` is a word or the URL of a broker that may be emptied; without it each case runs on
every broker that it is meant for.
``--system`` compares: it names queues, or is ``all``, and takes them through F1, F3 and F7 in a
form that is the same for each, ours included; others are installed when they are first needed.
The seed is printed, and decides everything that is left to chance in the driver; the environment
variable QTASKS_TEST_SEED sets it too.
The exit code is 1 if something did not hold; in a comparison only what QTasks did counts.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import faultplan.cases  # noqa: E402, F401 - the path is set first; it registers the cases
from faultplan.brokers import BROKERS, Broker, open_broker  # noqa: E402 - the path is set first
from faultplan.ours import QTasks  # noqa: E402 - the path is set first
from faultplan.peers.comparison import OURS, SYSTEMS, about, open_system  # noqa: E402 - the path is set first
from faultplan.peers.environment import UnavailableError  # noqa: E402 - the path is set first
from faultplan.peers.table import as_comparison  # noqa: E402 - the path is set first
from faultplan.report import Report  # noqa: E402 - the path is set first
from faultplan.run import CASES, COMPARED, Case, Run  # noqa: E402 - the path is set first
from faultplan.table import as_table, replace_figures  # noqa: E402 - the path is set first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultplan.system import System


def main() -> int:
    """Runs what the command line asks for, and returns the exit code."""
    options = parse()
    sys.stderr.write(f"seed {options.seed}\n")
    results = []
    for result in compare(options) if options.system else plan(options):
        results.append(result)
        sys.stderr.write(f"{summary(result)}\n")
        if options.save is not None:  # at once, so that a break costs one case and no more
            options.save.parent.mkdir(parents=True, exist_ok=True)
            kept = [one | {"folder": None} for one in results]  # which is on this machine alone
            options.save.write_text(f"{json.dumps(kept, indent=1)}\n")
    table = as_comparison(results) if options.system else as_table(results)
    sys.stdout.write(f"{json.dumps(results, indent=1) if options.json else table}\n")
    if options.page is not None:
        part = "peers" if options.system else "figures"
        replace_figures(options.page, f"{where_and_when(options)}\n\n{table}", part)
    return 0 if all(result["passed"] for result in results if result["system"] == OURS) else 1


def plan(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Runs the plan on ours."""
    for case, broker in chosen(CASES, options):
        sys.stderr.write(f"{case.name} on {broker}: {case.title}\n")
        yield run_case(QTasks(), case, broker, options)


def compare(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Takes queues through the same cases; one that is not to be had is said to be so."""
    if (options.broker or "redis").startswith("sqlite"):
        sys.exit(f"--broker {options.broker}: queues are compared on Redis, which all of them know")
    for case, broker in chosen(COMPARED, options):
        for name in SYSTEMS if "all" in options.system else options.system:
            sys.stderr.write(f"{case.name}, {name} on {broker}: {case.title}\n")
            try:
                result = run_case(open_system(name), case, broker, options)
            except UnavailableError as error:
                report = Report()
                report.must(f"{name} can be driven", held=False, found=f"{error}")
                result = as_result(name, case, broker, options) | report.as_dict()
            yield about(name) | result


def chosen(cases: dict[str, Case], options: argparse.Namespace) -> list[tuple[Case, str]]:
    """Returns the cases to run, each with its broker."""
    planned = [name for name, case in cases.items() if case.planned]
    names = planned if "all" in options.cases else options.cases
    for name in names:
        if name not in cases:
            sys.exit(f"no case {name!r}; there are {', '.join(cases)}, and 'all'")
    return [
        (case, broker)
        for case in map(cases.__getitem__, names)
        for broker in ([options.broker] if options.broker else case.brokers)
    ]


def run_case(
    system: System, case: Case, broker: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Runs one case on one broker, in a folder of its own; that of a failure is kept."""
    head = as_result(system.name, case, broker, options)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"qtasks-{case.name}-"))
    with open_broker(broker, folder) as opened:
        report = attempt(system, case, opened, folder, head)
    if report.passed and not options.keep:
        shutil.rmtree(folder)
    return head | {
        "seconds": round(time.monotonic() - began, 1),
        "folder": str(folder) if folder.exists() else None,
        **report.as_dict(),
    }


def as_result(system: str, case: Case, broker: str, options: argparse.Namespace) -> dict[str, Any]:
    """Returns what is known of a result before the case has run."""
    return {
        "system": system,
        "case": case.name,
        "title": case.title,
        "broker": broker,
        "seed": options.seed,
        "tasks": case.tasks if options.tasks is None else options.tasks,
        "kills": case.kills if options.kills is None else options.kills,
        "seconds": 0.0,
        "folder": None,
    }


def attempt(
    system: System, case: Case, broker: Broker, folder: Path, head: dict[str, Any]
) -> Report:
    """Runs a case; what it waited for in vain is a figure that did not hold."""
    size = {name: head[name] for name in ("seed", "tasks", "kills")}
    try:
        with Run(system, broker, folder, **size, quiet=not sys.stderr.isatty()) as run:
            return case.run(run)
    except Exception as error:  # noqa: BLE001 - the other cases are to run all the same
        traceback.print_exc()
        report = Report()
        report.must("the case comes to its end", held=False, found=f"{error}")
        return report


def summary(result: dict[str, Any]) -> str:
    """Returns a line on one result."""
    failed = [
        f"{check['what']}: {check['found']}" for check in result["checks"] if not check["held"]
    ]
    verdict = "held" if result["passed"] else f"did NOT hold: {'; '.join(failed)}"
    kept = "" if result["folder"] is None else f" (see {result['folder']})"
    return f"  {verdict} after {result['seconds']} s{kept}"


def where_and_when(options: argparse.Namespace) -> str:
    """Returns the sentence above a table that says how its figures were made."""
    today = dt.datetime.now(tz=dt.UTC).date()
    machine = (
        f"{os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"
    )
    systems = f" --system {' '.join(options.system)}" if options.system else ""
    how = f"python tests/faults/drive.py {' '.join(options.cases)}{systems} --seed {options.seed}"
    return f"Measured on {today}: {machine}, by `{how}`."


def parse() -> argparse.Namespace:
    """Reads the command line."""
    kinds = "; ".join(f"{kind}: {what}" for kind, what in BROKERS.items())
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="+", metavar="CASE", help=f"{', '.join(CASES)}, or all")
    parser.add_argument("--broker", help=f"a URL, or {kinds}")
    parser.add_argument(
        "--system",
        nargs="+",
        choices=[*SYSTEMS, "all"],
        metavar="NAME",
        help=f"compare queues in {', '.join(COMPARED)}: {', '.join(SYSTEMS)}, or all",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=int(os.environ.get("QTASKS_TEST_SEED") or random.SystemRandom().randrange(10**6)),
    )
    parser.add_argument("--tasks", type=int, help="how many; by default those of the case")
    parser.add_argument("--kills", type=int, help="how many faults; by default those of the case")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the JSON there too")
    parser.add_argument("--page", type=Path, help="put the table between the markers of a page")
    parser.add_argument("--keep", action="store_true", help="keep the files of each run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
