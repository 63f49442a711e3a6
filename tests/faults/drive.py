"""Drives a queue through the cases of the fault plan and prints what became of its tasks.

    python tests/faults/drive.py CASE... [--broker redis] [--seed N] [--tasks N] [--kills N]

CASE is a name such as F1, or ``all``.
``--broker`` is a word or the URL of a broker that may be emptied; without it each case runs on
every broker that it is meant for.
The seed is printed, and decides everything that is left to chance in the driver; the environment
variable QTASKS_TEST_SEED sets it too.
The exit code is 1 if something did not hold.
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
from faultplan.brokers import BROKERS, open_broker  # noqa: E402 - the path is set first
from faultplan.ours import QTasks  # noqa: E402 - the path is set first
from faultplan.report import Report  # noqa: E402 - the path is set first
from faultplan.run import CASES, Case, Run  # noqa: E402 - the path is set first
from faultplan.table import as_table, replace_figures  # noqa: E402 - the path is set first

if TYPE_CHECKING:
    from faultplan.system import System

#: The systems by name.
SYSTEMS = {"qtasks": QTasks}


def main() -> int:
    """Runs what the command line asks for, and returns the exit code."""
    options = parse()
    sys.stderr.write(f"seed {options.seed}\n")
    results = []
    for case, broker in chosen(options):
        sys.stderr.write(f"{case.name} on {broker}: {case.title}\n")
        result = run_case(SYSTEMS[options.system](), case, broker, options)
        results.append(result)
        sys.stderr.write(f"{summary(result)}\n")
    table = as_table(results)
    sys.stdout.write(f"{json.dumps(results, indent=1) if options.json else table}\n")
    if options.save is not None:
        options.save.parent.mkdir(parents=True, exist_ok=True)
        options.save.write_text(f"{json.dumps(results, indent=1)}\n")
    if options.page is not None:
        replace_figures(options.page, f"{where_and_when(options)}\n\n{table}")
    return 0 if all(result["passed"] for result in results) else 1


def chosen(options: argparse.Namespace) -> list[tuple[Case, str]]:
    """Returns the cases to run, each with its broker."""
    planned = [name for name, case in CASES.items() if case.planned]
    names = planned if "all" in options.cases else options.cases
    for name in names:
        if name not in CASES:
            sys.exit(f"no case {name!r}; there are {', '.join(CASES)}, and 'all'")
    cases = [CASES[name] for name in names]
    return [
        (case, broker)
        for case in cases
        for broker in ([options.broker] if options.broker else case.brokers)
    ]


def run_case(
    system: System, case: Case, broker: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Runs one case on one broker, in a folder of its own; that of a failure is kept."""
    tasks = case.tasks if options.tasks is None else options.tasks
    kills = case.kills if options.kills is None else options.kills
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"qtasks-{case.name}-"))
    with (
        open_broker(broker, folder) as opened,
        Run(
            system,
            opened,
            folder,
            seed=options.seed,
            tasks=tasks,
            kills=kills,
            quiet=not sys.stderr.isatty(),
        ) as run,
    ):
        report = attempt(case, run)
    if report.passed and not options.keep:
        shutil.rmtree(folder)
    return {
        "system": system.name,
        "case": case.name,
        "title": case.title,
        "broker": broker,
        "seed": options.seed,
        "tasks": tasks,
        "kills": kills,
        "seconds": round(time.monotonic() - began, 1),
        "folder": str(folder) if folder.exists() else None,
        **report.as_dict(),
    }


def attempt(case: Case, run: Run) -> Report:
    """Runs a case; what it waited for in vain is a figure that did not hold."""
    try:
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
    how = f"python tests/faults/drive.py {' '.join(options.cases)} --seed {options.seed}"
    return f"Measured on {today}: {machine}, by `{how}`."


def parse() -> argparse.Namespace:
    """Reads the command line."""
    kinds = "; ".join(f"{kind}: {what}" for kind, what in BROKERS.items())
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="+", metavar="CASE", help=f"{', '.join(CASES)}, or all")
    parser.add_argument("--broker", help=f"a URL, or {kinds}")
    parser.add_argument("--system", choices=SYSTEMS, default="qtasks", help="the queue to drive")
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
