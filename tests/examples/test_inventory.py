"""The example that takes inventory: it completes, it can be interrupted, and it goes on."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks
from qtasks.cli.places import describe_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

MAIN = Path(__file__).parents[2] / "examples" / "inventory" / "main.py"
TIMEOUT = 120  # seconds
FILES = 400

SMALL = """
import os
import os.path as path
from collections.abc import Mapping
from . import sibling

class First(Mapping):
    def method(self): ...

async def later(): ...
"""


@pytest.fixture(autouse=True)
def no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the output the same everywhere."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a good file, a broken one, and one that is not to be counted."""
    root = tmp_path / "code"
    for name, text in {
        "small.py": SMALL,
        "deep/er/broken.py": "def broken(:\n",
        "notes.txt": "no code",
        "site-packages/installed.py": "import installed",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


class Demo:
    """Runs the example on a folder, with a queue and logs of its own.

    Args:
        root: the folder to look at.
        state: where it may write.
        broker: the queue; None for the example's own.
    """

    def __init__(self, root: Path, state: Path, broker: str | None) -> None:
        self.root = root
        self.state = state
        self.url = broker or f"sqlite:///{state / 'inventory.db'}"
        self.environment = {**os.environ, **({"QTASKS_BROKER_URL": broker} if broker else {})}

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Starts it and returns the process."""
        command = [sys.executable, MAIN, "--root", self.root, "--state", self.state]
        command += ["--workers", "1", *options]
        return subprocess.Popen(
            list(map(str, command)),
            cwd=self.root.parent,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def run(self, *options: str) -> str:
        """Runs it to its end and returns what it printed."""
        with self.start(*options) as process:
            output, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, output
        return output

    def refused(self, *options: str) -> str:
        """Runs it with options that it refuses, and returns what it said."""
        with self.start(*options) as process:
            output, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 2, output
        assert "Traceback" not in output
        return output

    def wait_for_first(self, process: subprocess.Popen[str], app: QueueTasks) -> str:
        """Waits until the first files are done; returns what was printed."""
        assert process.stdout is not None
        read = ""
        while "0 of" not in read:
            line = process.stdout.readline()
            assert line, read
            read += line
        added, _ = app.list_tasks(limit=1000)
        next(iter(app.as_completed(added, timeout=TIMEOUT)))
        return read

    def interrupt_early(self) -> str:
        """Interrupts a run as soon as its first files are done; returns what it printed."""
        with self.start() as process, QueueTasks(broker_url=self.url) as app:
            read = self.wait_for_first(process, app)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 130, read + output
        return read + output


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> str | None:
    """The URL of a Valkey for tests that ask for one, or None for the example's own queue."""
    if getattr(request, "param", "file") == "file":
        return None
    url: str = request.getfixturevalue("valkey")
    return url


on_each_broker = pytest.mark.parametrize("broker", ["file", "redis"], indirect=True)


@pytest.fixture
def demo(folder: Path, tmp_path: Path, broker: str | None) -> Demo:
    return Demo(folder, tmp_path / "state", broker)


@pytest.fixture
def long_demo(tmp_path: Path, broker: str | None) -> Demo:
    """An inventory of enough files for it to be interrupted in the middle."""
    root = tmp_path / "code"
    root.mkdir()
    for number in range(FILES):
        (root / f"module_{number}.py").write_text(f"import os\nx = {number}\n" * 300)
    return Demo(root, tmp_path / "state", broker)


@on_each_broker
def test_it_counts_what_is_there_and_completes_despite_a_broken_file(demo: Demo) -> None:
    output = demo.run()

    assert f"2 files under {demo.root}" in output
    assert f"Their queue: {describe_url(demo.url)}" in output
    assert re.search(r"^small.py +10 +2 +1 +4$", output, re.MULTILINE)
    assert re.search(r"^collections +1$", output, re.MULTILINE)
    assert "In all: 1 files, 10 lines, 2 functions, 1 classes, 4 imports." in output
    assert "Could not be parsed: 1," in output
    assert re.search(r"deep.er.broken.py +SyntaxError: invalid syntax", output)
    assert re.search(r"2 files in .* files/s", output)


@on_each_broker
def test_the_printed_command_shows_the_traceback(demo: Demo) -> None:
    command = next(line for line in demo.run().splitlines() if " tasks show " in line)

    shown = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True, timeout=TIMEOUT
    ).stdout

    assert "def broken(:" in shown
    assert "SyntaxError: invalid syntax" in shown
    assert shlex.quote(sys.executable) in command


@on_each_broker
def test_it_goes_on_after_an_interruption(long_demo: Demo) -> None:
    interrupted = long_demo.interrupt_early()
    resumed = long_demo.run()

    assert "Run it again and it goes on" in interrupted
    found = re.search(rf"resumed: (\d+) of {FILES} were already done", resumed)
    assert found
    assert 0 < int(found[1]) < FILES
    assert f"In all: {FILES} files, {FILES * 600:,} lines" in resumed


@on_each_broker
def test_an_interruption_leaves_no_worker_behind(long_demo: Demo) -> None:
    long_demo.interrupt_early()

    with QueueTasks(broker_url=long_demo.url) as app:
        assert app.workers() == []
        (queue,) = app.stats()
        assert queue.leased == 0


def test_a_complete_run_is_followed_by_a_new_one(demo: Demo) -> None:
    first = demo.run()

    assert "This run is complete; the next one starts anew." in first
    assert "resumed" not in demo.run()


@on_each_broker
def test_workers_do_not_outlive_a_killed_run(long_demo: Demo) -> None:
    with long_demo.start() as process, QueueTasks(broker_url=long_demo.url) as app:
        long_demo.wait_for_first(process, app)
        process.kill()
        process.communicate(timeout=TIMEOUT)
        deadline = time.monotonic() + TIMEOUT
        while app.workers():  # a living one would report again and again
            assert time.monotonic() < deadline
            time.sleep(0.05)

        (queue,) = app.stats()
    assert queue.leased == 0
    assert "were already done" in long_demo.run()


def test_a_queue_in_memory_is_refused(demo: Demo) -> None:
    said = demo.refused("--broker", "memory://")
    demo.environment["QTASKS_BROKER_URL"] = "memory://shared"
    said_of_variable = demo.refused()

    assert "error: memory://: that queue is inside one process, and the workers are" in said
    assert "error: memory://shared: that queue is inside one process" in said_of_variable


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", "0"], "argument --workers: '0': write a whole number of 1 or more"),
        (["--limit", "-1"], "argument --limit: '-1': write a whole number of 1 or more"),
        (["--limit", "few"], "argument --limit: 'few': write a whole number of 1 or more"),
        (["--root", "nowhere"], "argument --root: 'nowhere': there is no such folder"),
        (["--root", "code/small.py"], "argument --root: 'code/small.py': there is no such folder"),
        (["--state", "code/small.py"], "code/small.py: File exists: name a folder to write into"),
    ],
)
def test_what_makes_no_sense_is_refused(demo: Demo, options: list[str], said: str) -> None:
    assert f"error: {said}" in demo.refused(*options).replace(f"--state {demo.root.parent}/", "")


@on_each_broker
def test_fresh_starts_over(long_demo: Demo) -> None:
    long_demo.interrupt_early()

    output = long_demo.run("--fresh", "--limit", "3")

    assert "resumed" not in output
    assert "3 of 3 files" in output
    with QueueTasks(broker_url=long_demo.url) as app:
        (queue,) = app.stats()
        assert queue.ready == 0


@pytest.mark.parametrize("url", ["sqlite:///other.db", "sqlite:///{folder}/other.db"])
def test_one_url_moves_it(demo: Demo, tmp_path: Path, url: str) -> None:
    url = url.format(folder=tmp_path)

    output = demo.run("--broker", url)

    assert f"SQLite file {tmp_path / 'other.db'}" in output
    assert not (demo.state / "inventory.db").exists()
    assert f"cd {demo.root.parent} && " in output
    assert f" QTASKS_BROKER_URL={url} " in output


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_on_another_server_nothing_is_left_in_files(demo: Demo) -> None:
    demo.run()

    assert sorted(path.name for path in demo.state.iterdir()) == [".gitignore", "worker-1.log"]


def test_a_password_is_neither_printed_nor_written(
    demo: Demo, make_server: Callable[..., Server]
) -> None:
    server = make_server(password="open:sesame")
    demo.environment["QTASKS_BROKER_URL"] = server.url

    with demo.start() as process:
        output, _ = process.communicate(timeout=TIMEOUT)
    written = "".join(path.read_text() for path in demo.state.iterdir())

    assert process.returncode == 0, output
    assert f"Their queue: redis://:***@127.0.0.1:{server.port}/0" in output
    assert f"QTASKS_BROKER_URL='redis://:***@127.0.0.1:{server.port}/0' " in output
    assert "sesame" not in output + written


def test_a_server_that_is_away_is_one_line(demo: Demo) -> None:
    said = demo.refused("--broker", "redis://:sesame@127.0.0.1:1")

    assert "error: Redis at 127.0.0.1:1 cannot be reached" in said
    assert "sesame" not in said
