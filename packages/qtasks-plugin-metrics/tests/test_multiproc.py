"""Producers in several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qtasks.exc import ConfigError
from qtasks.testing import make_app
from qtasks_plugin_metrics import MetricsPlugin, Options, multiproc

APP = Path(__file__).with_name("multiproc_app.py")


@pytest.mark.skipif(os.name == "nt", reason="gunicorn forks")
def test_the_sum_is_that_of_all_processes_and_the_folder_goes(tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"
    }
    done = subprocess.run(
        [sys.executable, str(APP), str(tmp_path / "q.db")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    total, folder = done.stdout.split()
    assert float(total) == 12
    assert not Path(folder).exists()


def test_the_folder_that_is_named_is_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    (tmp_path / "counter_17.db").write_bytes(b"")
    (tmp_path / "gauge_livesum_17.db").write_bytes(b"")
    (tmp_path / "other.txt").write_text("stays")
    (tmp_path / "qtasks.db").write_text("the queue stays")

    assert multiproc.prepare() == str(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.txt", "qtasks.db"]


def test_an_empty_name_is_no_folder_and_not_the_current_one(tmp_path: Path) -> None:
    """The folder in which a program runs has its queue."""
    (tmp_path / "counter_17.db").write_bytes(b"")
    code = "from qtasks_plugin_metrics import multiproc; print(multiproc.prepare())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "qtasks-metrics-" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["counter_17.db"]


def test_a_folder_that_is_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(file))
    with pytest.raises(ConfigError, match="name a folder that may be written"):
        multiproc.prepare()


def test_without_a_folder_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    with pytest.raises(ConfigError, match=r"call qtasks_plugin_metrics\.multiproc\.prepare\(\)"):
        assert MetricsPlugin(options=Options(mode="multiproc")).registry is not None
    import prometheus_client  # noqa: F401 - so that it is there

    with pytest.raises(ConfigError, match=r"prepare\(\) comes too late"):
        multiproc.prepare()


def test_workers_are_not_measured_in_that_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    plugin: Any = MetricsPlugin(options=Options(mode="multiproc"))
    app = make_app("sync", plugins=[plugin])
    assert plugin.applies(app) is False


async def test_calls_that_fail_are_counted_by_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    tally = multiproc.FileTally()
    app = make_app("sync")
    app.task(name="add")(lambda: None)
    message: Any = type("M", (), {"queue": "default", "task": "add", "payload": b"1234"})

    tally.published(app, [message, message], 0.1)
    tally.not_published(app, [message], OSError("no"))

    metrics = tally._metrics
    sums = {
        name: next(sample.value for family in metric.collect() for sample in family.samples)
        for name, metric in metrics.items()
        if name in {"tasks_enqueued", "enqueue_errors"}
    }
    assert sums == {"tasks_enqueued": 2, "enqueue_errors": 1}
