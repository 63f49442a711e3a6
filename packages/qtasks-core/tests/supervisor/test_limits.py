"""When a child has served long enough."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from qtasks._supervisor import limits
from qtasks._supervisor.limits import Limits, check_limits, memory_in_use
from qtasks.configs import QueueConfig
from qtasks.exc import ConfigError

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ((9, 100 * MIB, 3), None),
        ((10, None, 0), "10 tasks, max_tasks_per_child is 10"),
        ((11, None, 0), "11 tasks, max_tasks_per_child is 10"),
        ((0, 101 * MIB, 0), "101 MiB of memory, max_memory_per_child is 100 MiB"),
        ((0, None, 4), "4 threads run on after the max_time of their tasks"),
    ],
)
def test_a_limit_is_reached(state: tuple[int, int | None, int], why: str | None) -> None:
    assert Limits(tasks=10, memory=100 * MIB, abandoned=4).reached(*state) == why


def test_without_limits_only_abandoned_threads_count() -> None:
    none = Limits.of(QueueConfig())

    assert none.reached(10**9, 10**12, 9) is None
    assert none.reached(0, 0, 10) is not None


def test_a_child_with_few_threads_can_spare_fewer() -> None:
    assert Limits.of(QueueConfig(max_threads=2)).abandoned == 2


def test_memory_is_that_of_this_process() -> None:
    before = memory_in_use()
    assert before is not None
    kept = b"x" * (100 * MIB)

    after = memory_in_use()

    assert after is not None
    assert after - before > len(kept) * 0.9


def test_elsewhere_the_peak_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(limits, "_STATM", tmp_path / "missing")

    peak = memory_in_use()

    assert peak is not None
    assert peak > 10 * MIB


def test_a_limit_that_cannot_be_measured_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(limits, "_STATM", tmp_path / "missing")
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(ConfigError, match=r"max_memory_per_child = 5: .* measured on win32; use"):
        check_limits(QueueConfig(max_memory_per_child=5))
    check_limits(QueueConfig(max_tasks_per_child=5))
