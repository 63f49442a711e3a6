"""Traces: from who adds a task to where it runs, on every kind of place and server."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest
import sentry_sdk

from qtasks_plugin_sentry import SentryPlugin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TASKS = """
def work(fails):
    if fails:
        raise ValueError("no such thing")
"""


@pytest.fixture(params=["loop", "thread", "process"])
def place(request: pytest.FixtureRequest) -> str:
    """Where the task runs."""
    value: str = request.param
    return value


@pytest.fixture
def make_task(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Declares the task of an app."""
    (tmp_path / "sentry_traced_tasks.py").write_text(TASKS, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("sentry_traced_tasks", None)
    import sentry_traced_tasks  # type: ignore[import-not-found]  # it was just written

    async def work(fails: bool) -> None:
        sentry_traced_tasks.work(fails)

    def make(app: Any) -> Any:
        function = work if place == "loop" else sentry_traced_tasks.work
        return app.task(name="work", pool=place)(function)

    return make


def test_a_trace_goes_from_the_producer_to_the_run_and_its_error(
    sentry: Any, make_harness: Callable[..., Any], make_task: Callable[[Any], Any], url: str
) -> None:
    harness = make_harness(url=url)
    work = make_task(harness.app)

    with sentry.span("request"):
        handle = harness.add(work, True)
    harness.app.run_forever(burst=True)

    sentry.flush()
    [published] = sentry.spans("queue.publish")
    [processed] = sentry.spans("queue.process")
    assert processed["trace_id"] == published["trace_id"]
    assert processed["parent_span_id"] == published["span_id"]
    assert published["name"] == processed["name"] == "work"
    system = {"memory": "memory", "sqlite": "sqlite"}.get(url.partition(":")[0], "redis")
    for span in (published, processed):
        data = span["data"]
        assert data["messaging.system"] == system
        assert data["messaging.message.id"] == str(handle.uuid)
        assert data["messaging.destination.name"] == "default"
        assert data["messaging.message.body.size"] > 0
    assert processed["data"]["messaging.message.retry.count"] == 0
    assert processed["data"]["messaging.message.receive.latency"] >= 0
    assert processed["data"]["qtasks.outcome"] == "fail"
    assert processed["status"] == ("error" if sentry.lifecycle == "stream" else "internal_error")
    [event] = sentry.events
    trace = event["contexts"]["trace"]
    assert trace["trace_id"] == processed["trace_id"]
    assert trace["span_id"] == processed["span_id"]


def test_errors_are_linked_to_the_trace_without_spans_too(
    sentry: Any, make_harness: Callable[..., Any], make_task: Callable[[Any], Any]
) -> None:
    sentry.init(traces_sample_rate=None)
    harness = make_harness()
    work = make_task(harness.app)
    parent = sentry_sdk.get_traceparent()

    harness.run(work, True)

    sentry.flush()
    assert sentry.spans("queue.process") == sentry.spans("queue.publish") == []
    [event] = sentry.events
    assert event["contexts"]["trace"]["trace_id"] == parent.partition("-")[0]


def test_without_a_span_nothing_is_published_and_the_trace_goes_on(
    sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness(colour="async")

    @harness.app.task
    async def work() -> None: ...

    handle = harness.run(work)

    sentry.flush()
    assert sentry.spans("queue.publish") == []
    [processed] = sentry.spans("queue.process")
    header = handle.record.headers["sentry-trace"]
    assert header.startswith(processed["trace_id"])


def test_a_later_attempt_has_a_trace_of_its_own_that_refers_to_the_first(
    sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness(attempts=2)

    @harness.app.task
    def work() -> None:
        msg = "no such thing"
        raise ValueError(msg)

    with sentry.span("request"):
        harness.add(work)
    harness.app.run_forever(burst=True)

    sentry.flush()
    [published] = sentry.spans("queue.publish")
    # What is sent span by span comes trace by trace, in any order.
    processed = sentry.spans("queue.process")
    first, second = sorted(processed, key=lambda span: "qtasks.origin_trace_id" in span["data"])
    assert first["trace_id"] == published["trace_id"]
    assert "qtasks.origin_trace_id" not in first["data"]
    assert second["trace_id"] != published["trace_id"]
    assert second["data"]["qtasks.origin_trace_id"] == published["trace_id"]
    assert second["data"]["messaging.message.retry.count"] == 1
    outcomes = [one["data"]["qtasks.outcome"] for one in (first, second)]
    assert outcomes == ["retry", "fail"]


def test_a_batch_is_one_span(sentry: Any, make_harness: Callable[..., Any]) -> None:
    harness = make_harness()

    @harness.app.task
    async def work(x: int) -> None: ...

    with sentry.span("request"):
        harness.do(harness.app.add_tasks([work.build(x) for x in range(3)]))
    harness.app.run_forever(burst=True)

    sentry.flush()
    [published] = sentry.spans("queue.publish")
    assert published["data"]["messaging.batch.message_count"] == 3
    parents = [span["parent_span_id"] for span in sentry.spans("queue.process")]
    assert parents == [published["span_id"]] * 3


def test_a_task_that_adds_a_task_is_its_parent(
    sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness(colour="async")

    @harness.app.task
    async def child() -> None: ...

    @harness.app.task
    async def parent() -> None:
        await child.add_task()

    harness.run(parent)

    sentry.flush()
    [published] = sentry.spans("queue.publish")
    by_name = {span["name"]: span for span in sentry.spans("queue.process")}
    assert published["parent_span_id"] == by_name["parent"]["span_id"]
    assert by_name["child"]["parent_span_id"] == published["span_id"]


def test_baggage_of_others_stays_and_arguments_are_left_alone(
    sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()
    taken: list[Any] = []

    @harness.app.task
    def work(**kwargs: Any) -> None:
        taken.append(kwargs)

    headers = {"baggage": "shop=acme,sentry-release=old"}
    with sentry.span("request"):
        handle = harness.add(work, headers=headers)
    harness.app.run_forever(burst=True)

    baggage = harness.do(handle.refresh()).record.headers["baggage"]
    assert baggage.startswith("shop=acme,sentry-")
    assert "sentry-release=old" not in baggage
    assert taken == [{}]


def test_headers_that_are_full_stay_as_they_are(
    sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()

    @harness.app.task
    def work() -> None: ...

    handle = harness.run(work, headers={"much": "x" * 16_300})

    assert set(handle.record.headers) <= {"much", "sentry-trace"}
    assert handle.status == "success"


def test_traces_can_be_left_out(sentry: Any, make_harness: Callable[..., Any]) -> None:
    harness = make_harness(SentryPlugin(traces=False))

    @harness.app.task
    def work() -> None: ...

    with sentry.span("request"):
        handle = harness.add(work)
    harness.app.run_forever(burst=True)

    sentry.flush()
    assert sentry.spans("queue.publish") == sentry.spans("queue.process") == []
    assert harness.do(handle.refresh()).record.headers == {}


def test_two_hundred_tasks_at_once_share_no_scope(
    sentry: Any, make_harness: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sentry_many_tasks.py").write_text(
        "def apart(number):\n    raise ValueError('apart')\n", "utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import sentry_many_tasks  # type: ignore[import-not-found]  # it was just written

    harness = make_harness(colour="async")
    harness.app.config.max_tasks_process = 200
    harness.app.config.max_threads = 100
    meeting: list[int] = []
    everybody = asyncio.Event()

    def leave_marks(number: int) -> None:
        sentry_sdk.set_tag("number", number)
        sentry_sdk.add_breadcrumb(category="number", message=str(number))

    @harness.app.task
    async def on_loop(number: int) -> None:
        leave_marks(number)
        meeting.append(number)
        if len(meeting) == 90:
            everybody.set()
        await everybody.wait()
        msg = "met"
        raise ValueError(msg)

    @harness.app.task
    def in_thread(number: int) -> None:
        leave_marks(number)
        msg = "met"
        raise ValueError(msg)

    in_process = harness.app.task(pool="process")(sentry_many_tasks.apart)
    tasks = [on_loop] * 90 + [in_thread] * 106 + [in_process] * 4
    calls = [task.build(number) for number, task in enumerate(tasks)]
    handles = harness.do(harness.app.add_tasks(calls))
    harness.app.run_forever(burst=True)

    numbers = {str(handle.uuid): number for number, handle in enumerate(handles)}
    events = sentry.events
    assert len(events) == 200
    for event in events:
        tags, number = event["tags"], numbers[event["tags"]["qtasks.task_id"]]
        crumbs = event["breadcrumbs"]["values"]
        crumbs = [one["message"] for one in crumbs if one["category"] == "number"]
        if number < 196:
            assert (str(tags["number"]), crumbs) == (str(number), [str(number)])
        else:
            assert ("number" in tags, crumbs) == (False, [])
        assert event["contexts"]["qtasks"]["id"] == tags["qtasks.task_id"]
    sentry.flush()
    spans = [span["span_id"] for span in sentry.spans("queue.process")]
    linked = {event["contexts"]["trace"]["span_id"] for event in events}
    assert len(spans) == 200
    assert linked == set(spans)
