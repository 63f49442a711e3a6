"""What tests of other people's code may say."""

from __future__ import annotations

from typing import Any

import pytest

from qtasks.testing import make_app, run_task
from qtasks_plugin_retry import Retry, RetryPlugin
from qtasks_plugin_retry.testing import max_attempts, no_retry_delay


def failing(**policy: Any) -> tuple[Any, Any]:
    """Returns an app and a task of it that fails."""
    app = make_app(plugins=[RetryPlugin()])

    @app.task(retry=Retry(backoff=100, jitter="none", **policy))
    def fail() -> None:
        raise OSError

    return app, fail


def test_without_delays_no_time_passes() -> None:
    app, fail = failing(max_attempts=3)
    begun = app.clock.time()

    with no_retry_delay():
        assert run_task(app, fail).record.attempts == 3

    assert app.clock.time() == begun
    run_task(app, fail)
    assert app.clock.time() == begun + 200


@pytest.mark.parametrize("number", [1, 2, 9])
def test_the_number_of_attempts_can_be_fixed(number: int) -> None:
    app, fail = failing(max_attempts=3)

    with no_retry_delay(), max_attempts(number):
        assert run_task(app, fail).record.attempts == number

    assert run_task(app, fail).record.attempts == 3


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_a_number_of_attempts_that_cannot_be_is_refused(number: Any) -> None:
    with (
        pytest.raises((TypeError, ValueError), match="whole number from 1 up"),
        max_attempts(number),
    ):
        pass


def test_time_passes_by_the_delays_of_the_policy() -> None:
    app = make_app(plugins=[RetryPlugin()])
    begun, runs = app.clock.time(), []

    @app.task(retry=Retry(backoff=[60, 300, 3600], jitter="none", max_attempts=5))
    def fail() -> None:
        runs.append(app.clock.time() - begun)
        raise OSError

    run_task(app, fail)

    assert runs == pytest.approx([0, 60, 360, 3960, 7560])


def test_a_limit_of_time_counts_waits_and_runs() -> None:
    app = make_app(plugins=[RetryPlugin()])
    runs = []

    @app.task(retry=Retry(backoff=100, jitter="none", max_elapsed=350, max_attempts=99))
    def fail() -> None:
        runs.append(1)
        app.clock.advance(20)
        raise OSError

    handle = run_task(app, fail)

    assert handle.reason == "max_elapsed"
    assert len(runs) == 3
