"""What other plugins tell of themselves: budgets and breakers of retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.plugins import Plugin
from qtasks.testing import run_task

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from conftest import Measured


class Guarded(Plugin):
    """Stands for a plugin that has budgets and breakers."""

    def figures(self, now: float) -> list[tuple[str, str, float]]:
        assert now > 0
        return [
            ("retry_budget_exhausted", "payments", 3.0),
            ("circuit_state", "bank", 2.0),
            ("of_tomorrow", "what", 1.0),
        ]


def test_what_a_neighbour_tells_is_shown(make_measured: Callable[..., Measured]) -> None:
    measured = make_measured(Guarded("guarded"))
    seen: list[Any] = []

    @measured.app.task(name="look")
    def look() -> None:
        seen.append(measured.value("qtasks_circuit_state", breaker="bank"))

    run_task(measured.app, "look")

    assert seen == [2.0]
    assert measured.value("qtasks_retry_budget_exhausted_total", budget="payments") == 3.0
    assert measured.value("qtasks_of_tomorrow") is None


def test_what_may_happen_is_shown_before_it_does(measured: Measured) -> None:
    seen: list[Any] = []

    @measured.app.task(name="look")
    def look() -> None:
        for name, labels in (
            ("dead_letters", {"task": "look", "reason": "exhausted"}),
            ("attempts", {"task": "look", "outcome": "fail"}),
            ("leases_expired", {}),
            ("settles_fenced", {}),
        ):
            seen.append(measured.value(f"qtasks_{name}_total", queue="default", **labels))
        seen.append(measured.value("qtasks_metrics_dropped_total"))

    run_task(measured.app, "look")

    assert seen == [0, 0, 0, 0, 0]


class Namesake(Plugin):
    """Has a method that only is called the same."""

    def figures(self) -> list[int]:
        return [1, 2]


def test_a_neighbour_whose_method_means_something_else_harms_nothing(
    make_measured: Callable[..., Measured], caplog: pytest.LogCaptureFixture
) -> None:
    measured = make_measured(Namesake("namesake"), Guarded("guarded"))
    seen: list[Any] = []

    @measured.app.task(name="look")
    def look() -> None:
        seen.append(measured.value("qtasks_circuit_state", breaker="bank"))

    run_task(measured.app, "look")

    assert seen == [2.0]
    about = {"queue": "default", "task": "look", "outcome": "success"}
    assert measured.value("qtasks_attempts_total", **about) == 1
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == []
