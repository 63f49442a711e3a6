"""How the command line is read, and what it says when it cannot be."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from qtasks.cli.commands import cli


def typed(*arguments: str) -> Result:
    """Runs ``qtasks`` with these arguments."""
    return CliRunner().invoke(cli, arguments, prog_name="qtasks")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stats", "-A", "big"], "qtasks -A big stats"),
        (["stats", "mail", "--app", "big:app", "--json"], "qtasks -A big:app stats"),
        (["run", "--app=big"], "qtasks -A big run"),
        (["tasks", "list", "-Abig"], "qtasks -A big tasks list"),
        (["tasks", "-A", "big", "list"], "qtasks -A big tasks"),
        (["dead", "list", "-A"], "qtasks -A MODULE:APP dead list"),
    ],
)
def test_an_app_behind_the_command_is_explained(arguments: list[str], said: str) -> None:
    done = typed(*arguments)

    assert done.exit_code == 2
    assert done.stderr == f"error: -A stands before the command: {said}\n"


def test_a_command_that_was_taken_for_the_app_is_explained() -> None:
    done = typed("-A", "stats")

    assert done.exit_code == 2
    assert "-A took 'stats' as the app, and no command follows: write" in done.stderr
    assert "qtasks -A MODULE:APP stats" in done.stderr


@pytest.mark.parametrize("arguments", [["-A", "tasks", "nothing"], ["-A", "shop"]])
def test_an_app_may_have_the_name_of_a_command(arguments: list[str]) -> None:
    done = typed(*arguments)

    assert done.exit_code == 2
    assert "took" not in done.stderr


@pytest.mark.parametrize(
    "command", [[], ["run"], ["call"], ["stats"], ["tasks", "list"], ["dead", "discard"], ["tasks"]]
)
def test_flags_are_shown_without_a_value(command: list[str]) -> None:
    done = typed(*command, "--help")

    assert "--help" in done.stdout
    assert "bool" not in done.stdout.lower()
