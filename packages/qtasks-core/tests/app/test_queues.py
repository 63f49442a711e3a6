"""Queues are paused, resumed and emptied from the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qtasks import QueueTasks
from qtasks.adapters.memory import MemoryBroker
from qtasks.exc import RegistrationError, UnsupportedError
from qtasks.schemas import Capabilities

if TYPE_CHECKING:
    from conftest import Harness


def test_a_paused_queue_keeps_its_tasks_until_it_is_resumed(harness: Harness) -> None:
    app: Any = harness.app
    harness.do(app.pause_queue("default"))
    task = harness.do(app.task(number).add_task("7"))

    harness.work()
    before = harness.do(app.get(task.id)).status
    harness.do(app.resume_queue("default"))
    harness.work()

    assert before == "new"
    assert harness.do(task.result(5)) == 7


def test_a_purge_counts_what_waited(harness: Harness) -> None:
    app: Any = harness.app
    task = app.task(number)
    ready = [harness.do(task.add_task("7")) for _ in range(3)]
    delayed = harness.do(task.options(delay=60).add_task("8"))

    removed = harness.do(app.purge_queue("default"))
    again = harness.do(app.purge_queue("default"))

    assert (removed, again) == (4, 0)
    harness.work()
    left = [harness.do(app.get(handle.id)) for handle in (*ready, delayed)]
    assert {handle and (handle.status, handle.reason) for handle in left} <= {
        None,
        ("cancel", "purged"),
    }


@pytest.mark.parametrize("method", ["pause_queue", "resume_queue", "purge_queue"])
def test_what_cannot_be_a_queue_is_refused(harness: Harness, method: str) -> None:
    with pytest.raises(RegistrationError, match="'a:b' is not a queue name"):
        harness.do(getattr(harness.app, method)("a:b"))


def number(text: str) -> int:
    return int(text)


class Simple(MemoryBroker):
    """A broker that can do neither."""

    capabilities = Capabilities(pause=False, purge=False)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("pause_queue", "Simple cannot pause queues, so 'mail' stays as it is: stop the workers"),
        ("resume_queue", "Simple cannot pause queues"),
        ("purge_queue", "Simple cannot purge queues, so 'mail' stays as it is: let a worker run"),
    ],
)
def test_what_a_broker_cannot_do_is_said_with_the_way_out(method: str, words: str) -> None:
    app = QueueTasks(broker=Simple())

    with pytest.raises(UnsupportedError, match=words):
        getattr(app, method)("mail")
