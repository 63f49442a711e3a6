"""What ends everything, what is waited for, and what is done when the code changes."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Crew

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")

#: An app that can be imported in the supervisor, and not in its children.
ONCE = """
import os
if "IMPORTED" in os.environ:
    raise LookupError("only once")
os.environ["IMPORTED"] = "1"
from qtasks import QueueTasks
app = QueueTasks()
"""

#: An app whose broker is away until a file exists.
AWAY = """
from pathlib import Path
from qtasks import QueueTasks
from qtasks.brokers import SqliteBroker
from qtasks.exc import ServerError, ServerUnavailableError


class Away(SqliteBroker):
    async def start(self):
        if Path("broken").exists():
            raise ServerError("the password is wrong")
        if not Path("up").exists():
            raise ServerUnavailableError("nobody listens on port 6379")
        await super().start()


app = QueueTasks(broker=Away("sqlite:///qtasks.db"))


@app.task
def where() -> int:
    import os
    return os.getpid()
"""


def test_an_app_that_children_cannot_import_ends_everything_with_one_error(crew: Crew) -> None:
    (crew.folder / "once.py").write_text(ONCE, "utf-8")

    crew.start("--processes", "3", app="once")

    assert crew.end() == 2
    assert crew.said.count("LookupError: only once\n") == 1
    assert crew.lines[-1] == (
        "error: once:app cannot be loaded in a worker process: LookupError: only once"
    )
    assert "Process" not in crew.said


def test_a_setting_that_is_wrong_in_the_children_ends_everything(crew: Crew) -> None:
    script = ONCE.replace('raise LookupError("only once")', 'os.environ["QTASKS_LEASE"] = "soon"')
    (crew.folder / "once.py").write_text(script, "utf-8")

    crew.start("--processes", "2", app="once")

    assert crew.end() == 2
    assert crew.lines[-1].startswith("error: once:app cannot be loaded in a worker process: Config")
    assert "setting lease = 'soon' (from QTASKS_LEASE)" in crew.lines[-1]


@pytest.mark.parametrize("options", [[], ["--processes", "2"]])
def test_a_broker_that_is_away_at_the_start_is_waited_for(crew: Crew, options: list[str]) -> None:
    (crew.folder / "away.py").write_text(AWAY, "utf-8")
    handle = crew.queue.add_task("where")
    process = crew.start(*options, app="away")
    line = "The broker is away, the worker waits for it: nobody listens on port 6379"
    crew.until_said(line, 2 if options else 1)

    (crew.folder / "up").touch()

    handle.result(60)
    crew.until_said("The broker is there after ")
    process.send_signal(signal.SIGTERM)
    assert crew.end() == 0
    assert crew.said.count("The broker is away") == (2 if options else 1)


@pytest.mark.parametrize("options", [[], ["--processes", "2"]])
def test_the_wait_for_a_broker_ends_with_a_signal(crew: Crew, options: list[str]) -> None:
    (crew.folder / "away.py").write_text(AWAY, "utf-8")
    process = crew.start(*options, app="away")
    crew.until_said("The broker is away", 2 if options else 1)

    process.send_signal(signal.SIGTERM)

    assert crew.end() == 0
    assert "Traceback" not in crew.said


@pytest.mark.parametrize("options", [[], ["--processes", "2"]])
def test_without_retry_a_broker_that_is_away_is_exit_code_1(crew: Crew, options: list[str]) -> None:
    (crew.folder / "away.py").write_text(AWAY, "utf-8")

    crew.start("--no-retry", *options, app="away")

    assert crew.end() == 1
    assert crew.lines[-1] == "error: nobody listens on port 6379"
    assert "Traceback" not in crew.said


@pytest.mark.parametrize("options", [[], ["--processes", "2"]])
def test_a_broker_that_refuses_is_exit_code_2(crew: Crew, options: list[str]) -> None:
    (crew.folder / "away.py").write_text(AWAY, "utf-8")
    (crew.folder / "broken").touch()

    crew.start(*options, app="away")

    assert crew.end() == 2
    assert crew.lines[-1] == "error: the password is wrong"


def test_changed_code_is_loaded_and_a_syntax_error_waits_for_the_next_change(crew: Crew) -> None:
    script = crew.module.read_text("utf-8")
    process = crew.start("--reload")
    first = crew.queue.add_task("where").result(60)

    crew.module.write_text(f"{script}\ndef (\n", "utf-8")
    crew.until_said("; waiting for a change")
    crew.until_gone([first])
    handle = crew.queue.add_task("where")
    crew.module.write_text(script.replace("return os.getpid()", "return -os.getpid()"), "utf-8")

    assert handle.result(60) < 0
    assert -handle.result(0) not in {first, process.pid}
    assert crew.said.count("crew_app.py has changed; the workers start anew") == 2
    assert crew.said.count("SyntaxError: ") == 2  # its trace, and one line
    process.send_signal(signal.SIGTERM)
    assert crew.end() == 0


def test_a_stop_while_a_change_is_waited_for(crew: Crew) -> None:
    process = crew.start("--reload", "--processes", "2")
    crew.until(lambda: len(crew.workers()) == 2)
    crew.module.write_text("nonsense (", "utf-8")
    crew.until_said("; waiting for a change")

    process.send_signal(signal.SIGTERM)

    assert crew.end() == 0


def test_what_runs_when_the_code_changes_is_finished(crew: Crew) -> None:
    handle = crew.queue.add_task("sleep", 1)
    process = crew.start("--reload")
    (old,) = crew.until_noted("S")

    crew.module.write_text(crew.module.read_text("utf-8") + "\n# new\n", "utf-8")
    crew.until_said("has changed")
    later = crew.queue.add_task("where")

    assert later.result(60) != old
    assert handle.result(60) == old
    process.send_signal(signal.SIGTERM)
    assert crew.end() == 0
