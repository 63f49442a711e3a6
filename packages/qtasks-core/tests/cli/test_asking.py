"""Asking before something is done that cannot be undone."""

from __future__ import annotations

import io
import sys

import pytest
import typer

from qtasks.cli.asking import confirm
from qtasks.exc import TaskArgumentsError


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


def ask(monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    confirm("Remove it?", "this removes it")


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_a_yes_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    ask(monkeypatch, Terminal(answer))

    out, err = capsys.readouterr()
    assert (out, err) == ("", "Remove it? [y/N]: ")


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "yesterday\n"])
def test_all_else_ends_the_command(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    with pytest.raises(typer.Abort):
        ask(monkeypatch, Terminal(answer))


def test_where_nobody_can_be_asked_an_option_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskArgumentsError, match="this removes it: add --yes"):
        ask(monkeypatch, io.StringIO("y\n"))
