"""How a task says that a schedule added it."""

from __future__ import annotations

import pytest

from qtasks.plugins import schedule_headers, schedule_of
from qtasks.schemas import Schedule


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(name="nightly", crontab="0 3 * * *", timezone="Europe/Berlin"),
        Schedule(name="often", every=0.5),
        Schedule(name="by hand"),
    ],
)
def test_a_schedule_comes_back_from_the_headers_it_makes(schedule: Schedule) -> None:
    headers = schedule_headers(schedule)

    assert schedule_of({"tenant": "acme", **headers}) == schedule
    assert all(isinstance(text, str) for text in (*headers, *headers.values()))


@pytest.mark.parametrize("headers", [{}, {"qtasks-schedule": "{"}, {"qtasks-schedule": "{}"}])
def test_what_is_no_schedule_is_none(headers: dict[str, str]) -> None:
    assert schedule_of(headers) is None


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (Schedule(name=" "), "has no name"),
        (Schedule(name="x", crontab="* * * * *", every=60), "has crontab= and every="),
    ],
)
def test_a_schedule_that_says_nothing_or_too_much_is_refused(schedule: Schedule, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        schedule_headers(schedule)


@pytest.mark.parametrize("every", [-60, float("nan"), float("inf")])
def test_a_period_that_is_none_is_refused(every: float) -> None:
    with pytest.raises(ValueError, match=r"schedule 'hourly' has every=.*: use seconds above 0"):
        schedule_headers(Schedule(name="hourly", every=every))
