"""The example that takes inventory: it completes, it can be interrupted, and it goes on."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qtasks import QueueTasks

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
    """Runs the example on a folder, with a queue and logs of its own."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.state = state
        self.url = f"sqlite:///{state / 'inventory.db'}"

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Starts it and returns the process."""
        command = [sys.executable, MAIN, "--root", self.root, "--state", self.state]
        command += ["--workers", "1", *options]
        return subprocess.Popen(
            list(map(str, command)),
            cwd=self.root.parent,
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
def demo(folder: Path, tmp_path: Path) -> Demo:
    return Demo(folder, tmp_path / "state")


@pytest.fixture
def long_demo(tmp_path: Path) -> Demo:
    """An inventory of enough files for it to be interrupted in the middle."""
    root = tmp_path / "code"
    root.mkdir()
    for number in range(FILES):
        (root / f"module_{number}.py").write_text(f"import os\nx = {number}\n" * 300)
    return Demo(root, tmp_path / "state")


def test_it_counts_what_is_there_and_completes_despite_a_broken_file(demo: Demo) -> None:
    output = demo.run()

    assert f"2 files under {demo.root}" in output
    assert f"SQLite file {demo.state / 'inventory.db'}" in output
    assert re.search(r"^small.py +10 +2 +1 +4$", output, re.MULTILINE)
    assert re.search(r"^collections +1$", output, re.MULTILINE)
    assert "In all: 1 files, 10 lines, 2 functions, 1 classes, 4 imports." in output
    assert "Could not be parsed: 1," in output
    assert re.search(r"deep.er.broken.py +SyntaxError: invalid syntax", output)
    assert re.search(r"2 files in .* files/s", output)


def test_the_printed_command_shows_the_traceback(demo: Demo) -> None:
    command = next(line for line in demo.run().splitlines() if " tasks show " in line)

    shown = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True, timeout=TIMEOUT
    ).stdout

    assert "def broken(:" in shown
    assert "SyntaxError: invalid syntax" in shown
    assert shlex.quote(sys.executable) in command


def test_it_goes_on_after_an_interruption(long_demo: Demo) -> None:
    interrupted = long_demo.interrupt_early()
    resumed = long_demo.run()

    assert "Run it again and it goes on" in interrupted
    found = re.search(rf"resumed: (\d+) of {FILES} were already done", resumed)
    assert found
    assert 0 < int(found[1]) < FILES
    assert f"In all: {FILES} files, {FILES * 600:,} lines" in resumed


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


def test_a_queue_in_memory_is_refused(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    said = demo.refused("--broker", "memory://")
    monkeypatch.setenv("QTASKS_BROKER_URL", "memory://shared")
    said_of_variable = demo.refused()

    assert "error: --broker memory://: that queue is inside one process, and the workers" in said
    assert "error: QTASKS_BROKER_URL memory://shared: that queue is inside" in said_of_variable


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
    other = tmp_path / "other.db"

    output = demo.run("--broker", url.format(folder=tmp_path))

    assert f"SQLite file {other}" in output
    assert not (demo.state / "inventory.db").exists()
    assert f"QTASKS_BROKER_URL=sqlite:///{other}" in output
