"""The command line of the example; what cannot be is refused before anything starts."""

from __future__ import annotations

import argparse
import os
import sysconfig
from pathlib import Path

from crew import HERE


def parse_options(description: str | None) -> argparse.Namespace:
    """Reads the command line; ends the process with exit code 2 if it makes no sense."""
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    stdlib = Path(sysconfig.get_path("stdlib"))
    add("--root", type=folder, default=stdlib, help="what to look at; default the standard library")
    add("--limit", type=positive, metavar="N", help="only so many files")
    cpus = os.cpu_count() or 1
    add("--workers", type=positive, metavar="N", default=cpus, help="default one for each CPU")
    add("--broker", metavar="URL", help="where the tasks go; default a SQLite file in --state")
    add(
        "--state",
        type=Path,
        default=HERE / ".state",
        help="where that file and the workers' logs are; default .state here",
    )
    add("--fresh", action="store_true", help="start over instead of going on")
    options = parser.parse_args()
    options.broker = options.broker or os.environ.get("QTASKS_BROKER_URL")
    options.state = options.state.resolve()
    try:
        options.state.mkdir(parents=True, exist_ok=True)
        (options.state / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        parser.error(f"--state {options.state}: {error.strerror}: name a folder to write into")
    return options


def positive(text: str) -> int:
    """Reads a whole number of 1 or more."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        msg = f"{text!r}: write a whole number of 1 or more"
        raise argparse.ArgumentTypeError(msg)
    return value


def folder(text: str) -> Path:
    """Reads the path of a folder that is there."""
    path = Path(text).resolve()
    if not path.is_dir():
        msg = f"{text!r}: there is no such folder"
        raise argparse.ArgumentTypeError(msg)
    return path
