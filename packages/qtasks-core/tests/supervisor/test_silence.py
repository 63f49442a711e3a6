"""Children in which nothing runs any more: noticed, ended and replaced."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from qtasks._supervisor.silence import Silence

if TYPE_CHECKING:
    from conftest import Crew


class Child:
    def __init__(self, *, loaded: bool = True) -> None:
        self.number, self.pid = 2, 4711
        self.worker = "w" if loaded else None
        self.silent = 0
        self.asked = 0

    def ask(self) -> None:
        self.asked += 1


def test_a_child_that_says_nothing_for_longer_than_a_lease_is_given_up_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    child, given_up = Child(), []
    silence = Silence(15.0, lambda: [child], given_up.append)

    for _ in range(19):
        silence.beat()
    assert (child.asked, given_up) == (1, [])

    for _ in range(5):
        silence.beat()
    assert (child.asked, given_up) == (1, [child])
    assert "[2] Process 4711 does not answer for 20 s and is killed" in caplog.text


def test_a_child_that_answers_is_asked_when_it_is_silent_and_never_given_up() -> None:
    child, given_up = Child(), []
    silence = Silence(1.0, lambda: [child], given_up.append)

    for _ in range(50):
        silence.beat()
        if child.silent == 3:  # it needs a moment
            child.silent = 0

    assert child.asked == 17
    assert given_up == []


def test_a_child_that_still_loads_its_app_may_be_silent() -> None:
    child = Child(loaded=False)
    silence = Silence(1.0, lambda: [child], pytest.fail)

    for _ in range(50):
        silence.beat()

    assert child.asked == 0


@pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")
def test_a_child_that_stands_still_is_replaced_and_its_task_runs_again(crew: Crew) -> None:
    crew.env["QTASKS_LEASE"] = "0.5"
    script = crew.module.read_text("utf-8").replace("lease=600,", "")
    crew.module.write_text(script, "utf-8")
    handle = crew.queue.add_task("first_time_only")
    crew.start("--processes", "2")
    (victim,) = crew.until_noted("S")

    os.kill(victim, signal.SIGSTOP)

    crew.until_said(f"Process {victim} does not answer for 6 s and is killed")
    assert handle.result(timeout=60) != victim
    crew.until(lambda: len(crew.workers()) == 2)


@pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")
def test_a_child_whose_loop_is_blocked_answers_all_the_same(crew: Crew) -> None:
    crew.env["QTASKS_LEASE"] = "2.5"  # it would be given up after 8 seconds
    script = crew.module.read_text("utf-8").replace("lease=600,", "")
    crew.module.write_text(script, "utf-8")
    handle = crew.queue.add_task("block", 9.0)
    crew.start("--processes", "2")

    handle.wait(60)

    assert (handle.status, handle.record.deliveries) == ("success", 1)
    assert "does not answer" not in crew.said
