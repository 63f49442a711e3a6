"""The app of two worker processes that share a budget and a breaker through the storage."""

from __future__ import annotations

import os
import time
from pathlib import Path

from qtasks import QueueTasks
from qtasks.configs import QueueConfig
from qtasks_plugin_retry import Breaker, Budget, Retry, RetryPlugin, guarding

guarding._PATIENCE = 60.0  # a busy machine must not be taken for a storage that is away

NOTES = Path(os.environ["SHARED_NOTES"])
PER = float(os.environ["SHARED_PER"])
#: Ten retries in a period.
BUDGET = Budget("mail", ratio=0, min_per_second=10.5 / PER, per=PER, shared=True)
BREAKER = Breaker("pay", consecutive=3, window=PER, cooldown=1.0, shared=True)

app = QueueTasks(
    broker_url=os.environ["SHARED_BROKER"],
    config=QueueConfig(max_tasks_process=int(os.environ["SHARED_AT_ONCE"])),
    plugins=[RetryPlugin()],
)


def note(word: str) -> None:
    """Writes one line in one system call."""
    descriptor = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {os.getpid()}\n".encode())
    os.close(descriptor)


@app.task(echo=True, retry=Retry(max_attempts=2, backoff=0, budget=BUDGET))
def mail(self: object) -> None:
    """Fails at first, as soon as both processes are at work."""
    attempt = self.ctx.attempt  # type: ignore[attr-defined]  # an echo task has one
    note(f"mail-{attempt}")
    if attempt == 1:
        while len(set(NOTES.read_text("utf-8").split()[1::2])) < 2:
            time.sleep(0.02)
        raise OSError


@app.task(retry=Retry(max_attempts=1000, backoff=0, breaker=BREAKER))
def pay() -> None:
    """Fails until there is a file that says otherwise."""
    if NOTES.with_suffix(".healed").exists():
        note("paid")
        return
    note("failed")
    raise OSError


if __name__ == "__main__":
    app.run_forever()
