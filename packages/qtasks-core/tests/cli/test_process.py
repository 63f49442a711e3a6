"""The command as people run it: a process of its own, on the embedded queue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks, __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 120  # seconds

APP = """
from qtasks import QueueTasks

app = QueueTasks()


@app.task
def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return 2 * number
"""


class Terminal:
    """Types commands in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = directory / "qtasks.db"
        self.env = {**os.environ, "COLUMNS": "100", "PYTHONWARNINGS": "error"}

    @contextmanager
    def start(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Starts ``python -m qtasks ...``; it does not outlive the block."""
        process = subprocess.Popen(
            [sys.executable, "-m", "qtasks", *arguments],
            cwd=self.directory,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Runs a command to its end and returns what it wrote."""
        with self.start(*arguments) as process:
            output = process.communicate(timeout=TIMEOUT)
        assert process.returncode == code, output
        return output


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    (tmp_path / "numbers_app.py").write_text(APP, encoding="utf-8")
    return Terminal(tmp_path)


def test_a_task_goes_from_one_process_to_the_next(terminal: Terminal) -> None:
    task_id = terminal.run("-A", "numbers_app", "call", "double", "--args", "[21]")[0].strip()
    _, said = terminal.run("-A", "numbers_app", "run", "--burst")
    shown, _ = terminal.run("-A", "numbers_app", "tasks", "show", task_id, "--json")

    assert f"tasks are in  SQLite file {terminal.database}" in said
    assert json.loads(shown)["result"] == 42


def test_a_running_worker_answers_and_stops_on_a_signal(terminal: Terminal) -> None:
    with terminal.start("-A", "numbers_app", "run") as worker:
        result, _ = terminal.run(
            "-A", "numbers_app", "call", "double", "--args", "[4]", "--wait", "100"
        )
        worker.send_signal(signal.SIGTERM)
        _, logged = worker.communicate(timeout=TIMEOUT)

    assert result == "8\n"
    assert worker.returncode == 0
    assert "has stopped: 1 runs finished, 0 given back" in logged


def test_dead_letters_come_back(terminal: Terminal) -> None:
    with QueueTasks(broker_url=f"sqlite:///{terminal.database}") as producer:
        calls = [producer.add_task("double", -number) for number in range(1, 4)]
    terminal.run("-A", "numbers_app", "run", "--burst")

    listed, _ = terminal.run("-A", "numbers_app", "dead", "list", "--error", "ValueError")
    requeued, _ = terminal.run("-A", "numbers_app", "dead", "requeue", "--all", "--json")
    stats, _ = terminal.run("-A", "numbers_app", "stats", "--json")

    assert all(call.id in listed for call in calls)
    assert json.loads(requeued) == {"requeued": 3, "not_dead": []}
    assert json.loads(stats)["queues"][0]["ready"] == 3


def test_the_app_may_come_from_the_environment(terminal: Terminal) -> None:
    terminal.env["QTASKS_APP"] = "numbers_app"

    shown, _ = terminal.run("stats")

    assert shown.startswith(f"SQLite file {terminal.database}\n")


def test_ctrl_c_is_exit_code_130(terminal: Terminal) -> None:
    with terminal.start(
        "-A", "numbers_app", "call", "double", "--args", "[1]", "--wait", "60"
    ) as it:
        assert it.stderr is not None
        assert "is queued in" in it.stderr.readline()
        it.send_signal(signal.SIGINT)
        _, said = it.communicate(timeout=TIMEOUT)

    assert it.returncode == 130
    assert "Traceback" not in said


def test_an_error_is_one_line(terminal: Terminal) -> None:
    _, said = terminal.run("-A", "numbers_ap", "stats", code=2)

    (line,) = said.splitlines()
    assert line.startswith("error: -A numbers_ap: there is no module 'numbers_ap' in ")


def test_a_broken_app_shows_the_real_traceback(terminal: Terminal) -> None:
    (terminal.directory / "broken.py").write_text("from nowhere_at_all import something\n")

    _, said = terminal.run("-A", "broken:app", "run", code=2)

    *traceback, line = said.splitlines()
    assert traceback[0] == "Traceback (most recent call last):"
    assert traceback[1].endswith('broken.py", line 1, in <module>')
    assert traceback[-1] == "ModuleNotFoundError: No module named 'nowhere_at_all'"
    assert line == "error: -A broken:app: importing broken failed, see above"


def test_version(terminal: Terminal) -> None:
    shown, _ = terminal.run("--version")

    assert shown.startswith(f"qtasks {__version__} from ")


def test_help_names_every_command(terminal: Terminal) -> None:
    shown, _ = terminal.run("--help")

    for command in ("run", "call", "stats", "tasks", "dead"):
        assert f" {command} " in shown


def test_nothing_is_coloured_where_there_is_no_terminal(terminal: Terminal) -> None:
    terminal.run("-A", "numbers_app", "call", "double", "--args", "[-1]")
    terminal.run("-A", "numbers_app", "run", "--burst")

    shown, said = terminal.run("-A", "numbers_app", "dead", "list")

    assert "\x1b" not in shown + said
