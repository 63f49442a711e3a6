"""Asking before something is done that cannot be undone."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from qtasks.exc import TaskArgumentsError

__all__ = ["Yes", "confirm"]

#: The option of commands that ask.
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]


def confirm(question: str, unasked: str) -> None:
    """Asks, and ends the command unless the answer is yes.

    Args:
        question: what is asked, with a question mark.
        unasked: what the command would do, for the error where nobody can be asked.

    Raises:
        TaskArgumentsError: standard input is no terminal.
        typer.Abort: the answer is not yes.
    """
    if not sys.stdin.isatty():
        msg = f"{unasked}: add --yes"
        raise TaskArgumentsError(msg)
    # typer's own question writes a part of itself to standard output, where the answer goes.
    typer.echo(f"{question} [y/N]: ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise typer.Abort
