"""The app whose worker is killed: its task notes each run in a file that survives that."""

from __future__ import annotations

import os
import signal

from qtasks import QueueTasks
from qtasks.configs import QueueConfig
from qtasks_plugin_retry import Retry, RetryPlugin

NOTES = os.environ["KILL_NOTES"]

app = QueueTasks(
    broker_url=os.environ["KILL_BROKER"],
    config=QueueConfig(lease=0.5),
    plugins=[RetryPlugin()],
)


def note(word: str) -> None:
    """Writes one line in one system call."""
    descriptor = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word}\n".encode())
    os.close(descriptor)


@app.task(echo=True, retry=Retry(max_attempts=3, backoff=0.01))
def work(self: object) -> None:
    """Fails, but for the second attempt, whose first run waits to be killed."""
    context = self.ctx  # type: ignore[attr-defined]  # an echo task has one
    note(f"attempt {context.attempt}")
    if context.attempt == 2 and not os.path.exists(f"{NOTES}.killed"):  # noqa: PTH110 - no import for one line
        note("waits")
        signal.pause()
    raise OSError


if __name__ == "__main__":
    app.run_forever()
