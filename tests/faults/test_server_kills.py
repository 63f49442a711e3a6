"""Nothing is lost when the server dies: Valkey is killed under workers, and starts again."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from qtasks.exc import ServerUnavailableError
from qtasks.schemas import TaskCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Fleet
    from servers import Server

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")


def test_a_killed_server_that_syncs_every_write_loses_nothing(
    open_fleet: Callable[..., Fleet], make_server: Callable[..., Server]
) -> None:
    """SIGKILL of the server under two workers, three times; both go on as soon as it is back."""
    slots, kills, tasks = 4, 3, 400
    server = make_server(durable=True)
    fleet = open_fleet(server.url, slots=slots)
    handles = fleet.app.add_tasks(TaskCall("work", (number,)) for number in range(tasks))
    workers = [fleet.spawn(), fleet.spawn()]
    for kill in range(1, kills + 1):
        fleet.until_ended(kill * 60)
        server.restart()
    assert len(list(fleet.app.as_completed(handles, timeout=60))) == tasks
    assert {handle.status for handle in handles} == {"success"}
    ends = fleet.noted("E")
    assert set(ends) == set(range(tasks))
    # Only what a server had not acknowledged runs again, however often it dies.
    assert sum(ends.values()) - tasks <= kills * slots * len(workers) * 3
    assert fleet.app.list_tasks(dead=True)[0] == []
    assert [fleet.end(worker, signal.SIGTERM) for worker in workers] == [0, 0]


def test_what_runs_while_the_server_is_away_is_settled_later(
    open_fleet: Callable[..., Fleet], make_server: Callable[..., Server]
) -> None:
    """The run goes on, its outcome waits for the server, and nobody runs it a second time."""
    server = make_server(durable=True)
    fleet = open_fleet(server.url, lease=30)
    worker = fleet.spawn()
    handle = fleet.app.add_task("held", 1)
    fleet.until(lambda: fleet.noted("S")[1] == 1)
    server.kill()
    fleet.let_go()
    fleet.until(lambda: fleet.noted("E")[1] == 1)
    with pytest.raises(ServerUnavailableError):
        fleet.app.add_task("work", 2)
    server.start()
    assert handle.result(timeout=60) == worker.pid
    assert fleet.noted("S") == {1: 1}
    assert fleet.end(worker, signal.SIGTERM) == 0
