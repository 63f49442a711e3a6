"""Unique tasks: which calls are the same, how long there is one, and what happens to the next."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

import qtasks
from qtasks import Unique
from qtasks.adapters.memory import MemoryBroker
from qtasks.exc import EncodeError, RegistrationError, TaskArgumentsError, UniqueConflictError
from qtasks.testing import FakeClock

if TYPE_CHECKING:
    from conftest import Harness


def sync_user(user: int, source: Any = "web", *, full: bool = False) -> int:
    return user


def ids(harness: Harness, task: Any, *calls: tuple[tuple[Any, ...], dict[str, Any]]) -> list[str]:
    return [harness.do(task.add_task(*args, **kwargs)).id for args, kwargs in calls]


def test_all_arguments_count_however_they_are_written(harness: Harness) -> None:
    task = harness.app.task(unique=True)(sync_user)

    same = ids(harness, task, ((1,), {}), ((), {"user": 1}), ((1, "web"), {"full": False}))
    other = ids(harness, task, ((2,), {}), ((1, "api"), {}), ((1,), {"full": True}))
    harness.work()
    after = ids(harness, task, ((1,), {}))

    assert len(set(same)) == 1
    assert len({*same, *other, *after}) == 5


def test_dicts_and_sets_are_the_same_in_any_order(harness: Harness) -> None:
    task = harness.app.task(unique=True)(sync_user)
    one: dict[str, Any] = {"a": 1, "b": {3, 1, 2}, "c": {"x": 1, "y": 2}}
    two: dict[str, Any] = {"c": {"y": 2, "x": 1}, "b": {2, 3, 1}, "a": 1}

    first, second, third = ids(harness, task, ((1, one), {}), ((1, two), {}), ((1, [1, 2]), {}))

    assert first == second
    assert third != first


@pytest.mark.parametrize("by", ["user", ("user",), ["user"], lambda user, **_: f"u{user}"])
def test_some_arguments_count(harness: Harness, by: Any) -> None:
    task = harness.app.task(unique=by)(sync_user)

    first, second, other = ids(
        harness, task, ((1,), {}), ((), {"user": 1, "full": True}), ((2,), {})
    )

    assert first == second
    assert other != first


def test_tasks_do_not_share_keys(harness: Harness) -> None:
    one = harness.app.task(name="one", unique=lambda **_: "k")(no_arguments)
    two = harness.app.task(name="two", unique=lambda **_: "k")(no_arguments)

    assert harness.do(one.add_task()).id != harness.do(two.add_task()).id


def no_arguments() -> None:
    """Does nothing."""


def test_a_call_may_be_not_unique(harness: Harness) -> None:
    task = harness.app.task(unique=lambda user, **_: None if user == 0 else str(user))(sync_user)

    always = ids(harness, task, ((0,), {}), ((0,), {}))
    free = [harness.do(task.options(unique=False).add_task(1)).id for _ in range(2)]
    held = ids(harness, task, ((1,), {}), ((1,), {}))

    assert len({*always, *free}) == 4
    assert len(set(held)) == 1


def test_a_call_says_it_for_itself(harness: Harness) -> None:
    task = harness.app.task(sync_user)
    by_user = task.options(unique="user")

    first, second = (harness.do(by_user.add_task(1, full=full)).id for full in (True, False))
    keyed = [harness.do(task.add_task(1, unique_key="mine")).id for _ in range(2)]

    assert first == second
    assert keyed[0] == keyed[1] != first


def test_who_is_skipped_gets_nothing(harness: Harness) -> None:
    app: Any = harness.app
    task = app.task(unique="user")(sync_user)

    first = harness.do(task.add_task(1))
    skipped = [
        harness.do(task.add_task(1, on_conflict="skip")),
        harness.do(task.options(on_conflict="skip").add_task(1)),
        harness.do(task.options(on_conflict="skip", priority=3).options(delay=1).add_task(1)),
        harness.do(app.add_task(task, 1, on_conflict="skip")),
    ]
    added = harness.do(task.options(on_conflict="skip").add_task(2))

    assert skipped == [None] * 4
    assert harness.do(app.get(added.id)).args == (2,)
    assert harness.do(app.get(first.id)).status == "new"


def test_who_must_be_first_is_told(harness: Harness) -> None:
    task = harness.app.task(unique=Unique("user", on_conflict="raise"))(sync_user)
    first = harness.do(task.add_task(1))

    with pytest.raises(UniqueConflictError, match=f"task {first.id} holds the unique key") as told:
        harness.do(task.add_task(1))

    assert told.value.task_id == first.id
    assert told.value.unique_key.startswith("sync_user:")
    assert harness.do(task.options(on_conflict="existing").add_task(1)).id == first.id


def test_the_last_one_stays(harness: Harness) -> None:
    task = harness.app.task(unique=Unique("user", on_conflict="replace"))(sync_user)

    old = harness.do(task.options(delay=60).add_task(1, "old"))
    new = harness.do(task.add_task(1, "new"))
    harness.do(old.wait(10))
    harness.work()

    assert (old.status, old.reason) == ("cancel", "replaced")
    assert harness.do(new.result(10)) == 1


def test_a_task_may_be_added_while_another_runs(harness: Harness) -> None:
    seen: list[str] = []
    app: Any = harness.app

    def again(self: Any, number: int) -> None:
        seen.append(str(self.ctx.task_uuid))
        if len(seen) < 3:
            self.add_task(number)

    task = app.task(echo=True, unique=Unique(until="started"))(again)
    first = harness.do(task.add_task(7))
    assert harness.do(task.add_task(7)).id == first.id

    harness.work()

    assert len(set(seen)) == 3


def test_a_window_after_the_end_and_after_the_adding() -> None:
    clock = FakeClock()
    app = qtasks.QueueTasks(broker=MemoryBroker(clock=clock), clock=clock)
    hour = timedelta(hours=1)
    after = app.task(name="after", unique=Unique(window=hour))(sync_user)
    each = app.task(name="each", unique=Unique(until="added", window=hour))(sync_user)
    firsts = [after.add_task(1).id, each.add_task(1).id]
    clock.advance(1800)
    app.run_forever(burst=True)
    clock.advance(1801)

    held, free = after.add_task(1).id, each.add_task(1).id
    clock.advance(1800)

    assert (held, free == firsts[1]) == (firsts[0], False)
    assert after.add_task(1).id != firsts[0]


def test_of_many_calls_each_has_a_handle(harness: Harness) -> None:
    app: Any = harness.app
    task = app.task(unique="user")(sync_user)

    handles = harness.do(app.add_tasks([task.build(user) for user in (1, 2, 1, 3, 2)]))
    skipping = task.options(on_conflict="skip")
    again = harness.do(app.add_tasks([skipping.build(1), skipping.build(4)]))

    found = [handle.id for handle in handles]
    assert found[2] == found[0]
    assert found[4] == found[1]
    assert len(set(found)) == 3
    assert again[0].id == found[0]
    assert again[1].id not in found


def test_of_many_calls_those_that_conflict_are_named(harness: Harness) -> None:
    app: Any = harness.app
    task = app.task(unique=Unique("user", on_conflict="raise"))(sync_user)
    first = harness.do(task.add_task(1))

    with pytest.raises(UniqueConflictError, match="2 of 4 calls were added") as told:
        harness.do(app.add_tasks([task.build(user) for user in (5, 1, 6, 1)]))

    assert told.value.conflicts == {1: first.id, 3: first.id}
    found, _ = harness.do(app.list_tasks(status="new"))
    assert sorted(handle.args[0] for handle in found) == [1, 5, 6]


def test_adding_the_same_id_again_is_no_conflict(harness: Harness) -> None:
    task = harness.app.task(unique=Unique(on_conflict="raise"))(sync_user)
    same = str(uuid4())

    handles = [harness.do(task.options(task_id=same).add_task(1)) for _ in range(2)]

    assert [handle.id for handle in handles] == [same, same]


def test_a_dead_letter_frees_the_key_and_takes_it_again(harness: Harness) -> None:
    app: Any = harness.app

    def fail(user: int) -> None:
        raise ValueError(user)

    task = app.task(unique=True)(fail)
    dead = harness.do(task.add_task(1))
    harness.work()

    moved = harness.do(app.requeue([dead.id]))
    held = harness.do(task.add_task(1))
    harness.work()
    harness.do(app.discard([dead.id]))
    free = harness.do(task.add_task(1))

    assert moved == [dead.id]
    assert held.id == dead.id
    assert free.id != dead.id


@pytest.mark.parametrize("colour", ["sync"])  # whose apps are for threads
def test_of_many_who_add_at_once_one_succeeds(harness: Harness) -> None:
    task = harness.app.task(unique=True)(sync_user)
    together = threading.Barrier(6)
    found: list[str] = []

    def add() -> None:
        together.wait(30)
        found.append(task.add_task(1).id)

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == 6
    assert len(set(found)) == 1


REFUSED: list[tuple[Any, str]] = [
    ("usr", "there is no parameter 'usr'; its parameters are user, source, full"),
    ((), "names no parameter"),
    (7, "by=7; use True, names of parameters, or a function"),
    (Unique(until="never"), "until='never'; use one of added, started, finished"),  # type: ignore[arg-type]  # that is the point
    (Unique(window=-1), "window=-1; use seconds from 0 up"),
    (Unique(until="started", window=5), "with until='started' leave it out"),
    (Unique(until="added"), "give window= in seconds"),
    (Unique(on_conflict="skip"), "say it where the task is added"),  # type: ignore[arg-type]  # that is the point
    (Unique(on_conflict="drop"), "use existing, replace or raise"),  # type: ignore[arg-type]  # that is the point
]


@pytest.mark.parametrize(("unique", "words"), REFUSED)
def test_what_cannot_be_is_refused_where_it_is_said(unique: Any, words: str) -> None:
    app = qtasks.QueueTasks(broker_url="memory://")
    plain = app.task(name="plain")(sync_user)

    with pytest.raises(RegistrationError, match=words):
        app.task(unique=unique)(sync_user)
    with pytest.raises(TaskArgumentsError, match=words):
        plain.options(unique=unique).add_task(1)


def test_what_a_call_cannot_say_is_refused() -> None:
    app = qtasks.QueueTasks(broker_url="memory://")
    task = app.task(unique=lambda **_: 7)(no_arguments)  # type: ignore[arg-type, return-value]  # that is the point
    plain = app.task(unique=True)(sync_user)

    with pytest.raises(TaskArgumentsError, match="returned 7; return text, or None"):
        task.add_task()
    with pytest.raises(TaskArgumentsError, match="on_conflict='drop'; use one of existing, skip"):
        plain.options(on_conflict="drop").add_task(1)  # type: ignore[call-overload]  # that is the point
    with pytest.raises(EncodeError):
        plain.add_task(1, object())
    with pytest.raises(TaskArgumentsError, match="elsewhere is not known here"):
        app.add_task("elsewhere", 1, unique="user")


def test_a_task_of_another_program_may_be_unique_by_all_arguments(harness: Harness) -> None:
    app: Any = harness.app

    first, second = (harness.do(app.add_task("elsewhere", 1, unique=True)).id for _ in range(2))

    assert first == second
