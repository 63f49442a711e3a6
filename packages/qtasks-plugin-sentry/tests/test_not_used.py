"""What the SDK sends by itself where the plugin is installed, and refused or switched off."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sentry_sdk.integrations.logging import LoggingIntegration

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "s3cr3t-canary"
PATIENCE = 120.0

#: Its client keeps what would be sent, and prints it in the end.
APP = """
import logging, os, sys
import sentry_sdk
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport
from qtasks import QueueTasks

class Kept(Transport):
    def capture_envelope(self, envelope):
        sys.stdout.write(repr(envelope.serialize()) + "\\n")

options = {options}
options = {key: options[key] for key in options.keys() & DEFAULT_OPTIONS.keys()}
sentry_sdk.init(dsn="http://key@127.0.0.1:1/1", transport=Kept, auto_enabling_integrations=False,
                integrations=[LoggingIntegration(level=20, event_level=40)], **options)
app = QueueTasks(broker_url="memory://")

@app.task
def fail(secret):
    raise ValueError("cannot use " + secret)

fail.add_task(os.environ["LEAKY_CANARY"])  # not in a line that might be shown
app.run_forever(burst=True)
logging.getLogger("shop").error("a record of the shop")
sentry_sdk.flush()
"""


def logs() -> LoggingIntegration:
    """Has events and breadcrumbs made of records, which not every release does by itself."""
    return LoggingIntegration(level=logging.INFO, event_level=logging.ERROR)


def ran(folder: Path, options: str = "{}", **environment: str) -> tuple[str, str]:
    """Runs the app in a process of its own; returns what would be sent, and what was logged."""
    (folder / "leaky.py").write_text(APP.replace("{options}", options), "utf-8")
    done = subprocess.run(
        [sys.executable, "leaky.py"],
        cwd=folder,
        env={**os.environ, "LEAKY_CANARY": CANARY, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("options", ["{}", "{'enable_logs': True}"])
def test_a_wrong_option_has_no_secret_sent_by_the_sdk(tmp_path: Path, options: str) -> None:
    sent, said = ran(tmp_path, options, QTASKS_SENTRY_FLUSH_TIMEOUT="soon")

    assert "Plugin sentry" in said
    assert "is not used" in said
    assert "QTASKS_SENTRY_FLUSH_TIMEOUT" in said
    assert "a record of the shop" in sent
    assert CANARY not in sent
    assert "qtasks.worker" not in sent


def test_a_plugin_that_is_switched_off_is_as_one_that_is_not_installed(tmp_path: Path) -> None:
    sent, said = ran(tmp_path, QTASKS_DISABLE_PLUGINS="sentry")

    assert "is not used" not in said
    assert "qtasks.worker" in sent


def test_records_of_other_loggers_of_qtasks_lose_their_data(plain_sentry: Any) -> None:
    plain_sentry.init(traces_sample_rate=None, integrations=[logs()])
    log = logging.getLogger("qtasks.events")
    log.warning("%s of the event %s is slow", CANARY, "starting")
    with_data = f"{CANARY} is no word"
    try:
        int(with_data)
    except ValueError:
        log.exception("%s of the event %s failed", CANARY, "starting")

    [event] = plain_sentry.events
    assert event["logentry"]["message"] == "%s of the event %s failed"
    assert event["exception"]["values"][-1]["type"] == "ValueError"
    assert event["exception"]["values"][-1]["value"] == (
        "invalid literal for int() with base 10: '[Filtered]'"
    )
    assert CANARY.encode() not in b"".join(plain_sentry.raw)


def test_records_of_tasks_stay_as_they_are(plain_sentry: Any) -> None:
    plain_sentry.init(traces_sample_rate=None, integrations=[logs()])
    logging.getLogger("qtasks.task.greet").error("order 4711-22 is late")

    [event] = plain_sentry.events
    assert event["logentry"]["formatted"] == "order 4711-22 is late"


#: An app whose client is made by itself or by the plugin, and a plugin that fails in it.
CALLED = """
import sys
import sentry_sdk
from sentry_sdk.transport import Transport
from qtasks import QueueTasks
from qtasks.plugins import Plugin, on
from qtasks_plugin_sentry import SentryPlugin

class Kept(Transport):
    def capture_envelope(self, envelope):
        sys.stdout.write(repr(envelope.serialize()) + "\\n")

class Telling(Plugin):
    @on("qtasks_publish")
    def publish(self, messages):
        sentry_sdk.capture_message("published")

options = {"dsn": "http://key@127.0.0.1:1/1", "transport": Kept}
if {early}:
    sentry_sdk.init(**options)
    app = QueueTasks(broker_url="sqlite:///q.db")
else:
    app = QueueTasks(broker_url="sqlite:///q.db", plugins=[SentryPlugin(init=options)])
app.add_plugin(Telling("telling"))

@app.task
def pay(card):
    pass
"""


@pytest.mark.parametrize("early", ["True", "False"])
@pytest.mark.parametrize("written", [["--args", f'["{CANARY}"]'], [f'--args=["{CANARY}"]']])
def test_arguments_of_a_call_by_command_are_not_sent_as_its_command_line(
    tmp_path: Path, early: str, written: list[str]
) -> None:
    (tmp_path / "called.py").write_text(CALLED.replace("{early}", early), "utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "qtasks", "-A", "called:app", "call", "pay", *written],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert "published" in done.stdout, done.stderr
    assert "sys.argv" in done.stdout
    assert CANARY not in done.stdout
