"""The command line: ``qtasks``, also ``python -m qtasks``.

Nothing below imports this room, and typer and rich are imported only when a command runs.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Runs the command that the arguments of the process name, and exits.

    The exit code is 0 when all went well, 1 when the command did what it was asked but the answer
    is bad (a task failed, an id is no dead letter), 2 when it could not be done, 3 when a wait ran
    out and 130 after Ctrl-C.
    """
    from qtasks.cli.commands import cli

    cli(prog_name="qtasks")
