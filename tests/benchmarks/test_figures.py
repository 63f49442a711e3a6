"""The statistics of the benchmarks."""

from __future__ import annotations

import pytest
from harness.figures import percentile, percentiles, spread


def test_a_spread_has_the_median_and_the_extremes() -> None:
    assert spread([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0, 3)


def test_a_spread_leaves_out_what_a_queue_cannot_do() -> None:
    assert spread([None, 5.0]) == (5.0, 5.0, 5.0, 1)
    assert spread([None]) is None
    assert spread([]) is None


@pytest.mark.parametrize(
    ("percent", "value"), [(1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)]
)
def test_a_percentile_is_a_value_that_was_seen(percent: float, value: float) -> None:
    values = [float(number) for number in range(100, 0, -1)]

    assert percentile(values, percent) == value


def test_percentiles_of_few_values_are_the_largest() -> None:
    assert percentiles("start", [1.0, 2.0]) == {"start_p50_ms": 1.0, "start_p99_ms": 2.0}


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="needs values"):
        percentile([], 50)
