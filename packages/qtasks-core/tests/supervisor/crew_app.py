"""The app that children run in the tests; its tasks note what they do in a file."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time

import msgspec

from qtasks import QueueTasks
from qtasks.configs import QueueConfig

app = QueueTasks(
    broker_url="sqlite:///qtasks.db",
    config=QueueConfig(
        lease=600,  # no task comes back by itself while a test lasts
        prefetch=0,  # what is added runs wherever there is room
        shutdown_timeout=float(os.environ.get("CREW_PATIENCE", "30")),
    ),
)


def note(word: str) -> None:
    """Writes one line in one system call, so that lines of several processes do not mix."""
    descriptor = os.open(os.environ["CREW_NOTES"], os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, f"{word} {os.getpid()}\n".encode())
    os.close(descriptor)


class Greeting(msgspec.Struct):
    """A message of somebody other than the engine."""

    text: str


@app.task
def where() -> int:
    return os.getpid()


@app.task
def tell(text: str) -> None:
    logging.getLogger("crew").warning("%s", text)


@app.task
def sleep(seconds: float) -> int:
    note("S")
    time.sleep(seconds)
    note("E")
    return os.getpid()


@app.task
def hold() -> int:
    """Runs until it is let go."""
    note("S")
    while not os.path.exists(f"{os.environ['CREW_NOTES']}.let-go"):  # noqa: PTH110 - one line
        time.sleep(0.01)
    note("E")
    return os.getpid()


@app.task
async def block(seconds: float) -> None:
    """Keeps the loop from doing anything."""
    note("S")
    time.sleep(seconds)  # noqa: ASYNC251 - this is what is under test


@app.task(pool="process")
def compute(seconds: float) -> None:
    note("S")
    time.sleep(seconds)


@app.task
def first_time_only() -> int:
    """Hangs unless it has run before."""
    note("S")
    with open(os.environ["CREW_NOTES"], encoding="utf-8") as notes:  # noqa: PTH123 - one line
        if notes.read().count("S ") == 1:
            time.sleep(600)
    return os.getpid()


@app.task
def imported() -> list[str]:
    return sorted(sys.modules)


@app.task
def collected() -> int:
    """Tells how many objects a collection of garbage looks at."""
    gc.collect()
    return len(gc.get_objects())


@app.task
def crash(code: int) -> None:
    os._exit(code)


@app.task
def speak(text: str) -> None:
    sys.stdout.write(text)
    sys.stderr.write(text)
    sys.stdout.flush()


@app.task
def count(name: str, most: int) -> None:
    for number in range(most):
        print("did", name, number)  # noqa: T201 - the writes of print are under test


@app.task
def grow(size: int) -> int:
    app.kept = b"x" * size  # type: ignore[attr-defined]  # it is there to be kept
    note("S")
    return len(app.kept)  # type: ignore[attr-defined]  # as above


@app.task(max_time=0.01)
def overrun(seconds: float) -> None:
    time.sleep(seconds)


@app.task
def interrupt_self() -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    return os.getpid()


if __name__ == "__main__":
    app.run_forever(processes=2, burst=len(sys.argv) < 2)
