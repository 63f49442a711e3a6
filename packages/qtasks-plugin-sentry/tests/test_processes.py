"""Real worker processes and a server that receives what they send."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import QueueTasks

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = Path(__file__).with_name("sentry_app.py")
PATIENCE = 60.0

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")


class Crew:
    """Processes of one app, and a producer beside them.

    Attributes:
        queue: the producer's app.
        receiver: what they send to.
    """

    def __init__(self, folder: Path, receiver: Any, url: str) -> None:
        self.receiver = receiver
        self._folder, self._url = folder, url
        self._notes = folder / "notes"
        self._notes.touch()
        (folder / "sentry_app.py").write_text(APP.read_text("utf-8"), "utf-8")
        self._said = folder / "said"
        self.queue = QueueTasks(broker_url=url, plugins=[])
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str, patience: float = 30.0) -> subprocess.Popen[bytes]:
        """Starts ``qtasks run`` with options, or one worker in a process if there are none."""
        command = ["sentry_app.py"]
        if options:
            command = ["-m", "qtasks", "-A", "sentry_app", "run", *options]
        environment = {
            **os.environ,
            "SENTRY_APP_DSN": self.receiver.dsn,
            "SENTRY_APP_BROKER": self._url,
            "SENTRY_APP_NOTES": str(self._notes),
            "SENTRY_APP_PATIENCE": str(patience),
        }
        with self._said.open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=self._folder,
                env=environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    @property
    def said(self) -> str:
        """What they wrote."""
        return self._said.read_text("utf-8", "replace")

    def until(self, condition: Any) -> None:
        """Waits for something that they bring about."""
        self.receiver.until(condition, lambda: self.said)

    def noted(self, word: str) -> list[int]:
        """Returns the process ids that noted a word."""
        lines = [line.split() for line in self._notes.read_text("utf-8").splitlines()]
        return [int(pid) for found, pid in lines if found == word]

    def go(self) -> None:
        """Lets tasks end that wait for it."""
        Path(f"{self._notes}.go").touch()

    def events(self, text: str) -> list[Any]:
        """Returns the events that say something."""
        return [event for event in self.receiver.events if text in said_by(event)]

    def close(self) -> None:
        """Ends what is left."""
        for process in self._started:
            if process.poll() is None:
                for pid in (*self.noted("waits"), *self.noted("hangs")):
                    _kill(pid)
                process.kill()
            process.wait(PATIENCE)
        self.queue.close()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def said_by(event: Any) -> str:
    """Returns the text of an event."""
    if "exception" in event:
        return str(event["exception"]["values"][-1]["value"])
    return str(event.get("message") or event.get("logentry", {}).get("message", ""))


@pytest.fixture
def crew(request: pytest.FixtureRequest, tmp_path: Path, receiver: Any) -> Iterator[Crew]:
    """Processes that work on the embedded queue, or on the one that the test names."""
    url = f"sqlite:///{tmp_path / 'q.db'}"
    if getattr(request, "param", "sqlite") == "redis":
        url = request.getfixturevalue("valkey")
    found = Crew(tmp_path, receiver, url)
    yield found
    found.close()


@pytest.mark.parametrize("crew", ["sqlite", "redis"], indirect=True)
def test_what_was_to_be_sent_at_sigterm_is_received(crew: Crew) -> None:
    crew.queue.add_task("last_words")
    worker = crew.start()
    crew.until(lambda: crew.noted("waits"))

    worker.send_signal(signal.SIGTERM)
    crew.go()

    assert worker.wait(PATIENCE) == 0
    assert len(crew.events("my last words")) == 1
    [span] = crew.receiver.spans("queue.process")
    assert span["name"] == "last_words"


def test_children_that_end_have_sent_everything(crew: Crew) -> None:
    for number in range(6):
        crew.queue.add_task("fail", f"word {number}")

    supervisor = crew.start("--processes", "2", "--burst")

    assert supervisor.wait(PATIENCE) == 0, crew.said
    failed = [event for event in crew.receiver.events if event["transaction"] == "fail"]
    assert len(failed) == 6
    assert len(crew.receiver.spans("queue.process")) == 6


@pytest.mark.parametrize("crew", ["sqlite", "redis"], indirect=True)
def test_a_killed_child_is_reported_by_its_supervisor_and_the_task_by_another(crew: Crew) -> None:
    handle = crew.queue.add_task("crash")
    supervisor = crew.start("--processes", "2")

    crew.until(lambda: crew.events("took its worker down"))
    crew.until(lambda: len(crew.events("was killed by SIGKILL")) == 3)

    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(PATIENCE) == 0, crew.said
    [convicted] = crew.events("took its worker down")
    assert convicted["tags"]["qtasks.task_id"] == str(handle.uuid)
    assert convicted["fingerprint"] == ["qtasks", "worker_lost", "crash"]
    deaths = crew.events("was killed by SIGKILL")
    assert {event["contexts"]["qtasks"]["pid"] for event in deaths} == set(crew.noted("crashes"))
    assert {said_by(event) for event in deaths} == {
        "A worker process was killed by SIGKILL while it held crash"
    }
    assert {tuple(event["contexts"]["qtasks"]["ids"]) for event in deaths} == {(str(handle.uuid),)}


def test_a_worker_that_died_alone_is_reported_by_another(crew: Crew) -> None:
    crew.queue.add_task("last_words")
    first = crew.start()
    crew.until(lambda: crew.noted("waits"))

    first.kill()
    first.wait(PATIENCE)
    second = crew.start()

    crew.until(lambda: crew.events("ran out"))
    crew.go()
    second.send_signal(signal.SIGTERM)
    assert second.wait(PATIENCE) == 0
    [event] = crew.events("ran out")
    assert event["fingerprint"] == ["qtasks", "lease_lost", "default"]
    assert event["tags"]["qtasks.task"] == "last_words"


def test_a_server_that_hangs_keeps_no_worker_for_long(crew: Crew) -> None:
    crew.receiver.hangs.set()
    crew.queue.add_task("last_words")
    worker = crew.start(patience=5.0)
    crew.until(lambda: crew.noted("waits"))
    begun = time.monotonic()

    worker.send_signal(signal.SIGTERM)
    crew.go()

    assert worker.wait(PATIENCE) == 0
    assert time.monotonic() - begun < 15.0  # what a supervisor allows
    assert crew.receiver.events == []


def test_a_child_that_hangs_sends_what_it_has_before_it_is_killed(crew: Crew) -> None:
    crew.queue.add_task("hang")
    supervisor = crew.start("--processes", "2")
    crew.until(lambda: crew.noted("hangs"))

    for said in ("Stopping ", "Giving back", "Killing"):
        supervisor.send_signal(signal.SIGTERM)
        crew.until(lambda said=said: said in crew.said)

    supervisor.wait(PATIENCE)
    [hanging] = crew.noted("hangs")
    assert len(crew.events("what hangs has something to say")) == 1
    killed = crew.events("did not stop and was killed")
    [event] = [event for event in killed if event["contexts"]["qtasks"]["pid"] == hanging]
    assert event["fingerprint"] == ["qtasks", "worker_killed"]
    assert said_by(event).endswith("while it held hang")
    deaths = [event["contexts"]["qtasks"]["pid"] for event in crew.events("was killed by")]
    assert hanging not in deaths
