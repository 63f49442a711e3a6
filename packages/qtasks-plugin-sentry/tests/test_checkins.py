"""Check-ins of scheduled runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from qtasks import QueueTasks
from qtasks.exc import Discard, Reject
from qtasks.plugins import schedule_headers
from qtasks.schemas import Schedule
from qtasks_plugin_sentry import SentryPlugin
from qtasks_plugin_sentry.checkins import slug_of

if TYPE_CHECKING:
    from collections.abc import Callable

NIGHTLY = schedule_headers(Schedule(name="nightly", crontab="0 3 * * *", timezone="Europe/Berlin"))


def test_a_check_in_opens_when_the_run_starts_and_closes_after_the_retries(
    plain_sentry: Any, make_harness: Callable[..., Any], url: str
) -> None:
    harness = make_harness(url=url, attempts=3)
    runs: list[list[str]] = []

    @harness.app.task(max_time=90)
    def clean_up() -> None:
        runs.append([one["status"] for one in plain_sentry.check_ins])
        if len(runs) < 3:
            msg = "not yet"
            raise ValueError(msg)

    handle = harness.add(clean_up, headers=NIGHTLY)
    assert plain_sentry.check_ins == []
    harness.app.run_forever(burst=True)

    assert runs == [["in_progress"]] * 3
    opened, closed = plain_sentry.check_ins
    assert (opened["status"], closed["status"]) == ("in_progress", "ok")
    assert opened["check_in_id"] == closed["check_in_id"] == UUID(str(handle.uuid)).hex
    assert opened["monitor_slug"] == closed["monitor_slug"] == "nightly"
    assert opened["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "0 3 * * *"},
        "timezone": "Europe/Berlin",
        "max_runtime": 2,
    }
    assert closed["duration"] >= 0


def test_another_worker_closes_it(plain_sentry: Any, make_harness: Callable[..., Any]) -> None:
    harness = make_harness(attempts=2)
    runs: list[int] = []

    @harness.app.task
    def clean_up() -> None:
        runs.append(1)
        if len(runs) < 2:
            harness.app.stop()
            msg = "not yet"
            raise ValueError(msg)

    harness.add(clean_up, headers=NIGHTLY)
    harness.app.run_forever()
    assert [one["status"] for one in plain_sentry.check_ins] == ["in_progress"]

    harness.app.run_forever(burst=True)

    assert [one["status"] for one in plain_sentry.check_ins] == ["in_progress", "ok"]
    assert len({one["check_in_id"] for one in plain_sentry.check_ins}) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("no"), "error"), (Reject("bad"), "error"), (Discard("moot"), "ok")],
    ids=["failed", "rejected", "discarded"],
)
def test_a_run_that_failed_is_an_error_and_one_that_was_dropped_on_purpose_is_none(
    plain_sentry: Any, make_harness: Callable[..., Any], error: Exception, status: str
) -> None:
    harness = make_harness()

    @harness.app.task
    def clean_up() -> None:
        raise error

    harness.run(clean_up, headers=NIGHTLY)

    assert [one["status"] for one in plain_sentry.check_ins] == ["in_progress", status]
    tagged = [event["tags"]["qtasks.schedule"] for event in plain_sentry.events]
    assert set(tagged) <= {"nightly"}


def test_other_tasks_have_none_and_they_can_be_switched_off(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness(SentryPlugin(crons=False))

    @harness.app.task
    def clean_up() -> None: ...

    harness.run(clean_up, headers=NIGHTLY)
    other = make_harness()
    other.app.task(name="plain")(lambda: None)
    other.do(other.app.add_task("plain"))
    other.app.run_forever(burst=True)

    assert plain_sentry.check_ins == []


@pytest.mark.parametrize(
    ("schedule", "config"),
    [
        (Schedule(name="x", every=300), {"type": "interval", "value": 5, "unit": "minute"}),
        (Schedule(name="x", every=7200), {"type": "interval", "value": 2, "unit": "hour"}),
        (Schedule(name="x", every=86400), {"type": "interval", "value": 1, "unit": "day"}),
        (Schedule(name="x", every=90), None),
        (Schedule(name="x", crontab="* * * * * *"), None),
        (Schedule(name="x"), None),
    ],
)
def test_what_sentry_can_express_makes_a_monitor(
    plain_sentry: Any, make_harness: Callable[..., Any], schedule: Schedule, config: Any
) -> None:
    harness = make_harness(SentryPlugin(monitor={"checkin_margin": 5}))

    @harness.app.task
    def clean_up() -> None: ...

    harness.run(clean_up, headers=schedule_headers(schedule))

    found = plain_sentry.check_ins[0].get("monitor_config")
    if config is None:
        assert found is None
    else:
        assert found == {"schedule": config, "timezone": "UTC", "checkin_margin": 5}


def test_slugs_have_few_characters_and_tell_names_apart() -> None:
    assert slug_of("nightly-clean_up") == "nightly-clean_up"
    slugs = {slug_of("Ein Bericht"), slug_of("ein bericht"), slug_of("ein-bericht"), slug_of("月")}
    slugs |= {slug_of("x" * 60), slug_of("x" * 61)}

    assert len(slugs) == 6
    for slug in slugs:
        assert 0 < len(slug) <= 50
        assert slug.isascii()
        assert slug == slug.lower()


def test_a_header_that_is_no_schedule_is_ignored(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()

    @harness.app.task
    def clean_up() -> None: ...

    assert harness.run(clean_up, headers={"qtasks-schedule": "{"}).status == "success"
    assert plain_sentry.check_ins == []


def test_a_check_in_closes_although_before_report_fails(plain_sentry: Any) -> None:
    def fail(_event: Any, _hint: Any) -> Any:
        msg = "before_report is broken"
        raise RuntimeError(msg)

    app = QueueTasks(broker_url="memory://", plugins=[SentryPlugin(before_report=fail)])

    @app.task
    def clean_up() -> None:
        msg = "no such thing"
        raise LookupError(msg)

    clean_up.options(headers=NIGHTLY).add_task()
    app.run_forever(burst=True)

    assert [one["status"] for one in plain_sentry.check_ins] == ["in_progress", "error"]
