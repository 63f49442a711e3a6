"""What never leaves the house, looked for in the bytes of the envelopes."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import sentry_sdk
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.integrations.logging import LoggingIntegration

from qtasks import QueueTasks
from qtasks.exc import Reject
from qtasks.plugins import Plugin, decode, on
from qtasks_plugin_sentry import SentryPlugin
from qtasks_plugin_sentry.patterns import FILTERED
from qtasks_plugin_sentry.redaction import mask_data, masked_values

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Whether the SDK makes events of log records.
STATIC = hasattr(sentry_sdk, "start_transaction")
#: It stands in no source line that is sent: a traceback shows the lines around.
CANARY = "s3cr3t-canary"

TASKS = """
import sentry_sdk







def leak(first, *rest, token):
    local = [first, {"deep": token}]







    try:
        {}[token]
    except KeyError:
        raise ValueError(f"cannot use {first} and {local}")
"""


#: Secrets that stand in the code around the line that fails.
LITERALS = f"""
def fail():
    url = "redis://worker:{CANARY}@server/0"  # password: {CANARY}
    headers = {{"Authorization": "Bearer {CANARY}", "Cookie": "sid={CANARY}"}}
    password = "{CANARY}"
    command = ["mysql", "--password", "{CANARY}"]
    raise LookupError("nothing here")
    api_key = (
        "{CANARY}"
    )
    secret = '''{CANARY}
    {CANARY}'''
"""


@pytest.fixture
def leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that has a secret wherever it can be."""
    (tmp_path / "sentry_leaky_tasks.py").write_text(TASKS, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("sentry_leaky_tasks", None)
    import sentry_leaky_tasks  # type: ignore[import-not-found]  # it was just written

    return sentry_leaky_tasks.leak


@pytest.fixture
def literals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function with secrets in its code."""
    (tmp_path / "sentry_literals.py").write_text(LITERALS, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("sentry_literals", None)
    import sentry_literals  # type: ignore[import-not-found]  # it was just written

    return sentry_literals.fail


def plant(sentry: Any, harness: Any, task: Any) -> None:
    """Adds a call with the secret in its arguments and headers, and runs it."""
    bound = task.options(headers={"authorization": CANARY, "tenant": CANARY})
    with sentry.span("request"):
        harness.do(bound.add_task(CANARY, [CANARY], token=CANARY))
    harness.app.run_forever(burst=True)


@pytest.mark.parametrize("pool", ["loop", "thread", "process"])
def test_a_canary_is_nowhere_in_the_bytes(
    sentry: Any, make_harness: Callable[..., Any], leak: Any, pool: str, url: str
) -> None:
    harness = make_harness(SentryPlugin(report="every"), attempts=3, url=url)
    plant(sentry, harness, harness.app.task(pool=pool, max_time=60)(leak))
    sentry.flush()

    assert len(sentry.events) == 3
    value = sentry.events[-1]["exception"]["values"][-1]
    assert value["type"] == "ValueError"
    assert value["value"].startswith(f"cannot use {FILTERED} and")
    frame = value["stacktrace"]["frames"][-1]
    assert frame["function"] == "leak"
    if pool != "process":
        assert frame["vars"]["first"] == FILTERED
    assert sentry.spans("queue.process")
    assert CANARY.encode() not in b"".join(sentry.raw)


@pytest.mark.parametrize("send_args", [True, False])
@pytest.mark.parametrize("pool", ["loop", "thread", "process"])
def test_secrets_in_the_code_around_a_failure_are_not_sent(
    plain_sentry: Any,
    make_harness: Callable[..., Any],
    literals: Any,
    pool: str,
    send_args: bool,
) -> None:
    plain_sentry.init(traces_sample_rate=None, **allowing())
    harness = make_harness(SentryPlugin(send_args=send_args))

    harness.run(harness.app.task(pool=pool, max_time=60)(literals))

    [event] = plain_sentry.events
    frame = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert "raise LookupError" in frame["context_line"]
    if pool != "process":
        assert frame["pre_context"][-1].startswith('    command = ["mysql", ')
        assert frame["post_context"][0] == "    api_key = ("
    assert CANARY.encode() not in b"".join(plain_sentry.raw)


def test_what_workers_log_about_a_failure_is_sent_in_no_form(
    plain_sentry: Any, make_harness: Callable[..., Any], leak: Any
) -> None:
    wanted = {"enable_logs": True} if "enable_logs" in DEFAULT_OPTIONS else {}
    integrations = [LoggingIntegration(level=logging.INFO, event_level=logging.ERROR)]
    plain_sentry.init(traces_sample_rate=None, integrations=integrations, **wanted)
    harness = make_harness(SentryPlugin(report="every"), attempts=2)
    plant(plain_sentry, harness, harness.app.task(leak))
    sentry_sdk.capture_message("with the breadcrumbs so far")
    plain_sentry.flush()

    assert len(plain_sentry.events) == 3
    crumbs = [crumb for event in plain_sentry.events for crumb in event["breadcrumbs"]["values"]]
    assert [crumb["category"] for crumb in crumbs if "ended: " in crumb["message"]]
    assert CANARY.encode() not in b"".join(plain_sentry.raw)


@pytest.mark.parametrize("secret", ["ab", "abc", "hunter2"])
def test_a_secret_argument_is_sent_nowhere_however_short_it_is(
    plain_sentry: Any, make_harness: Callable[..., Any], secret: str
) -> None:
    plain_sentry.init(traces_sample_rate=None, **allowing())
    harness = make_harness(SentryPlugin(send_args=True), attempts=2)

    @harness.app.task
    def connect(user: str, password: str, command: list[str], headers: dict[str, str]) -> None:
        said = f"{user} with {password} by {' '.join(command)} and {headers['Cookie']}"
        text = f"{said} of {headers}"
        raise PermissionError(text)

    harness.run(connect, "Ann", secret, ["sql", "--token", secret], {"Cookie": f"sid={secret}; a"})

    [event] = plain_sentry.events
    value = event["exception"]["values"][-1]
    assert value["value"].startswith(f"Ann with {FILTERED} by sql --token {FILTERED} and ")
    assert event["extra"]["args"][:2] == ["Ann", FILTERED]
    assert value["stacktrace"]["frames"][-1]["vars"]["user"] == "'Ann'"
    sent = b"".join(plain_sentry.raw).decode()
    assert re.findall(rf"(?<![\w\-]){secret}(?![\w\-])", sent) == []


@pytest.mark.parametrize("send_args", [True, False])
def test_secrets_of_what_led_to_a_failure_are_not_sent_either(
    plain_sentry: Any, make_harness: Callable[..., Any], send_args: bool
) -> None:
    plain_sentry.init(traces_sample_rate=None, **allowing())
    harness = make_harness(SentryPlugin(send_args=send_args))

    def parse(number: str) -> int:
        token = number.lower()
        return int(token)

    def raise_all(*errors: Exception) -> None:
        msg = "several failed"
        raise ExceptionGroup(msg, errors)

    @harness.app.task
    def convert() -> None:
        try:
            parse("HUNTERTWO")
        except ValueError as error:
            msg = "no number"
            raise_all(LookupError(msg), error)

    harness.run(convert)

    [event] = plain_sentry.events
    values = {one["value"] for one in event["exception"]["values"]}
    assert f"invalid literal for int() with base 10: '{FILTERED}'" in values
    assert "no number" in values
    assert b"huntertwo" not in b"".join(plain_sentry.raw)


def test_secrets_are_taken_out_of_breadcrumbs_of_a_run(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    integrations = [LoggingIntegration(level=logging.INFO, event_level=logging.ERROR)]
    plain_sentry.init(traces_sample_rate=None, integrations=integrations)
    harness = make_harness()

    @harness.app.task
    def work(password: str) -> None:
        sentry_sdk.add_breadcrumb(message=f"sql --password {CANARY}", data={"token": CANARY})
        subprocess.run([sys.executable, "-c", "", "--password", CANARY], check=True)
        logging.getLogger("qtasks.task.work").warning("trying %s for order 17", password)
        msg = "no such thing"
        raise LookupError(msg)

    harness.run(work, "hunter2")

    [event] = plain_sentry.events
    said = [crumb["message"] for crumb in event["breadcrumbs"]["values"]]
    assert f"sql --password {FILTERED}" in said
    assert f"trying {FILTERED} for order 17" in said
    assert [text for text in said if text.endswith(f"--password {FILTERED}")]
    # What the task logs itself is sent as a log entry, too, if the release does that.
    sent = repr(plain_sentry.events)
    assert CANARY not in sent
    assert "hunter2" not in sent


def test_what_a_plugin_says_that_fails_during_a_run_has_no_data_in_it(plain_sentry: Any) -> None:
    class Failing(Plugin):
        @on("worker_execute_before")
        def look(self, task_broker: Any) -> None:
            message = task_broker.message
            raised = f"pel{message.task.replace('work', 'ican')}"
            args, _ = decode(message.payload)
            text = f"{args[0]} of {message.headers['tenant']} and {raised}"
            raise LookupError(text)

    app = QueueTasks(broker_url="memory://", plugins=[SentryPlugin(), Failing("failing")])

    @app.task
    def work(word: str) -> None:
        sentry_sdk.capture_message("with the breadcrumbs so far")

    work.options(headers={"tenant": "magpie"}).add_task("canary")
    app.run_forever(burst=True)

    said = [one["logentry"] for one in plain_sentry.events if "logentry" in one]
    # Newer releases make no events of logs.
    assert [one for one in said if "failed in worker_execute_before" in str(one)] or not STATIC
    sent = b"".join(plain_sentry.raw)
    assert b"breadcrumbs so far" in sent
    assert re.findall(b"canary|magpie|pelican", sent) == []


def test_the_names_of_arguments_are_no_data(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()

    @harness.app.task
    def charge(order: int, colour: str) -> None:
        msg = f"there is no order {order} of this colour"
        raise LookupError(msg)

    harness.app.add_task("charge", 17, colour="red")
    harness.app.run_forever(burst=True)

    [event] = plain_sentry.events
    value = event["exception"]["values"][-1]["value"]
    assert value == "there is no order 17 of this colour"


def test_a_short_argument_is_taken_out_of_texts_as_a_word(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()

    @harness.app.task
    def greet(name: str) -> None:
        msg = f"{name} is no Annabel"
        raise LookupError(msg)

    harness.run(greet, "Ann")

    [event] = plain_sentry.events
    assert event["exception"]["values"][-1]["value"] == f"{FILTERED} is no Annabel"


def test_a_canary_is_in_none_of_the_events_about_others(
    plain_sentry: Any, make_harness: Callable[..., Any], leak: Any
) -> None:
    harness = make_harness(SentryPlugin(send_args=True))
    runs: list[int] = []

    @harness.app.task(echo=True)
    async def lose(self: Any, secret: str) -> None:
        runs.append(1)
        if len(runs) < 2:
            await harness.app.broker.expire(self.ctx.get_component("worker").id)

    harness.run(lose, CANARY)

    assert [event["level"] for event in plain_sentry.events] == ["warning"]
    assert CANARY.encode() not in b"".join(plain_sentry.raw)


def test_frames_of_the_engine_keep_no_variables_in_events_of_the_app(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    harness = make_harness()

    @harness.app.task
    async def report(secret: str) -> None:
        sentry_sdk.capture_message("the task's own")
        sentry_sdk.capture_exception(ValueError("made by hand"))
        msg = "enough"
        raise Reject(msg)

    harness.run(report, CANARY)

    assert len(plain_sentry.events) == 2
    assert CANARY.encode() not in b"".join(plain_sentry.raw)


def test_stacks_that_the_sdk_attaches_are_cleaned_too(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    plain_sentry.init(traces_sample_rate=None, attach_stacktrace=True)
    harness = make_harness()

    @harness.app.task
    async def report(secret: str) -> None:
        sentry_sdk.capture_message("the task's own")

    harness.run(report, CANARY)

    [event] = plain_sentry.events
    [stack] = event["threads"]["values"]
    assert "report" in [frame["function"] for frame in stack["stacktrace"]["frames"]]
    assert CANARY.encode() not in b"".join(plain_sentry.raw)


def allowing() -> dict[str, Any]:
    """Returns options by which the SDK allows to send what queues transport."""
    if "data_collection" in DEFAULT_OPTIONS:
        return {"data_collection": {"queues": True}}
    return {"send_default_pii": True}


def test_arguments_are_sent_if_both_allow_it_but_no_secrets(
    plain_sentry: Any, make_harness: Callable[..., Any]
) -> None:
    plain_sentry.init(traces_sample_rate=None, **allowing())
    harness = make_harness(SentryPlugin(send_args=True))

    @harness.app.task
    def pay(order: str, token: str, card: dict[str, str]) -> None:
        msg = f"order-{order} cannot be paid, token={token}"
        raise ValueError(msg)

    harness.run(pay, "A17", CANARY, {"owner": "Ann", "api_key": CANARY})

    [event] = plain_sentry.events
    value = event["exception"]["values"][-1]
    assert value["value"] == f"order-A17 cannot be paid, token={FILTERED}"
    assert event["extra"]["args"] == ["A17", FILTERED, {"owner": "Ann", "api_key": FILTERED}]
    shown = value["stacktrace"]["frames"][-1]["vars"]
    assert shown["order"] == "'A17'"
    assert shown["token"] == FILTERED


@pytest.mark.parametrize("send_args", [True, False])
def test_arguments_are_not_sent_if_one_of_them_does_not_allow_it(
    plain_sentry: Any, make_harness: Callable[..., Any], send_args: bool
) -> None:
    refusing: dict[str, Any] = {}
    if "data_collection" in sentry_sdk.get_client().options:
        refusing = {"data_collection": {"queues": False}}
    plain_sentry.init(traces_sample_rate=None, **(allowing() if not send_args else refusing))
    harness = make_harness(SentryPlugin(send_args=send_args))

    @harness.app.task
    def fail(word: str) -> None:
        msg = "no such thing"
        raise ValueError(msg)

    harness.run(fail, CANARY)

    [event] = plain_sentry.events
    assert "args" not in event.get("extra", {})
    assert CANARY.encode() not in b"".join(plain_sentry.raw)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("division by zero", "division by zero"),
        ("'user_id'", "'user_id'"),
        ("'NoneType' object has no attribute 'name'",) * 2,
        ("timeout after 30 s", "timeout after 30 s"),
        ("no order 4711-22", f"no order {FILTERED}"),
        ("mail to ann@example.com failed.", f"mail to {FILTERED} failed."),
        ("key AKIA99XYZ is bad", f"key {FILTERED} is bad"),
        ("invalid literal: 'two words'", f"invalid literal: '{FILTERED}'"),
        ("redis://:hunter@h:6379/0 is away", f"{FILTERED} is away"),
        ("Bearer abc", f"Bearer {FILTERED}"),
        ("password=hunter", f"password={FILTERED}"),
    ],
)
def test_texts_keep_their_words_and_lose_their_data(text: str, shown: str) -> None:
    found = mask_data(text)

    assert found == shown or ("redis" in text and "hunter" not in found)


def test_what_is_known_to_be_data_is_found_everywhere() -> None:
    assert mask_data("Ann Smith is not Annabel", {"Ann Smith"}) == f"{FILTERED} is not Annabel"


def test_values_are_looked_into_as_deep_as_is_sensible() -> None:
    deep: Any = "bottom"
    for _ in range(20):
        deep = [deep]

    assert masked_values({"a": {"session_id": 1, "n": 2}}) == {
        "a": {"session_id": FILTERED, "n": 2}
    }
    assert "bottom" not in repr(masked_values(deep))
