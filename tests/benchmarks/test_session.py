"""A queue that fails is listed with its reason, and the run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from harness.catalogue import PEERS
from harness.runlog import LostTasksError, RepeatedTasksError
from harness.running import FailedError
from harness.scale import QUICK
from harness.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Program

LOST = LostTasksError("1 of 3 tasks did not run, such as [2]")
TWICE = RepeatedTasksError("1 of 3 tasks ran more than once, such as [0]")
FOUND = {"drain_per_s": 5.0}


class Scripted(Session):
    """A session whose steps end as they are told to: an error is raised, all else returned."""

    def __init__(self, program: Program, **ends: list[Any]) -> None:
        peers = [PEERS[name] for name in ends]
        super().__init__("one", peers, QUICK, program=program, pythons=[], seed=1)
        self.ends = ends
        self.asked: list[str] = []

    def _on_place(self, environment: Any, step: Any) -> Any:
        name = environment.peer.name
        self.asked.append(name)
        end = self.ends[name].pop(0)
        if isinstance(end, Exception):
            raise end
        return end


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    from servers import Program

    monkeypatch.setattr("harness.environment.ENVIRONMENTS", tmp_path)
    return Program("valkey-9", "9.1", tmp_path / "none", "none")


def told(session: Session) -> list[tuple[str, str | None, str]]:
    return [(one.peer, one.measure, one.why) for one in session.results.failures]


def test_the_others_go_on_when_one_loses_a_task(program: Program) -> None:
    session = Scripted(program, saq=[LOST], qtasks=[FOUND])

    session.measure([PEERS["saq"], PEERS["qtasks"]], ["drain"], rounds=1)

    assert told(session) == [("saq", "drain", str(LOST))]
    assert [(row.peer, row.figures) for row in session.results.rows] == [("qtasks", FOUND)]


def test_what_failed_is_not_measured_again(program: Program) -> None:
    session = Scripted(program, saq=[LOST], qtasks=[FOUND, FOUND, FOUND])

    session.measure([PEERS["saq"], PEERS["qtasks"]], ["drain"], rounds=3)

    assert session.asked.count("saq") == 1
    assert len(session.results.rows) == 3


def test_a_task_that_ran_twice_is_told_and_the_measurement_taken_again(program: Program) -> None:
    session = Scripted(program, saq=[TWICE, FOUND])

    session.measure([PEERS["saq"]], ["drain"], rounds=1)

    assert told(session) == [("saq", "drain", str(TWICE))]
    assert [row.figures for row in session.results.rows] == [FOUND]


def test_who_runs_tasks_twice_again_has_no_figure(program: Program) -> None:
    session = Scripted(program, saq=[TWICE, TWICE])

    session.measure([PEERS["saq"]], ["drain"], rounds=1)

    assert told(session) == [("saq", "drain", str(TWICE))] * 2
    assert session.results.rows == []


def test_who_fails_three_times_is_given_up(program: Program) -> None:
    end = FailedError("the worker ended with 1: no module")
    session = Scripted(program, saq=[end] * 9)

    session.measure([PEERS["saq"]], ["enqueue", "drain", "sleepers", "plain", "cpu"], rounds=1)

    assert len(session.asked) == 3


def test_who_does_not_install_is_not_measured(program: Program) -> None:
    session = Scripted(program, saq=[])

    assert session.prepare() == []
    assert told(session) == [("saq", None, "no Python was found; see --python")]
