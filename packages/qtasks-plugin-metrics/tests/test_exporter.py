"""The exporter: how the queues stand, also when the broker is away."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import QueueTasks
from qtasks.exc import ServerUnavailableError
from qtasks.testing import make_app
from qtasks_plugin_metrics import Options
from qtasks_plugin_metrics.collecting import Collecting
from qtasks_plugin_metrics.exporter import Exporter

if TYPE_CHECKING:
    from pathlib import Path

APP = """\
from qtasks import QueueTasks

app = QueueTasks(broker_url="sqlite:///exported.db")


@app.task(queue="mail")
def send() -> None: ...
"""


def asked(broker: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list of the calls that are made to a broker from now on."""
    calls: list[str] = []

    def watch(name: str) -> None:
        call = getattr(broker, name)

        async def watched(*args: Any) -> Any:
            calls.append(name)
            return await call(*args)

        monkeypatch.setattr(broker, name, watched)

    for name in ("queues", "stats", "workers"):
        watch(name)
    return calls


def filled() -> Any:
    app = make_app("sync")
    app.task(name="a", queue="one")(lambda: None)
    app.task(name="b", queue="two")(lambda: None)
    app.add_task("a")
    app.add_task("a", delay=60)
    app.add_task("b")
    return app


async def test_it_shows_depth_by_state_and_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    app = await asyncio.to_thread(filled)
    await app.broker.pause("two")
    app.clock.advance(5)
    collecting = Collecting(app)

    await collecting.look()

    found = {(name, labels): value for name, labels, value in collecting.readings()}
    assert found["queue_messages", ("one", "ready")] == 1
    assert found["queue_messages", ("one", "delayed")] == 1
    assert found["queue_messages", ("two", "leased")] == 0
    assert found["queue_oldest_ready_age_seconds", ("one",)] == pytest.approx(5)
    assert found["queue_next_due_seconds", ("one",)] == pytest.approx(55)
    assert ("queue_next_due_seconds", ("two",)) not in found
    assert found["queue_paused", ("two",)] == 1
    assert found["workers", ("alive",)] == 0
    assert found["collector_success", ()] == 1


async def test_the_broker_is_asked_once_for_each_queue_and_not_again_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, now = await asyncio.to_thread(filled), [0.0]
    calls = asked(app.broker, monkeypatch)
    collecting = Collecting(app, lambda: now[0])

    for now[0] in (0.0, 2.0, 4.9):
        await asyncio.gather(collecting.look(), collecting.look())
    assert sorted(calls) == ["queues", "stats", "stats", "workers"]

    now[0] = 5.1
    await collecting.look()
    assert len(calls) == 8


async def test_a_broker_that_is_away_leaves_no_old_figures(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app, now = await asyncio.to_thread(filled), [0.0]
    collecting = Collecting(app, lambda: now[0])
    await collecting.look()

    async def fail() -> None:
        msg = "gone"
        raise ServerUnavailableError(msg)

    monkeypatch.setattr(app.broker, "queues", fail)
    for now[0] in (10.0, 20.0):
        await collecting.look()

    names = {name for name, _, _ in collecting.readings()}
    assert names == {"collector_success", "collector_duration_seconds"}
    assert ("collector_success", (), 0.0) in collecting.readings()
    lines = [text for text in caplog.messages if "does not answer" in text]
    assert lines == ["The broker does not answer: ServerUnavailableError: gone"]


async def test_queues_that_are_not_looked_at_are_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app, now = await asyncio.to_thread(filled), [0.0]
    monkeypatch.setattr("qtasks_plugin_metrics.collecting._MOST_QUEUES", 1)
    collecting = Collecting(app, lambda: now[0])
    for now[0] in (0.0, 10.0):
        await collecting.look()
    assert caplog.messages == ["There are 2 queues; only the first 1 are looked at"]
    assert len([one for one in collecting.readings() if one[0] == "queue_paused"]) == 1


async def test_a_file_that_was_deleted_is_no_broker_that_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, now = tmp_path / "q.db", [0.0]
    app = QueueTasks(broker_url=f"sqlite:///{path}", plugins=[])
    collecting = Collecting(app, lambda: now[0])
    await collecting.look()
    assert ("collector_success", (), 1.0) in collecting.readings()

    path.unlink()
    now[0] = 10.0
    await collecting.look()

    assert ("collector_success", (), 0.0) in collecting.readings()
    assert f"{path} was deleted while it was in use" in caplog.text
    await app.broker.stop()


async def test_a_broker_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = await asyncio.to_thread(filled)
    monkeypatch.setattr("qtasks_plugin_metrics.collecting._PATIENCE", 0.01)
    monkeypatch.setattr(app.broker, "queues", asyncio.Event().wait)
    collecting = Collecting(app)
    await collecting.look()
    assert ("collector_success", (), 0.0) in collecting.readings()
    assert caplog.messages == ["The broker does not answer: TimeoutError: nothing within 0.01 s"]


async def test_metrics_answer_while_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    app = await asyncio.to_thread(filled)

    async def fail() -> None:
        raise ConnectionError

    monkeypatch.setattr(app.broker, "queues", fail)
    urls: list[str] = []
    exporter = Exporter(app, Options(port=0))
    running = asyncio.create_task(exporter.run(urls.append, signals=False))
    while not urls:
        await asyncio.sleep(0)

    def get(path: str) -> tuple[int, str]:
        request = urllib.request.Request(urls[0].removesuffix("/metrics") + path)
        opener = urllib.request.build_opener(Lenient())
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.read().decode()

    status, text = await asyncio.to_thread(get, "/metrics")
    assert status == 200
    assert "qtasks_collector_success 0.0\n" in text
    assert "qtasks_queue_messages" not in text
    assert await asyncio.to_thread(get, "/healthz") == (200, "ok\n")
    assert (await asyncio.to_thread(get, "/readyz"))[0] == 503
    exporter.stop()
    await running


class Lenient(urllib.request.HTTPErrorProcessor):
    """Takes answers that tell of a failure as answers."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response


@pytest.mark.skipif(os.name == "nt", reason="the signal is that of Unix")
def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "exported.py").write_text(APP)
    app = QueueTasks(broker_url=f"sqlite:///{tmp_path / 'exported.db'}", plugins=[])
    app.task(name="send", queue="mail")(lambda: None)
    app.add_task("send")
    app.close()
    command = [sys.executable, "-m", "qtasks", "-A", "exported:app", "metrics-exporter"]
    running = subprocess.Popen(
        [*command, "--port", "0"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    try:
        assert running.stderr is not None
        line = running.stderr.readline()
        url = re.fullmatch(r"metrics are at (http://127\.0\.0\.1:\d+/metrics)\n", line)
        assert url, line
        with urllib.request.urlopen(url[1], timeout=20) as answer:
            text = answer.read().decode()
        assert 'qtasks_queue_messages{queue="mail",state="ready"} 1.0\n' in text
        taken = url[1].rpartition(":")[2].removesuffix("/metrics")
        second = subprocess.run(
            [*command, "--port", taken], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert second.returncode == 2
        assert "the port is in use: give another one" in second.stderr
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.communicate()


def test_the_options_hold_for_an_app_that_does_without_the_plugin(tmp_path: Path) -> None:
    without = APP.replace(")", ", plugins=[])", 1)
    (tmp_path / "exported.py").write_text(without)
    command = [sys.executable, "-m", "qtasks", "-A", "exported:app", "metrics-exporter"]
    running = subprocess.Popen(
        [*command, "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "QTASKS_METRICS_TOKEN": "hunter2"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr is not None
        url = running.stderr.readline().removeprefix("metrics are at ").strip()
        opener = urllib.request.build_opener(Lenient())
        with opener.open(url, timeout=20) as answer:
            assert answer.status == 401
        request = urllib.request.Request(url, headers={"Authorization": "Bearer hunter2"})
        with opener.open(request, timeout=20) as answer:
            assert answer.status == 200
    finally:
        running.kill()
        running.communicate()


@pytest.mark.skipif(os.name == "nt", reason="a signal like this ends a process there at once")
async def test_signals_end_it_also_where_the_loop_knows_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = await asyncio.to_thread(filled)

    def refuse(*_: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", refuse, raising=False)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        told: list[str] = []
        running = asyncio.create_task(Exporter(app, Options(port=0)).run(told.append))
        while not told:
            await asyncio.sleep(0)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(running, 60)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "exported.py").write_text(APP)
    command = [sys.executable, "-m", "qtasks", "-A", "exported:app", "metrics-exporter"]
    done = subprocess.run(
        [*command, "--port", "-3"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "port=-3: use 0 to 65535" in done.stderr


def test_a_broker_that_is_one_process_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "exported.py").write_text(APP.replace("sqlite:///exported.db", "memory://"))
    command = [sys.executable, "-m", "qtasks", "-A", "exported:app", "metrics-exporter"]
    done = subprocess.run(
        [*command, "--port", "0"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "an exporter would see none of its queues" in done.stderr
