"""What options of tasks and policies may be: all else is refused when the task is declared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from qtasks import Router
from qtasks.exc import ConfigError, RegistrationError
from qtasks.testing import make_app, plugin_sandbox
from qtasks_plugin_retry import (
    Constant,
    Exponential,
    Linear,
    Options,
    Polynomial,
    Proportional,
    Retry,
    RetryPlugin,
    Table,
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retry": -1}, r"retry=-1; use a number of further runs from 0 up"),
        ({"retry": 2.5}, r"retry=2.5; use a number of further runs, such as 5, True"),
        ({"retry": "5"}, r"retry='5'; use a number"),
        ({"retry": Retry}, r"use a number of further runs, .* or Retry\(\.\.\.\)"),
        ({"retry": 5, "retry_on_exc": "OSError"}, r"use a list of exception classes"),
        ({"retry": 5, "retry_on_exc": [OSError, 5]}, r"5 is no exception class"),
        ({"retry": 5, "retry_on_exc": [OSError()]}, r"OSError\(\) is no .* write OSError"),
        ({"retry": 5, "retry_on_exc": int}, r"<class 'int'> is no exception class"),
        ({"retry_on_exc": [OSError]}, r"write retry=5 beside it"),
        ({"retry": False, "retry_on_exc": [OSError]}, r"write retry=5 beside it"),
        ({"retry": Retry(), "retry_on_exc": [OSError]}, r"retry=Retry\(retry_on_exc="),
        ({"retry": Retry(on_exhausted="odd")}, r"on_exhausted='odd'\) would never end"),
        ({"retrys": 5}, r"did you mean 'retry'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    app = make_app(plugins=[RetryPlugin()])

    with pytest.raises(RegistrationError, match=f"task 'odd': .*{message}"):
        app.task(name="odd", **options)(lambda: None)
    assert not app.tasks


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"retry": 5}, 6),
        ({"retry": 0}, 1),
        ({"retry": True}, 6),
        ({"retry": False}, None),
        ({"retry": None}, None),
        ({"retry": 2, "retry_on_exc": None}, 3),
        ({"retry": Retry(max_attempts=4)}, 4),
        ({}, None),
    ],
)
def test_the_definition_says_how_many_attempts_there_are(
    options: dict[str, Any], expected: int | None
) -> None:
    app = make_app(plugins=[RetryPlugin()])
    app.task(name="work", **options)(lambda: None)

    assert app.tasks["work"].max_attempts == expected


def test_tasks_of_routers_are_looked_at_when_an_app_takes_them() -> None:
    router = Router()
    router.task(name="fits", retry=2)(lambda: None)
    app = make_app(plugins=[RetryPlugin()])
    app.include_router(router)

    assert app.tasks["fits"].max_attempts == 3
    with pytest.raises(RegistrationError, match=r"retry= needs a plugin: .*qtasks-plugin-retry"):
        make_app().include_router(router)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_attempts": 0}, "whole number from 1 up"),
        ({"max_attempts": 2.0}, "whole number from 1 up"),
        ({"max_attempts": True}, "whole number from 1 up"),
        ({"backoff": "fast"}, "use Constant, Linear"),
        ({"backoff": -1}, r"Constant\(delay=-1\): use a number from 0 up"),
        ({"backoff": True}, "use Constant, Linear"),
        ({"backoff": []}, "give at least one delay"),
        ({"backoff": [1, -1]}, r"delays\[1\]=-1"),
        ({"jitter": "some"}, r"jitter='some'\): use 'none', 'full'"),
        ({"jitter": 0.1}, r"Proportional\(0.1\)"),
        ({"min_delay": -1}, r"min_delay=-1\)"),
        ({"min_delay": None}, r"min_delay=None\)"),
        ({"max_delay": float("inf")}, r"max_delay=inf\)"),
        ({"max_delay": float("nan")}, r"max_delay=nan\)"),
        ({"min_delay": 5, "max_delay": 2}, "make min_delay the smaller one"),
        ({"max_elapsed": -1}, r"max_elapsed=-1\)"),
        ({"max_elapsed": "1h"}, r"max_elapsed='1h'\)"),
        ({"retry_on_exc": 5}, "use a list of exception classes"),
        ({"no_retry_on": ["OSError"]}, "'OSError' is no exception class"),
        ({"retry_on_timeout": "no"}, "use True, False or None"),
        ({"classify": 5}, "use a function"),
        ({"on_exhausted": 5}, "the name of a task"),
        ({"on_exhausted": ""}, "the name of a task"),
        ({"seed": 5}, "use text"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Retry(**fields)


def test_a_classify_that_has_to_be_awaited_is_refused() -> None:
    async def classify(_: object) -> bool:
        return True

    with pytest.raises(TypeError, match="use def, not async def"):
        Retry(classify=classify)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Constant("1"),
        lambda: Linear(-1),
        lambda: Exponential(1, 0.5),
        lambda: Exponential(float("nan")),
        lambda: Polynomial(-1),
        lambda: Polynomial(1, True),
        lambda: Table("12"),
        lambda: Table(5),
        lambda: Proportional(2),
        lambda: Proportional(-0.1),
        lambda: RetryPlugin(default=5),
    ],
)
def test_what_it_is_made_of_is_checked_too(make: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="use "):
        make()


def test_seconds_and_lists_and_spans_are_understood() -> None:
    assert Retry(backoff=3).backoff == Constant(3)
    assert Retry(backoff=timedelta(minutes=1)).backoff == Constant(60)
    assert Retry(backoff=[1, 2]).backoff == Table((1, 2))
    assert Retry(max_elapsed=timedelta(hours=1)).max_elapsed == 3600
    assert Retry(retry_on_exc=OSError).retry_on_exc == (OSError,)


# the policy of an app


def test_it_is_found_once_it_is_installed() -> None:
    with plugin_sandbox("retry"):
        app = make_app(plugins=None)
        app.task(name="work", retry=True)(lambda: None)

    assert app.tasks["work"].max_attempts == 6
    assert list(app.plugins) == ["retry"]


def test_the_environment_gives_the_policy_of_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_RETRY_MAX_ATTEMPTS", "3")
    monkeypatch.setenv("QTASKS_RETRY_JITTER", "none")
    monkeypatch.setenv("QTASKS_RETRY_BASE", "7")

    plugin = RetryPlugin()
    make_app(plugins=[plugin])

    assert plugin.default == Retry(
        max_attempts=3, jitter="none", backoff=Exponential(7, 2), max_delay=600
    )


@pytest.mark.parametrize(
    ("name", "value"), [("MAX_ATTEMPTS", "0"), ("JITTER", "some"), ("FACTOR", "0.5")]
)
def test_a_wrong_option_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"QTASKS_RETRY_{name}", value)

    with pytest.raises(ConfigError, match=f"(?i){name}"):
        make_app(plugins=[RetryPlugin()])


def test_the_policy_of_an_app_in_code_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_RETRY_MAX_ATTEMPTS", "3")
    default = Retry(max_attempts=9, backoff=[1, 2], retry_on_exc=[OSError])
    app = make_app(plugins=[RetryPlugin(default=default)])
    app.task(name="all", retry=True)(lambda: None)
    app.task(name="fewer", retry=1)(lambda: None)

    assert [task.max_attempts for task in app.tasks.values()] == [9, 2]


def test_options_in_code_are_the_policy_too() -> None:
    plugin = RetryPlugin(options=Options(max_attempts=2))
    make_app(plugins=[plugin])

    assert plugin.default.max_attempts == 2
