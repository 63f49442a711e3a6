"""Ids of tasks."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from qtasks._core.ids import new_id

times = st.floats(min_value=0, max_value=2**40 / 1000)


@given(times)
def test_ids_are_uuids_of_version_7(now: float) -> None:
    made = UUID(new_id(now))
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == int(now * 1000)


@given(times, times)
def test_ids_sort_by_time(one: float, two: float) -> None:
    if int(one * 1000) < int(two * 1000):
        assert new_id(one) < new_id(two)


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id(1.0) for _ in range(1000)}) == 1000
