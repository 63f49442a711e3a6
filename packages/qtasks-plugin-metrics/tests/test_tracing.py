"""Exemplars: the trace that a run is from, whoever traces."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.testing import run_task
from qtasks_plugin_metrics.tracing import is_tracing, trace_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Measured

TRACE = "0af7651916cd43dd8448eb211c80319c"


def opentelemetry(*, sampled: bool) -> Any:
    flags = SimpleNamespace(sampled=sampled)
    context = SimpleNamespace(is_valid=True, trace_id=int(TRACE, 16), trace_flags=flags)
    span = SimpleNamespace(get_span_context=lambda: context)
    return SimpleNamespace(get_current_span=lambda: span)


def sentry(*, sampled: bool) -> Any:
    span = SimpleNamespace(sampled=sampled, trace_id=TRACE)
    return SimpleNamespace(get_current_span=lambda: span)


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing traces, until a test says so."""
    for name in ("opentelemetry.trace", "sentry_sdk"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize(
    ("name", "make"), [("opentelemetry.trace", opentelemetry), ("sentry_sdk", sentry)]
)
def test_a_sampled_trace_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[..., Any]
) -> None:
    assert (is_tracing(), trace_id()) == (False, None)
    monkeypatch.setitem(sys.modules, name, make(sampled=False))
    assert (is_tracing(), trace_id()) == (True, None)
    monkeypatch.setitem(sys.modules, name, make(sampled=True))
    assert trace_id() == TRACE


def test_a_run_leaves_its_trace_with_its_duration_and_its_end(
    monkeypatch: pytest.MonkeyPatch, make_measured: Callable[..., Measured]
) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", sentry(sampled=True))
    measured = make_measured()
    measured.app.task(name="add")(lambda: None)
    run_task(measured.app, "add")

    found = {
        sample.name: sample.exemplar.labels
        for family in measured.plugin.registry.collect()
        for sample in family.samples
        if sample.exemplar
    }
    assert found == {
        "qtasks_task_duration_seconds_bucket": {"trace_id": TRACE},
        "qtasks_attempts_total": {"trace_id": TRACE},
    }


def test_where_nothing_traces_no_run_is_asked(measured: Measured) -> None:
    measured.app.task(name="add")(lambda: None)
    run_task(measured.app, "add")

    table = measured.app._registry.table_for(measured.app.tasks["add"])
    assert not table.task_executor_before_execute
    assert not table.hears_runs
