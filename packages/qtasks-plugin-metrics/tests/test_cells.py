"""Where numbers are added up: many at once come to the same as one after the other."""

from __future__ import annotations

import random

import pytest

from qtasks_plugin_metrics.cells import HistogramCell

BOUNDS = (0.001, 0.01, 0.1, 1.0)


@pytest.mark.parametrize("largest", [0.0005, 0.02, 3.0])
def test_many_values_at_once_are_counted_as_one_after_the_other(largest: float) -> None:
    chance = random.Random(7)
    for size in (1, 2, 3, 100):
        values = [*BOUNDS, 0.0, -0.5][:size] + [
            chance.uniform(-0.0001, largest) for _ in range(size)
        ]
        one_by_one, at_once = HistogramCell(BOUNDS), HistogramCell(BOUNDS)
        for value in values:
            one_by_one.observe(value)

        total = at_once.observe_all(values)

        assert at_once.counts == one_by_one.counts
        assert at_once.total == total == pytest.approx(one_by_one.total)
        shifted = HistogramCell(BOUNDS)
        assert shifted.observe_all([value + 4.0 for value in values], 4.0) == pytest.approx(total)
        assert sum(shifted.counts) == len(values)


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        (-1.0, [1, 0, 0, 0, 0]),
        (0.001, [1, 0, 0, 0, 0]),
        (1.0, [0, 0, 0, 1, 0]),
        (2.0, [0] * 4 + [1]),
    ],
)
def test_a_value_on_a_bound_belongs_below_it(value: float, counts: list[int]) -> None:
    cell = HistogramCell(BOUNDS)
    assert cell.observe_all([value]) == max(0.0, value)
    assert cell.counts == counts
