"""How long a task waits: exact numbers, and what holds for all of them."""

from __future__ import annotations

import math
import threading
from statistics import fmean
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks_plugin_retry import (
    Constant,
    Exponential,
    Linear,
    Polynomial,
    Proportional,
    Retry,
    Table,
)

ID = "00000000-0000-4000-8000-000000000001"
BACKOFFS = {
    "constant": Constant(5),
    "linear": Linear(2),
    "exponential": Exponential(1, 2),
    "polynomial": Polynomial(2, 3),
    "table": Table([1, 10, 100]),
}
JITTERS: dict[str, Any] = {
    "none": "none",
    "full": "full",
    "equal": "equal",
    "decorrelated": "decorrelated",
    "proportional": Proportional(0.1),
}

#: Seconds after the attempts 1, 2, 3, 4 and 8, of at most 50.
GOLDEN = {
    ("constant", "none"): [5.0, 5.0, 5.0, 5.0, 5.0],
    ("constant", "full"): [1.318759, 2.204359, 3.204949, 0.050162, 0.897982],
    ("constant", "equal"): [3.15938, 3.60218, 4.102474, 2.525081, 2.948991],
    ("constant", "decorrelated"): [7.637519, 12.897141, 26.595857, 5.750306, 13.916149],
    ("constant", "proportional"): [4.763752, 4.940872, 5.14099, 4.510032, 4.679596],
    ("linear", "none"): [2.0, 4.0, 6.0, 8.0, 16.0],
    ("linear", "full"): [0.527504, 1.763487, 3.845939, 0.08026, 2.873542],
    ("linear", "equal"): [1.263752, 2.881744, 4.922969, 4.04013, 9.436771],
    ("linear", "decorrelated"): [3.055008, 5.158856, 10.638343, 2.300122, 5.56646],
    ("linear", "proportional"): [1.905501, 3.952697, 6.169188, 7.216052, 14.974708],
    ("exponential", "none"): [1.0, 2.0, 4.0, 8.0, 50.0],
    ("exponential", "full"): [0.263752, 0.881744, 2.563959, 0.08026, 8.979819],
    ("exponential", "equal"): [0.631876, 1.440872, 3.28198, 4.04013, 29.48991],
    ("exponential", "decorrelated"): [1.527504, 2.579428, 5.319171, 1.150061, 2.78323],
    ("exponential", "proportional"): [0.95275, 1.976349, 4.112792, 7.216052, 46.795964],
    ("polynomial", "none"): [4.0, 7.0, 12.0, 19.0, 50.0],
    ("polynomial", "full"): [1.055008, 3.086103, 7.691877, 0.190617, 8.979819],
    ("polynomial", "equal"): [2.527504, 5.043051, 9.845939, 9.595309, 29.48991],
    ("polynomial", "decorrelated"): [6.110015, 10.317713, 21.276686, 4.600244, 11.132919],
    ("polynomial", "proportional"): [3.811002, 6.917221, 12.338375, 17.138123, 46.795964],
    ("table", "none"): [1.0, 10.0, 50.0, 50.0, 50.0],
    ("table", "full"): [0.263752, 4.408718, 32.049488, 0.501624, 8.979819],
    ("table", "equal"): [0.631876, 7.204359, 41.024744, 25.250812, 29.48991],
    ("table", "decorrelated"): [1.527504, 2.579428, 5.319171, 1.150061, 2.78323],
    ("table", "proportional"): [0.95275, 9.881744, 50.0, 45.100325, 46.795964],
}

numbers = st.floats(0, 1e6)
backoffs = st.one_of(
    st.builds(Constant, numbers),
    st.builds(Linear, numbers),
    st.builds(Exponential, numbers, st.floats(1, 1e6)),
    st.builds(Polynomial, st.floats(0, 100), numbers),
    st.builds(Table, st.lists(numbers, min_size=1, max_size=5)),
)
jitters = st.one_of(
    st.sampled_from(["none", "full", "equal", "decorrelated"]),
    st.builds(Proportional, st.floats(0, 1)),
)
attempts = st.one_of(st.integers(1, 50), st.just(10**6))


@pytest.mark.parametrize(("backoff", "jitter"), GOLDEN)
def test_delays_are_these(backoff: str, jitter: str) -> None:
    policy = Retry(backoff=BACKOFFS[backoff], jitter=JITTERS[jitter], max_delay=50)

    delays = [policy.delay(ID, attempt) for attempt in (1, 2, 3, 4, 8)]

    assert delays == pytest.approx(GOLDEN[backoff, jitter], abs=1e-6)


@given(backoffs, jitters, st.tuples(numbers, numbers), st.uuids(), attempts)
def test_no_delay_leaves_its_limits(
    backoff: Any, jitter: Any, limits: tuple[float, float], task: UUID, attempt: int
) -> None:
    least, most = sorted(limits)
    policy = Retry(backoff=backoff, jitter=jitter, min_delay=least, max_delay=most)

    delay = policy.delay(str(task), attempt)

    assert least <= delay <= most
    assert delay == policy.delay(str(task), attempt)


@given(backoffs.filter(lambda backoff: not isinstance(backoff, Table)), st.integers(1, 100))
def test_without_jitter_no_delay_is_shorter_than_the_one_before(backoff: Any, attempt: int) -> None:
    policy = Retry(backoff=backoff, jitter="none")

    assert policy.delay(ID, attempt) <= policy.delay(ID, attempt + 1)


@given(backoffs, jitters, st.integers(1, 20))
def test_with_jitter_a_delay_stays_where_its_name_says(
    backoff: Any, jitter: Any, attempt: int
) -> None:
    whole = Retry(backoff=backoff, jitter="none").delay(ID, attempt)

    delay = Retry(backoff=backoff, jitter=jitter).delay(ID, attempt)

    tiny = 1e-9 * (1 + whole)
    if jitter == "full":
        assert delay <= whole
    elif jitter == "equal":
        assert whole / 2 - tiny <= delay <= whole
    elif isinstance(jitter, Proportional):
        assert whole * (1 - jitter.part) - tiny <= delay <= whole * (1 + jitter.part) + tiny


@given(st.integers(1, 50))
def test_a_decorrelated_delay_lies_between_the_first_and_three_times_the_last(attempt: int) -> None:
    policy = Retry(backoff=1, jitter="decorrelated", max_delay=600)
    before = policy.delay(ID, attempt)

    delay = policy.delay(ID, attempt + 1)

    assert 1 <= delay <= min(3 * before, 600)


def ids(count: int) -> list[str]:
    """Returns ids of many tasks."""
    return [str(UUID(int=number)) for number in range(count)]


def test_full_jitter_is_even() -> None:
    """By Kolmogorov and Smirnov; what they compare is the same on every run."""
    policy = Retry(backoff=1, jitter="full")
    drawn = sorted(policy.delay(task, 1) for task in ids(1000))

    distance = max(
        max(value - place / 1000, (place + 1) / 1000 - value) for place, value in enumerate(drawn)
    )

    assert distance < 1.63 / math.sqrt(1000)  # p > 0.01
    assert abs(fmean(drawn) - 0.5) < 3 * math.sqrt(1 / 12 / 1000)


def test_the_seed_and_the_task_and_the_attempt_make_the_delay() -> None:
    one, other = Retry(backoff=1, seed="one"), Retry(backoff=1, seed="other")
    first, second = ids(2)

    delays = {one.delay(first, 1), other.delay(first, 1), one.delay(second, 1), one.delay(first, 2)}

    assert len(delays) == 4


def test_threads_see_the_same_delays() -> None:
    policy = Retry(jitter="decorrelated")
    expected = [policy.delay(task, 5) for task in ids(200)]
    found: list[list[float]] = []

    def ask() -> None:
        found.append([policy.delay(task, 5) for task in ids(200)])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [expected] * 8


@pytest.mark.parametrize(
    ("policy", "cap"),
    [
        (Retry(), 600),
        (Retry(backoff=5), 600),
        (Retry(backoff=3600), 3600),
        (Retry(backoff=[1, 7200, 60]), 7200),
        (Retry(backoff=Linear(3600)), 600),
        (Retry(min_delay=900), 900),
        (Retry(backoff=3600, max_delay=60), 60),
    ],
)
def test_what_is_written_down_is_not_cut_unless_that_is_written_too(
    policy: Retry, cap: float
) -> None:
    assert policy.cap == cap
    assert Retry(backoff=3600, jitter="none").delay(ID, 1) == 3600


@pytest.mark.parametrize("backoff", [Exponential(1, 1e300), Polynomial(1e6), Exponential(0, 1e300)])
def test_what_no_float_can_hold_is_the_longest_delay(backoff: Any) -> None:
    longest = 0 if backoff == Exponential(0, 1e300) else 600

    assert Retry(backoff=backoff, jitter="none").delay(ID, 10**6) == longest
