"""Dead letters: found by filters, sent back, removed; both colours, every embedded broker."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import qtasks
from qtasks._core.dead_letters import DeadLetters
from qtasks._runtime.bridge import drive
from qtasks.adapters.memory import MemoryBroker
from qtasks.configs import QueueConfig
from qtasks.exc import PartlyDoneError, ServerUnavailableError, TaskArgumentsError
from qtasks.schemas import Claim, Fail, Message, RecordQuery, Settlement, TaskError
from qtasks.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conftest import Harness


def work(harness: Harness) -> None:
    harness.work(queues=["default", "mail"])


class NoDiskError(OSError):
    """There is no disk."""


def fill(harness: Harness) -> dict[str, str]:
    """Returns the ids of some dead letters, by the words they failed with."""

    app: Any = harness.app

    @app.task  # type: ignore[untyped-decorator]  # the harness has apps of both colours
    def copy(path: str) -> None:
        raise NoDiskError(path)

    @app.task(queue="mail")  # type: ignore[untyped-decorator]  # as above
    def send(to: str) -> None:
        msg = f"{to!r} is no address"
        raise ValueError(msg)

    @app.task  # type: ignore[untyped-decorator]  # the harness has apps of both colours
    def fine() -> None:
        """Succeeds."""

    ids = {}
    for task, word in ((copy, "a"), (send, "b"), (copy, "c"), (send, "NoDiskError"), (copy, "e")):
        ids[word] = harness.do(task.add_task(word)).id
        work(harness)
    harness.do(fine.add_task())
    work(harness)
    return ids


def listed(harness: Harness, **filters: Any) -> set[str]:
    found, cursor = harness.do(harness.app.list_tasks(dead=True, **filters))
    assert cursor is None
    return {handle.id for handle in found}


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "a b c NoDiskError e"),
    ({"task": "copy"}, "a c e"),
    ({"queue": "mail"}, "b NoDiskError"),
    ({"error": "ValueError"}, "b NoDiskError"),
    ({"error": "NoDiskError"}, "a c e NoDiskError"),
    ({"error": "is no address"}, "b NoDiskError"),
    ({"error": "nowhere"}, ""),
    ({"reason": "exhausted", "error": "OSError"}, ""),
    ({"since": timedelta(hours=1)}, "a b c NoDiskError e"),
    ({"until": timedelta(hours=1)}, ""),
    ({"since": 0, "until": timedelta(), "task": "send"}, "b NoDiskError"),
]


@pytest.mark.parametrize(("filters", "words"), FILTERS)
def test_filters_find_requeue_and_discard_the_same(
    harness: Harness, filters: dict[str, Any], words: str
) -> None:
    ids = fill(harness)
    wanted = {ids[word] for word in words.split()}
    app = harness.app

    found = listed(harness, **filters)
    moved = harness.do(app.requeue("all", **filters))
    again = harness.do(app.requeue("all", **filters))
    left = listed(harness)
    work(harness)
    removed = harness.do(app.discard("all", **filters))

    assert (found, set(moved), list(again)) == (wanted, wanted, [])
    assert left == set(ids.values()) - wanted
    if "until" not in filters:  # they have died anew, in the meantime
        assert set(removed) == wanted
        assert listed(harness) == set(ids.values()) - wanted


def test_a_limit_takes_the_newest(harness: Harness) -> None:
    ids = fill(harness)

    moved = harness.do(harness.app.requeue("all", limit=2))

    assert set(moved) == {ids["NoDiskError"], ids["e"]}


def test_a_spread_is_even_over_all_of_them(harness: Harness) -> None:
    ids = fill(harness)

    harness.do(harness.app.requeue("all", spread=timedelta(hours=5)))

    handles = [harness.do(harness.app.get(task_id)) for task_id in ids.values()]
    due = sorted(handle.record.due_at for handle in handles)
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert gaps == pytest.approx([3600.0] * 4, abs=1)
    assert {handle.status for handle in handles} == {"new"}


def test_id_and_history_stay(harness: Harness) -> None:
    ids = fill(harness)
    before = harness.do(harness.app.get(ids["a"]))

    harness.do(harness.app.requeue([ids["a"]]))
    work(harness)

    after = harness.do(harness.app.get(ids["a"]))
    assert (after.id, after.record.requeues, after.record.dead) == (ids["a"], 1, True)
    assert after.history[: len(before.history)] == before.history
    assert len(after.history) == len(before.history) + 1


@pytest.mark.parametrize(
    ("letters", "filters", "words"),
    [
        ("all", {"error": ""}, "error='' would match every error"),
        ("all", {"errors": "x"}, "unknown filter 'errors'; did you mean 'error'?"),
        ("all", {"colour": "x"}, "unknown filter 'colour'; filters are task, queue"),
        ("all", {"limit": 0}, "limit=0; use a whole number"),
        ("all", {"task": 7}, "task=7; use text"),
        ("all", {"since": "1h"}, "since='1h'; use seconds since the epoch, or a timedelta"),
        ("0190", {}, "give a list of ids"),
        (["0190"], {}, "'0190' is not the id of a task"),
        (["6a0b7a5e-7c1b-4b43-8d5e-3f6a0f0e9c11"], {"task": "a"}, "task with ids"),
    ],
)
@pytest.mark.parametrize("deed", ["requeue", "discard"])
def test_what_cannot_be_is_refused(
    harness: Harness, deed: str, letters: Any, filters: dict[str, Any], words: str
) -> None:
    with pytest.raises(TaskArgumentsError, match=words):
        harness.do(getattr(harness.app, deed)(letters, **filters))


@pytest.mark.parametrize("spread", [-1, "10m", float("nan")])
def test_a_spread_must_be_seconds(harness: Harness, spread: Any) -> None:
    with pytest.raises(TaskArgumentsError, match="use seconds from 0 up, or a timedelta"):
        harness.do(harness.app.requeue("all", spread=spread))


class Graveyard(MemoryBroker):
    """Has dead letters, notes the calls about them, and fails after some.

    Attributes:
        sizes: how many ids each call named.
        ids: the dead letters.
    """

    def __init__(self, number: int, fail_after: int = 1000) -> None:
        super().__init__(clock=FakeClock())
        self.sizes: list[int] = []
        self.ids = [str(uuid4()) for _ in range(number)]
        drive(self.publish([Message(task_id, "t", "q", b"") for task_id in self.ids]))
        deliveries = drive(self.claim(Claim(("q",), number, 60.0, "w")))
        failure = Fail(TaskError("app.NoDisk", ""))
        drive(self.settle([Settlement(one.id, one.token, failure) for one in deliveries]))
        inner = self.storage.requeue

        async def requeue(ids: Sequence[str], **how: Any) -> list[str]:
            if len(self.sizes) == fail_after:
                msg = "the cable was cut"
                raise ServerUnavailableError(msg)
            self.sizes.append(len(ids))
            return await inner(ids, **how)

        self.storage.requeue = requeue  # type: ignore[method-assign]  # to listen in


def requeue(yard: Graveyard, ids: list[str], advance: Callable[[int], object] = id) -> list[str]:
    dead = DeadLetters(yard.storage)
    return drive(dead.requeue(ids, reset_attempts=True, spread=0.0, advance=advance))


def test_a_page_is_one_call_of_the_storage() -> None:
    yard = Graveyard(1203)
    found = drive(DeadLetters(yard.storage).find(RecordQuery()))

    moved = requeue(yard, found)

    assert sorted(moved) == sorted(yard.ids)
    assert yard.sizes == [500, 500, 203]


def test_who_fails_in_between_says_what_is_done() -> None:
    yard = Graveyard(1203, fail_after=2)
    seen: list[int] = []

    with pytest.raises(PartlyDoneError, match=r"1,000 of 1,203 .* the cable was cut") as failed:
        requeue(yard, yard.ids, seen.append)

    assert set(failed.value.done) == set(yard.ids[:1000])
    assert failed.value.retriable is True
    assert (seen, yard.sizes) == ([500, 500], [500, 500])


def test_who_fails_at_once_raises_what_the_server_said() -> None:
    yard = Graveyard(1, fail_after=0)

    with pytest.raises(ServerUnavailableError, match="cable"):
        requeue(yard, yard.ids)


@pytest.mark.parametrize("colour", ["sync"])  # whose apps are for threads
def test_many_who_requeue_at_once_move_each_letter_once(harness: Harness) -> None:
    ids = fill(harness)
    together = threading.Barrier(4)
    moved: list[str] = []

    def requeue() -> None:
        together.wait(30)
        moved.extend(harness.app.requeue("all"))

    threads = [threading.Thread(target=requeue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(moved) == sorted(ids.values())


def test_the_limit_of_the_settings_is_the_brokers() -> None:
    app = qtasks.QueueTasks(broker_url="memory://", config=QueueConfig(dead_limit=7))

    before = app.broker.retention.dead_limit
    app.config.dead_limit = 3

    assert (before, app.broker.retention.dead_limit) == (7, 3)
    assert app.storage.retention.dead_limit == 3


words = st.sampled_from(["ValueError", "KeyError", "disk", "", "%", "Error"])
letters = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), words, words, st.integers(0, 3)), max_size=12
)


@given(letters=letters, error=words | st.none(), task=st.sampled_from([None, "a"]), page=st.data())
def test_pages_hold_exactly_what_the_filters_say(
    letters: list[tuple[str, str, str, int]], error: str | None, task: str | None, page: Any
) -> None:
    clock = FakeClock()
    broker: Any = MemoryBroker(clock=clock).client()
    expected = []
    start = clock.time()
    since, until = sorted(page.draw(st.tuples(st.integers(0, 9), st.integers(0, 9))))
    for number, (name, kind, text, pause) in enumerate(letters):
        clock.advance(pause)
        message = Message(str(number), name, "q", b"")
        drive(broker.publish([message]))
        (delivery,) = drive(broker.claim(Claim(("q",), 1, 60.0, "w")))
        outcome = Fail(TaskError(f"app.{kind}", text))
        drive(broker.settle([Settlement(delivery.id, delivery.token, outcome)]))
        if (
            task in (None, name)
            and (error is None or error in (kind, f"app.{kind}") or error in text)
            and since <= clock.time() - start < until
        ):
            expected.append(message.id)
    query = RecordQuery(
        dead=True, task=task, error=error, since=start + since, until=start + until,
        limit=page.draw(st.integers(1, 4)),
    )  # fmt: skip
    found: list[str] = []
    cursor: str | None = None
    while True:
        one = drive(broker.storage.list(structs.replace(query, cursor=cursor)))
        found += [record.id for record in one.records]
        cursor = one.cursor
        if cursor is None:
            break
    assert found == expected[::-1]
