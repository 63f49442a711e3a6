"""Settings: code over environment over defaults, each error names the key, value and source."""

from __future__ import annotations

import os
from typing import Any

import pytest

from qtasks.configs import QueueConfig
from qtasks.exc import ConfigError


def test_defaults() -> None:
    config = QueueConfig()
    assert config.broker_url == "sqlite:///qtasks.db"
    assert (config.lease, config.max_tasks_process, config.queues) == (15.0, 100, ("default",))
    assert (config.threads, config.prefetched, config.processes) == (100, 100, os.cpu_count())


def test_environment_wins_over_defaults_and_code_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_LEASE", "7.5")
    monkeypatch.setenv("QTASKS_QUEUES", "a, b,")
    monkeypatch.setenv("QTASKS_PREFETCH", "0")
    assert QueueConfig().lease == 7.5
    assert QueueConfig().queues == ("a", "b")
    assert QueueConfig().prefetched == 0
    assert QueueConfig(lease=3).lease == 3


def test_a_wrong_value_names_key_value_source_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match=r"lease = 'soon' \(from code\): Expected `float`"):
        QueueConfig(lease="soon")  # type: ignore[arg-type]  # the mistake under test
    monkeypatch.setenv("QTASKS_LEASE", "-1")
    with pytest.raises(ConfigError, match=r"lease = '-1' \(from QTASKS_LEASE\).*> 0"):
        QueueConfig()


@pytest.mark.parametrize(
    "values",
    [
        {"max_tasks_process": 0},
        {"prefetch": -1},
        {"max_payload": 0},
        {"task_default_priority": 200},
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        QueueConfig(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"queues": ()}, r"queues = \(\).*no queue was named"),
        ({"queues": ["a b"]}, "'a b' is not a queue name"),
        ({"queues": "default"}, r"write for example queues=\('default',\)"),
        ({"lease": float("inf")}, "lease = inf .from code.: use a finite number"),
    ],
)
def test_values_that_would_fail_later_are_refused_now(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        QueueConfig(**values)


def test_settings_are_shown_without_passwords() -> None:
    shown = repr(QueueConfig(broker_url="redis://user:secret@host:1/0", lease=3))
    assert "broker_url='redis://user:***@host:1/0'" in shown
    assert "lease=3" in shown


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown setting 'leese'; known are broker_url"):
        QueueConfig(leese=1)  # type: ignore[call-arg]  # the mistake under test


def test_lists_are_taken_for_queues() -> None:
    assert QueueConfig(queues=["a"]).queues == ("a",)  # type: ignore[arg-type]  # convenient, though not declared
