"""``qtasks retry``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from qtasks.cli.commands import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtasks import QueueTasks

APP = """
from qtasks import QueueTasks
from qtasks_plugin_retry import Breaker, Budget, Retry

app = QueueTasks(broker_url={url!r})
budget = Budget("mail", ratio=0, min_per_second=0.01, per=1000, shared=True)
breaker = Breaker("pay", consecutive=1, cooldown=1000, shared=True)

@app.task(retry=Retry(budget=budget, breaker=breaker))
def work() -> None:
    raise OSError

@app.task(retry=Retry(budget=Budget(), breaker=Breaker("own")))
def alone() -> None: ...
"""


class Shell:
    """Runs commands on an app in the working directory."""

    def run(self, *arguments: str) -> Any:
        """Runs a command; returns what became of it."""
        return CliRunner().invoke(cli, ["-A", "guarded:app", *arguments])

    def json(self, *arguments: str) -> Any:
        """Runs a command with ``--json``; returns the document."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def work(self) -> None:
        """Adds a task that fails, and runs it."""
        module = sys.modules.get("guarded") or __import__("guarded")
        module.work.add_task()
        done = self.run("run", "--burst")
        assert done.exit_code == 0, done.output


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("guarded.py").write_text(APP.format(url=f"sqlite:///{tmp_path / 'q.db'}"))
    yield Shell()
    module = sys.modules.pop("guarded", None)
    if module is not None:
        app: QueueTasks = module.app
        app.close()


def test_what_has_never_been_used(shell: Shell) -> None:
    assert shell.json("retry", "status") == [
        {"name": "alone", "kind": "budget", "shared": False},
        {
            "name": "mail",
            "kind": "budget",
            "shared": True,
            "state": "free",
            "tokens_left": 10,
            "tokens": 10,
        },
        {"name": "own", "kind": "breaker", "shared": False},
        {
            "name": "pay",
            "kind": "breaker",
            "shared": True,
            "state": "closed",
            "since": None,
            "failures": 0,
            "why": None,
            "next_probe": None,
        },
    ]


def test_what_a_worker_has_left_behind_and_reset(shell: Shell) -> None:
    shell.work()

    budget, breaker = shell.json("retry", "status")[1::2]
    assert budget["tokens_left"] == 9
    assert (breaker["state"], breaker["failures"]) == ("open", 1)
    assert breaker["why"] == "1 failures in a row"
    assert 900 <= breaker["next_probe"] - breaker["since"] <= 1100
    text = shell.run("retry", "status").stdout
    assert "budget alone: counts in each worker process\n" in text
    assert "budget mail: 9 of 10 tokens left in this period\n" in text
    assert "breaker pay: open since " in text

    assert shell.run("retry", "reset", "pay").stdout == "reset breaker pay\n"
    assert shell.json("retry", "reset", "mail") == [
        {"name": "mail", "kind": "budget", "reset": True}
    ]
    budget, breaker = shell.json("retry", "status")[1::2]
    assert (budget["tokens_left"], breaker["state"]) == (10, "closed")


def test_what_cannot_be_reset_is_said(shell: Shell) -> None:
    unknown = shell.run("retry", "reset", "nobody")
    own = shell.run("retry", "reset", "own")

    assert (unknown.exit_code, own.exit_code) == (2, 2)
    assert "no breaker 'nobody'; those of the app: alone, mail, own, pay" in unknown.stderr
    assert "declare it with shared=True" in own.stderr


def test_the_doctor_lists_them(shell: Shell) -> None:
    found = {
        each["subject"]: each["message"] for each in shell.json("plugins", "doctor")["findings"]
    }

    assert found["retry: breaker pay"] == "It is shared."
    assert found["retry: budget alone"] == "It is per process."
