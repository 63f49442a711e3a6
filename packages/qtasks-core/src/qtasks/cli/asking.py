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
    """
    if not sys.stdin.isatty():
        msg = f"{unasked}: add --yes"
        raise TaskArgumentsError(msg)
    typer.confirm(question, abort=True, err=True)
