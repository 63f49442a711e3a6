"""Takes inventory of the standard library: one task for each of its files.

Run it with ``python examples/inventory/main.py``; see the README beside it.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from crew import COMMAND, HERE, Crew, WorkersDiedError
from options import parse_options
from progress import watch
from report import Inventory
from resume import Run
from rich.console import Console

from qtasks.exc import ConfigError, QTasksError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from qtasks import QueueTasks, TaskHandle

INTERRUPTED = 130


def main() -> int:
    """Runs the demo and returns its exit code."""
    options = parse_options(__doc__.partition("\n")[0] if __doc__ else None)
    # A supervisor's SIGTERM ends the workers as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 100
    try:
        take_inventory(options, console)
    except KeyboardInterrupt:
        console.print("\nStopped. Run it again and it goes on where it was; --fresh starts over.")
        return INTERRUPTED
    except (QTasksError, WorkersDiedError) as error:
        console.print(f"error: {error}", markup=False, soft_wrap=True)
        return 2
    return 0


def take_inventory(options: argparse.Namespace, console: Console) -> None:
    """Adds the tasks, runs workers until they are done, and reports."""
    state, root = options.state, options.root
    chosen = options.broker
    if chosen is None and state != HERE / ".state":
        chosen = f"sqlite:///{quote(str(state / 'inventory.db'))}"
    if chosen is not None:  # the app reads it, here and in the workers
        os.environ["QTASKS_BROKER_URL"] = chosen
    from inventory import app

    if not app.broker.capabilities.processes:
        msg = (
            f"{shown(app.broker.url)}: that queue is inside one process, and the workers are"
            " processes of their own: use another --broker or QTASKS_BROKER_URL, or leave it out"
        )
        raise ConfigError(msg)
    files = sorted(find_files(root))[: options.limit]
    console.print(f"{len(files):,} files under {root}", soft_wrap=True)
    console.print(f"Their queue: {shown(app.broker.url)}", soft_wrap=True)
    with app:
        run = Run(state / "run.json", root, shown(app.broker.url))
        if options.fresh:
            run.start_over(app, files)
        names = {run.task_id(file): str(file.relative_to(root)) for file in files}
        inventory = Inventory()
        for handle in run.finished(app, names):
            note(inventory, names, handle)
        if run.resumed:
            console.print(f"resumed: {len(inventory):,} of {len(files):,} were already done")
        waiting = add_tasks(app, root, names, inventory)
        began = time.monotonic()
        with Crew(options.workers if waiting else 0, state) as crew:
            for handle in watch(console, app, waiting, len(inventory), crew.check):
                note(inventory, names, handle)
            seconds = time.monotonic() - began
        run.end()
    inventory.print(console)
    inventory.print_failures(console, command(chosen))
    if waiting:
        rate = len(waiting) / seconds
        console.print(
            f"\n{len(waiting):,} files in {seconds:.1f} s: {rate:,.0f} files/s,"
            f" worker processes: {options.workers}"
        )
    console.print("This run is complete; the next one starts anew.")


def find_files(root: Path) -> Iterator[Path]:
    """Yields the Python files below a folder, but not those of installed packages."""
    for directory, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in ("site-packages", "dist-packages")]
        for name in names:
            file = Path(directory, name)
            if file.suffix == ".py" and file.is_file():
                yield file


def add_tasks(
    app: QueueTasks, root: Path, names: dict[str, str], inventory: Inventory
) -> list[TaskHandle[Any]]:
    """Adds a task for every file that is not done yet, in one step."""
    from inventory import count_file

    done = inventory.counts.keys() | inventory.failures.keys()
    calls = [
        count_file.options(task_id=task_id).build(str(root / name))
        for task_id, name in names.items()
        if name not in done
    ]
    return app.add_tasks(calls)


def note(inventory: Inventory, names: dict[str, str], handle: TaskHandle[Any]) -> None:
    """Writes down how a task ended."""
    name, counts = names[handle.id], handle.returning
    if counts is not None:
        inventory.counts[name] = counts
        return
    error = handle.error
    why = f"{error.type.rpartition('.')[2]}: {error.message}" if error else handle.reason
    inventory.failures[name] = (handle.id, " ".join(why.split()))


def command(broker: str | None) -> str:
    """Returns the beginning of a command on this queue, to be typed into any shell.

    A password is not shown: whoever types it has to put it where the asterisks are.
    """
    if broker is None:
        return f"cd {shlex.quote(str(HERE))} && {shlex.join(COMMAND)}"
    from qtasks.contracts.secrets import mask_url

    variables = {"PYTHONPATH": str(HERE), "QTASKS_BROKER_URL": mask_url(broker)}
    env = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    return f"cd {shlex.quote(str(Path.cwd()))} && {env} {shlex.join(COMMAND)}"


def shown(url: str) -> str:
    """Returns what a URL stands for: the path of the file, or the URL without a password."""
    from qtasks.cli.places import describe_url

    return describe_url(url)


if __name__ == "__main__":
    sys.exit(main())
