"""Tasks with budgets and breakers, as workers run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import RegistrationError, RetryLater
from qtasks.plugins import Plugin, on
from qtasks.storages import MemoryStorage
from qtasks.testing import make_app, run_queue
from qtasks_plugin_retry import Breaker, Budget, Retry, RetryPlugin

if TYPE_CHECKING:
    from qtasks import QueueTasks


@pytest.fixture
def app() -> QueueTasks:
    return make_app(plugins=[RetryPlugin()])


@pytest.mark.parametrize("shared", [False, True])
def test_a_retry_beyond_the_budget_is_postponed_and_not_dropped(
    app: QueueTasks, *, shared: bool
) -> None:
    budget = Budget(ratio=0, min_per_second=0.1, per=10, shared=shared)
    times: list[float] = []

    @app.task(retry=Retry(max_attempts=2, backoff=0, budget=budget))
    def work() -> None:
        times.append(app.clock.time())
        raise OSError

    handles = [work.add_task() for _ in range(4)]
    run_queue(app)

    assert [handle.refresh().reason for handle in handles] == ["exhausted"] * 4
    assert len(times) == 8
    retries = sorted(budget.period(time) for time in times)[3:]
    assert len(set(retries[-3:])) == 3  # one in each period


def test_a_retry_says_why_it_was_postponed(app: QueueTasks) -> None:
    once = Budget("mail", ratio=0, min_per_second=0.1, per=10)
    told: list[Any] = []

    class Outcomes(Plugin):
        @on("worker_outcome")
        def hear(self, outcome: Any) -> None:
            told.append(outcome)

    app.add_plugin(Outcomes())

    @app.task(retry=Retry(max_attempts=2, backoff=0, budget=once))
    def work() -> None:
        raise OSError

    for _ in range(2):
        work.add_task()
    run_queue(app, delays=False)

    postponed = [outcome for outcome in told if getattr(outcome, "delay", 0)]
    assert [outcome.reason for outcome in postponed] == ["budget mail is spent"]


def test_a_retry_that_cannot_be_postponed_long_enough_ends_with_that_limit(
    app: QueueTasks,
) -> None:
    budget = Budget(ratio=0, min_per_second=0.01, per=100)

    @app.task(retry=Retry(max_attempts=2, backoff=0, max_elapsed=50, budget=budget))
    def work() -> None:
        raise OSError

    # So that the next period is further away than the task may wait.
    app.clock.advance(100 - app.clock.time() % 100)  # type: ignore[attr-defined]  # a FakeClock
    handles = [work.add_task() for _ in range(2)]
    run_queue(app)

    assert sorted(handle.refresh().reason for handle in handles) == ["exhausted", "max_elapsed"]


@pytest.mark.parametrize("shared", [False, True])
def test_an_open_breaker_postpones_before_the_start(app: QueueTasks, *, shared: bool) -> None:
    breaker = Breaker("pay", consecutive=3, cooldown=100, shared=shared)
    down_until = app.clock.time() + 50
    runs: list[float] = []

    @app.task(retry=Retry(max_attempts=20, backoff=1, jitter="none", breaker=breaker))
    def pay() -> str:
        runs.append(app.clock.time())
        if app.clock.time() < down_until:
            raise OSError
        return "paid"

    @app.task(retry=Retry(max_attempts=2, breaker=breaker))
    def refund() -> str:
        runs.append(app.clock.time())
        return "back"

    handle = pay.add_task()
    other = refund.options(delay=10).add_task()
    run_queue(app)

    assert (handle.refresh().returning, other.refresh().returning) == ("paid", "back")
    assert (handle.record.attempts, other.record.attempts) == (3, 0)
    assert other.record.deliveries > 1
    assert len(runs) == 5  # three that failed, and one each when it was over
    assert 90 <= runs[3] - runs[2] <= 111


def test_what_does_not_count_opens_nothing(app: QueueTasks) -> None:
    breaker = Breaker("pay", consecutive=1, failures=[OSError])
    policy = Retry(max_attempts=3, backoff=0, no_retry_on=[FileNotFoundError], breaker=breaker)
    runs: list[type[BaseException]] = []

    @app.task(retry=policy)
    def work(name: str) -> None:
        kinds = {"value": ValueError, "later": RetryLater, "refused": FileNotFoundError}
        runs.append(kinds[name])
        raise kinds[name]

    for name in ("value", "later", "refused"):
        work.add_task(name)
    run_queue(app)

    assert len(runs) == 7


def test_a_storage_that_is_away_stops_nothing(
    app: QueueTasks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: Any) -> int:
        raise ConnectionError

    monkeypatch.setattr(MemoryStorage, "counter_add", away)
    monkeypatch.setattr(MemoryStorage, "state_get", away)
    policy = Retry(
        max_attempts=3,
        backoff=0,
        budget=Budget("mail", shared=True),
        breaker=Breaker("pay", shared=True),
    )

    @app.task(retry=policy)
    def work() -> None:
        raise OSError

    handle = work.add_task()
    run_queue(app)

    assert (handle.refresh().reason, handle.record.attempts) == ("exhausted", 3)
    assert "What is shared as mail cannot be asked: ConnectionError" in caplog.text
    assert "What is shared as pay cannot be asked: ConnectionError" in caplog.text


def test_a_name_that_means_two_things_is_refused(app: QueueTasks) -> None:
    app.task(name="a", retry=Retry(breaker=Breaker("pay"), budget=Budget("pay")))(print)
    with pytest.raises(RegistrationError, match=r"Breaker\('pay', ...\) is declared twice"):
        app.task(name="b", retry=Retry(breaker=Breaker("pay", probes=2)))(print)
    with pytest.raises(RegistrationError, match=r"Budget\('pay', ...\) is declared twice"):
        app.task(name="c", retry=Retry(budget=Budget("pay", per=5)))(print)
    assert list(app.tasks) == ["a"]


@pytest.mark.parametrize(
    ("options", "triggers"),
    [
        ({}, set()),
        ({"retry": 5}, {"worker_task_error_retry"}),
        ({"retry": Retry(on_exhausted="b")}, {"worker_task_error_retry", "worker_dead_letter"}),
        (
            {"retry": Retry(budget=Budget())},
            {"worker_task_error_retry", "worker_execute_before"},
        ),
        (
            {"retry": Retry(breaker=Breaker("b"))},
            {"worker_task_error_retry", "worker_execute_before", "worker_outcome"},
        ),
    ],
)
def test_a_task_pays_for_what_it_has_alone(options: dict[str, Any], triggers: set[str]) -> None:
    plugin = RetryPlugin()
    app = make_app(plugins=[plugin])
    task = app.task(name="work", **options)(print)

    wanted = plugin.applies(task.definition)

    assert set(wanted or ()) == triggers  # type: ignore[arg-type]  # it never says True


def test_exporters_see_how_budgets_and_breakers_stand() -> None:
    plugin = RetryPlugin()
    app = make_app(plugins=[plugin])
    budget = Budget("spare", ratio=0, min_per_second=0.1, per=10)
    breaker = Breaker("bank", consecutive=2, cooldown=1000)

    @app.task(retry=Retry(max_attempts=2, backoff=0, budget=budget, breaker=breaker))
    def work() -> None:
        raise OSError

    before = list(plugin.figures(app.clock.time()))
    for _ in range(2):
        work.add_task()
    run_queue(app, delays=False)

    assert before == [("retry_budget_exhausted", "spare", 0.0), ("circuit_state", "bank", 0.0)]
    figures = {name: value for name, _, value in plugin.figures(app.clock.time())}
    assert figures == {"retry_budget_exhausted": 1.0, "circuit_state": 2.0}
    later = {name: value for name, _, value in plugin.figures(app.clock.time() + 2000)}
    assert later["circuit_state"] == 1.0
