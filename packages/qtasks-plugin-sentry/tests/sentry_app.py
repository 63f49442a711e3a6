"""The app of the tests with real processes: its client sends to a server on the loopback."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import sentry_sdk

from qtasks import QueueTasks
from qtasks.configs import QueueConfig
from qtasks_plugin_sentry import SentryPlugin

sentry_sdk.init(
    dsn=os.environ["SENTRY_APP_DSN"],
    traces_sample_rate=1.0,
    auto_enabling_integrations=False,
    shutdown_timeout=0.2,
)

app = QueueTasks(
    broker_url=os.environ["SENTRY_APP_BROKER"],
    config=QueueConfig(lease=1.0, shutdown_timeout=float(os.environ["SENTRY_APP_PATIENCE"])),
    plugins=[SentryPlugin(flush_timeout=1.0)],
)


def note(word: str) -> None:
    """Writes one line in one system call."""
    descriptor = os.open(os.environ["SENTRY_APP_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {os.getpid()}\n".encode())
    os.close(descriptor)


@app.task
def fail(word: str) -> None:
    """Fails for good."""
    raise ValueError(word)


@app.task
def last_words() -> None:
    """Ends with the worker, and fails then."""
    note("waits")
    while not Path(os.environ["SENTRY_APP_NOTES"] + ".go").exists():
        time.sleep(0.005)
    msg = "my last words"
    raise ValueError(msg)


@app.task
async def crash() -> None:
    """Takes its worker down."""
    note("crashes")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
async def hang() -> None:
    """Keeps the loop of its worker, which cannot even stop, and has something to say."""
    sentry_sdk.capture_message("what hangs has something to say")
    note("hangs")
    threading.Event().wait(600)


if __name__ == "__main__":
    app.run_forever()
