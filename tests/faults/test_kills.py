"""Nothing is lost when workers die: real processes, real signals, on every broker."""

from __future__ import annotations

import itertools
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.schemas import TaskCall

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from conftest import Fleet

    from qtasks import TaskHandle

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")


def test_killed_workers_lose_nothing(make_fleet: Callable[..., Fleet]) -> None:
    """Kills busy workers with SIGKILL; every task runs, and only what was running runs again."""
    slots, kills, tasks = 4, 6, 600
    fleet = make_fleet(slots=slots)
    handles = fleet.app.add_tasks(TaskCall("work", (number,)) for number in range(tasks))
    for _ in range(3):
        fleet.spawn()
    for kill in range(1, kills + 1):
        fleet.until_ended(kill * 60)
        victim = fleet.workers[0]
        fleet.spawn()
        fleet.kill(victim, handles)
    ended = {handle.id for handle in fleet.app.as_completed(handles, timeout=60)}
    assert len(ended) == tasks
    assert {handle.status for handle in handles} == {"success"}
    ends = fleet.noted("E")
    assert set(ends) == set(range(tasks))
    assert max(fleet.noted("S").values()) <= 1 + kills
    # A killed worker held its running tasks and those whose outcome was not yet acknowledged.
    assert sum(ends.values()) - tasks <= kills * slots * 3


def test_a_poisonous_task_is_convicted_alone(make_fleet: Callable[..., Fleet]) -> None:
    """One task that takes its worker down three times, among 500 that do no harm."""
    fleet = make_fleet(lease=0.5, slots=100)
    bad = fleet.app.add_task("poison")
    handles = fleet.app.add_tasks(TaskCall("good", (number,)) for number in range(500))
    for _ in range(3):
        worker = fleet.spawn()
        assert worker.wait(60) == 9
        fleet.workers.remove(worker)
    fleet.spawn()
    assert len(list(fleet.app.as_completed([*handles, bad], timeout=60))) == 501
    assert {handle.status for handle in handles} == {"success"}
    assert (bad.status, bad.reason, bad.record.deliveries) == ("error", "worker_lost", 3)
    assert fleet.noted("P")[0] == 3
    dead, _ = fleet.app.list_tasks(dead=True)
    assert [handle.id for handle in dead] == [bad.id]


def test_an_innocent_task_survives_several_poisons(make_fleet: Callable[..., Fleet]) -> None:
    """It loses its worker to others again and again, and is not taken for one of them."""
    fleet = make_fleet(lease=0.4, slots=10)
    innocent = fleet.app.add_task("work", 1, 1.5)
    bad = [fleet.app.add_task("poison") for _ in range(3)]
    for _ in range(15):
        worker = fleet.spawn()
        fleet.until(lambda worker=worker: fleet.over(worker, [innocent, *bad]))  # type: ignore[misc]  # bound at once
        if worker.poll() is None:
            break
        fleet.workers.remove(worker)
    assert [handle.refresh().reason for handle in bad] == ["worker_lost"] * 3
    assert innocent.refresh().status == "success"


def test_a_rolling_restart_repeats_nothing(make_fleet: Callable[..., Fleet]) -> None:
    """SIGTERM under load: what runs is finished, what waits is given back, nothing runs twice."""
    fleet = make_fleet(lease=30, slots=4)  # nobody dies, so no lease has to run out
    numbers = itertools.count()
    handles: list[TaskHandle[Any]] = []

    def has_begun(worker: subprocess.Popen[bytes]) -> bool:
        """Keeps the load up until a worker has had a part of it."""
        calls = [TaskCall("work", (next(numbers),)) for _ in range(20)]
        handles.extend(fleet.app.add_tasks(calls))
        return fleet.busy(worker)

    for _ in range(2):
        fleet.spawn()
    for _ in range(4):
        old = fleet.workers[0]
        # Before that, a signal ends it as it does any program.
        fleet.until(lambda old=old: has_begun(old))  # type: ignore[misc]  # bound at once
        fleet.spawn()
        assert fleet.end(old, signal.SIGTERM) == 0
    assert len(list(fleet.app.as_completed(handles, timeout=60))) == len(handles)
    assert {handle.status for handle in handles} == {"success"}
    assert fleet.noted("E") == dict.fromkeys(range(len(handles)), 1)


def test_a_paused_worker_cannot_overwrite_the_newer_result(
    make_fleet: Callable[..., Fleet],
) -> None:
    """SIGSTOP beyond the lease: another worker runs the task; the late outcome is refused."""
    fleet = make_fleet(lease=0.5)
    frozen = fleet.spawn()
    handle = fleet.app.add_task("held", 1)
    fleet.until(lambda: fleet.noted("S")[1] == 1)
    frozen.send_signal(signal.SIGSTOP)
    fleet.let_go()
    second = fleet.spawn()
    handle.wait(60)
    assert handle.returning == second.pid
    frozen.send_signal(signal.SIGCONT)
    fleet.until(lambda: fleet.noted("E")[1] == 2)
    assert fleet.end(frozen, signal.SIGTERM) == 0
    handle.refresh()
    assert handle.returning == second.pid
    assert handle.record.deliveries == 2


def test_a_worker_that_waits_wakes_at_once_for_a_killed_ones_task(
    make_fleet: Callable[..., Fleet],
) -> None:
    """On an idle queue nothing else would wake the survivor: its keeper takes the task back."""
    fleet = make_fleet(lease=0.5)
    first = fleet.spawn()
    handle = fleet.app.add_task("work", 1, 30)
    fleet.until(lambda: fleet.noted("S")[1] == 1)
    fleet.spawn()
    fleet.end(first, signal.SIGKILL)
    fleet.until(lambda: fleet.noted("S")[1] == 2)
    assert handle.refresh().record.deliveries == 2


def test_a_whole_group_that_is_killed_loses_nothing(make_fleet: Callable[..., Fleet]) -> None:
    """A supervisor and its children die at once, as with their machine; another group goes on."""
    slots, children, tasks = 4, 2, 300
    fleet = make_fleet(slots=slots, processes=children)
    handles = fleet.app.add_tasks(TaskCall("work", (number, 0.02)) for number in range(tasks))
    for kill in (1, 2):
        group, before = fleet.spawn(), fleet.pids()

        def busy(before: set[int] = before, enough: int = kill * 100) -> bool:
            return len(fleet.pids() - before) == children or len(fleet.noted("E")) >= enough

        fleet.until(busy)
        fleet.kill_group(group)
    fleet.spawn()
    assert len(list(fleet.app.as_completed(handles, timeout=60))) == tasks
    assert {handle.status for handle in handles} == {"success"}
    ends = fleet.noted("E")
    assert set(ends) == set(range(tasks))
    assert sum(ends.values()) - tasks <= 2 * children * slots * 3
