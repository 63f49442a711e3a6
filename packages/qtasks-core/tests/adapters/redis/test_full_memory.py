"""A server whose memory is full refuses work, keeps what it has, and can be emptied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks
from qtasks.exc import ServerUnavailableError
from qtasks.schemas import TaskCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Program, Server


@pytest.fixture
def server(redis_program: Program, make_server: Callable[..., Server]) -> Server:
    return make_server(redis_program, maxmemory_policy="noeviction")


@pytest.fixture
def app(server: Server) -> Iterator[QueueTasks]:
    with QueueTasks(broker_url=server.url) as app:
        app.task("echo")(lambda value: value)
        app.task("fail")(lambda: 1 // 0)
        yield app


def fill(server: Server) -> None:
    """Takes what is left of the memory."""
    server.config(maxmemory=1)


def test_adding_is_refused_and_the_rest_goes_on(server: Server, app: QueueTasks) -> None:
    waiting = app.add_task("echo", 1)
    fill(server)

    with pytest.raises(ServerUnavailableError, match="its memory is full: raise maxmemory"):
        app.add_task("echo", 2)
    assert app.cancel(waiting.id) == "cancelled"

    server.config(maxmemory=0)
    assert app.add_task("echo", 2).status == "new"


def test_room_can_be_made_and_looked_at(server: Server, app: QueueTasks) -> None:
    dead = app.add_task("fail")
    app.run_forever(burst=True)
    app.add_tasks([TaskCall("echo", (number,)) for number in range(10)])
    fill(server)

    assert app.stats("default")[0].ready == 10
    assert [handle.id for handle in app.list_tasks(dead=True)[0]] == [dead.id]
    assert list(app.discard([dead.id])) == [dead.id]
    assert app.purge_queue("default") == 10
