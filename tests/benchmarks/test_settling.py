"""The benchmarks see when the last outcome was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness.settling import WATCH, Look, wait_until_quiet

if TYPE_CHECKING:
    from collections.abc import Callable


def watch(says: Callable[[float], float], noise: int = 0) -> Look:
    """Watches a worker that has said so much at each time, in virtual time."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    last = wait_until_quiet(lambda: int(says(now)), noise, clock=lambda: now, sleep=sleep)
    assert now >= WATCH
    return last


def test_the_last_outcome_is_the_last_that_was_said() -> None:
    last = watch(lambda now: min(now, 0.5) * 1000)

    assert last.time == pytest.approx(0.5, abs=0.01)
    assert last.said == 500


def test_everything_may_be_recorded_when_the_watch_begins() -> None:
    assert watch(lambda now: 7) == Look(0.0, 7)


def test_what_an_idle_worker_says_is_no_outcome() -> None:
    last = watch(lambda now: min(now, 0.5) * 5000 + now * 100, noise=10)

    assert last.time == pytest.approx(0.5, abs=0.02)


def test_what_is_said_once_in_a_while_is_no_outcome() -> None:
    last = watch(lambda now: min(now, 0.2) * 1000 + (now > 0.9) + (now > 1.9))

    assert last.time == pytest.approx(0.2, abs=0.01)
