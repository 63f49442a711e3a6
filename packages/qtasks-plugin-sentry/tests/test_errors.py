"""Which failures become events, and what these say."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import sentry_sdk

from qtasks.exc import Discard, Reject, RetryLater, Snooze, TaskCancelError
from qtasks.schemas import Message
from qtasks_plugin_sentry import SentryPlugin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TASKS = """
def stumble(text):
    return dive(text)

def dive(text):
    raise LookupError("nothing here")
"""


@pytest.fixture
def in_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that processes can import, too."""
    (tmp_path / "sentry_tasks_in_file.py").write_text(TASKS, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("sentry_tasks_in_file", None)
    import sentry_tasks_in_file  # type: ignore[import-not-found]  # it was just written

    return sentry_tasks_in_file


def value_of(event: Any) -> Any:
    """Returns the innermost exception of an event."""
    return event["exception"]["values"][-1]


def test_a_task_that_fails_three_times_of_three_is_one_event(
    plain_sentry: Any, make_harness: Callable[..., Any], url: str
) -> None:
    harness = make_harness(attempts=3, url=url)

    @harness.app.task
    def fail() -> None:
        msg = "no such thing"
        raise ValueError(msg)

    handle = harness.run(fail)

    assert handle.record.attempts == 3
    [event] = plain_sentry.events
    assert event["level"] == "error"
    assert event["transaction"] == "fail"
    value = value_of(event)
    assert (value["type"], value["value"]) == ("ValueError", "no such thing")
    assert value["mechanism"]["type"] == "qtasks"
    assert value["mechanism"]["handled"] is False
    assert value["stacktrace"]["frames"][-1]["function"] == "fail"
    crumbs = event["breadcrumbs"]["values"]
    attempts = [one for one in crumbs if one["category"] == "qtasks.attempt"]
    assert [one["data"]["attempt"] for one in attempts] == [1, 2]
    assert attempts[0]["message"] == "Run 1 ended: builtins.ValueError: no such thing"
    tags = event["tags"]
    assert tags["qtasks.task"] == "fail"
    assert tags["qtasks.queue"] == "default"
    assert tags["qtasks.task_id"] == str(handle.uuid)
    assert (tags["qtasks.retry"], tags["qtasks.final"]) == ("true", "true")
    context = event["contexts"]["qtasks"]
    assert (context["attempt"], context["delivery"], context["reason"]) == (3, 3, "exhausted")
    assert context["broker"] == {"memory": "memory", "sqlite": "sqlite"}.get(
        url.partition(":")[0], "redis"
    )


def test_a_task_that_succeeds_in_the_end_is_none(
    plain_sentry: Any, make_harness: Callable[..., Any], url: str
) -> None:
    harness = make_harness(attempts=3, url=url, colour="async")
    runs = []

    @harness.app.task
    async def stumble() -> str:
        runs.append(1)
        if len(runs) < 2:
            msg = "not yet"
            raise ValueError(msg)
        return "fine"

    assert harness.run(stumble).returning == "fine"
    assert plain_sentry.events == []


def test_every_attempt_is_reported_if_that_is_wanted(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness(SentryPlugin(report="every"), attempts=3)

    @harness.app.task
    async def fail() -> None:
        msg = "no such thing"
        raise ValueError(msg)

    harness.run(fail)

    assert [event["level"] for event in plain_sentry.events] == ["warning", "warning", "error"]
    finals = [event["tags"]["qtasks.final"] for event in plain_sentry.events]
    assert finals == ["false", "false", "true"]


@pytest.mark.parametrize(
    "control",
    [Reject("bad"), Discard("moot"), TaskCancelError("enough")],
    ids=["reject", "discard", "cancel"],
)
def test_what_ends_on_purpose_is_no_event(
    plain_sentry: Any, make_harness: Callable[..., Any], control: Exception
) -> None:
    harness = make_harness(SentryPlugin(report="every"))

    @harness.app.task
    def steer() -> None:
        raise control

    harness.run(steer)

    assert plain_sentry.events == []


@pytest.mark.parametrize("control", [RetryLater, Snooze])
def test_what_is_put_off_on_purpose_is_no_event(
    plain_sentry: Any, make_harness: Callable[..., Any], control: type[Any]
) -> None:
    harness = make_harness(SentryPlugin(report="every"))
    runs = []

    @harness.app.task
    def steer() -> None:
        runs.append(1)
        if len(runs) < 2:
            raise control(0)

    harness.run(steer)

    assert (len(runs), plain_sentry.events) == (2, [])


@pytest.mark.parametrize("ignore", [LookupError, "builtins.LookupError", ("KeyError",)], ids=repr)
def test_what_the_app_ignores_is_no_event(
    plain_sentry: Any, make_harness: Callable[..., Any], ignore: Any
) -> None:
    harness = make_harness(SentryPlugin(ignore=ignore))

    @harness.app.task
    def fail() -> None:
        msg = "x"
        raise KeyError(msg)

    harness.run(fail)

    assert plain_sentry.events == []


def test_what_a_task_ignores_is_no_event_of_it_alone(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()

    def fail() -> None:
        msg = "x"
        raise KeyError(msg)

    quiet = harness.app.task(name="quiet", no_report=(LookupError,))(fail)
    loud = harness.app.task(name="loud")(fail)
    harness.add(quiet)
    harness.run(loud)

    assert [event["transaction"] for event in plain_sentry.events] == ["loud"]


def test_an_exception_of_a_process_keeps_its_type_and_its_frames(
    plain_sentry: Any, make_harness: Callable[..., Any], in_file: Any
) -> None:
    harness = make_harness()
    stumble = harness.app.task(pool="process")(in_file.stumble)

    harness.run(stumble, "x")

    [event] = plain_sentry.events
    value = value_of(event)
    assert (value["type"], value["value"]) == ("LookupError", "nothing here")
    last = value["stacktrace"]["frames"][-1]
    assert (last["function"], last["lineno"]) == ("dive", 6)
    assert last["context_line"] == 'raise LookupError("nothing here")'


def test_an_ignored_class_is_known_in_a_process_too(
    plain_sentry: Any, make_harness: Callable[..., Any], in_file: Any
) -> None:
    harness = make_harness(SentryPlugin(ignore=LookupError))
    stumble = harness.app.task(pool="process")(in_file.stumble)

    harness.run(stumble, "x")

    assert plain_sentry.events == []


def test_what_took_too_long_is_grouped_by_its_task(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness(colour="async")

    @harness.app.task(max_time=0.01)
    async def wait() -> None:
        await asyncio.Event().wait()

    harness.run(wait)

    [event] = plain_sentry.events
    assert event["fingerprint"] == ["qtasks", "timeout", "wait"]
    assert value_of(event)["type"] == "TaskTimeoutError"


def test_a_message_that_cannot_be_read_is_grouped_by_its_queue(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()
    harness.app.task(name="take")(lambda x: x)
    message = Message(id=str(uuid4()), task="take", queue="default", payload=b"\xc1")
    harness.do(harness.app.ping())
    asyncio.run(harness.app.broker.publish([message]))
    harness.app.run_forever(burst=True)

    assert harness.do(harness.app.get(message.id)).reason == "malformed"
    [event] = plain_sentry.events
    assert event["fingerprint"] == ["qtasks", "malformed", "default"]


def test_a_task_that_nobody_knows_is_grouped_by_its_name(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()
    harness.app.config.unknown_task_grace = 0
    handle = harness.do(harness.app.add_task("nobody"))
    harness.app.run_forever(burst=True)

    assert harness.do(handle.refresh()).reason == "unknown_task"
    [event] = plain_sentry.events
    assert event["fingerprint"] == ["qtasks", "unknown_task", "nobody"]
    assert event["tags"]["qtasks.task"] == "nobody"


def test_the_event_has_what_the_task_told_sentry(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()

    @harness.app.task
    async def fail() -> None:
        sentry_sdk.set_tag("tenant", "acme")
        sentry_sdk.add_breadcrumb(category="shop", message="the cart was empty")
        msg = "no such thing"
        raise ValueError(msg)

    harness.run(fail)

    [event] = plain_sentry.events
    assert event["tags"]["tenant"] == "acme"
    assert [one["category"] for one in event["breadcrumbs"]["values"]] == ["shop"]


def test_before_report_changes_events_and_drops_them(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    def before(event: Any, hint: dict[str, Any]) -> Any:
        if isinstance(hint["exc_info"][1], KeyError):
            return None
        return {**event, "release": "7"}

    harness = make_harness(SentryPlugin(before_report=before))

    @harness.app.task
    def fail(kind: str) -> None:
        raise KeyError(kind) if kind == "key" else ValueError(kind)

    harness.add(fail, "key")
    harness.run(fail, "other")

    [event] = plain_sentry.events
    assert event["release"] == "7"


def test_a_refused_outcome_is_not_reported(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()

    runs = []

    @harness.app.task(echo=True)
    async def fail(self: Any) -> None:
        runs.append(1)
        if len(runs) < 2:
            await harness.app.broker.expire(self.ctx.get_component("worker").id)
            msg = "stale"
            raise ValueError(msg)

    harness.run(fail)

    assert len(runs) == 2
    assert [event.get("exception") for event in plain_sentry.events] == [None]
    assert plain_sentry.events[0]["fingerprint"] == ["qtasks", "lease_lost", "default"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"report": "all"}, "report"),
        ({"reports": "final"}, "has no option 'reports'; it has report, send_args"),
        ({"flush_timeout": -1}, "flush_timeout"),
        ({"flush_timeout": float("nan")}, "flush_timeout"),
        ({"ignore": 5}, "ignore=5: use exception classes"),
    ],
)
def test_options_that_do_not_fit_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        SentryPlugin(**given)


def test_no_report_takes_exceptions_alone(make_harness: Callable[..., Any]) -> None:
    harness = make_harness()

    with pytest.raises(ValueError, match="no_report=3: use exception classes"):
        harness.app.task(name="x", no_report=3)(lambda: None)
