"""The option of ``qtasks run``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks
from qtasks_plugin_metrics import MetricsPlugin

if TYPE_CHECKING:
    from pathlib import Path

APP = """\
from qtasks import QueueTasks

app = QueueTasks(broker_url="sqlite:///shop.db")


@app.task
def add(x: int, y: int) -> int:
    return x + y
"""


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command for an app in a folder."""
    (folder / "shop.py").write_text(APP)
    return subprocess.run(
        [sys.executable, "-m", "qtasks", "-A", "shop:app", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_port_0_is_printed(tmp_path: Path) -> None:
    done = run(tmp_path, "run", "--burst", "--metrics-port", "0")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^metrics are at http://127\.0\.0\.1:\d+/metrics$", done.stderr, re.MULTILINE)


def test_worker_processes_have_one_port(tmp_path: Path) -> None:
    done = run(tmp_path, "run", "--burst", "--processes", "2", "--metrics-port", "0")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("metrics are at ") == 1


@pytest.mark.parametrize(
    ("port", "text"),
    [
        ("99999", "port=99999: use 0 to 65535"),
        ("many", "option port of plugin metrics = 'many' (from the command line)"),
    ],
)
def test_what_is_no_port_is_refused(tmp_path: Path, port: str, text: str) -> None:
    done = run(tmp_path, "run", "--burst", "--metrics-port", port)
    assert done.returncode == 2
    assert text in done.stderr


@pytest.mark.parametrize("given", ["port=1", "options=MetricsPlugin.Options(port=1)"])
def test_the_port_that_was_typed_wins_over_that_of_the_code(tmp_path: Path, given: str) -> None:
    (tmp_path / "given.py").write_text(
        "from qtasks import QueueTasks\n"
        "from qtasks_plugin_metrics import MetricsPlugin\n"
        f"app = QueueTasks(broker_url='sqlite:///given.db', plugins=[MetricsPlugin({given})])\n"
    )
    arguments = ("-A", "given:app", "run", "--burst", "--metrics-port")
    done = run(tmp_path, *arguments, "0", QTASKS_METRICS_PORT="2")
    assert done.returncode == 0, done.stderr
    assert "metrics are at http://127.0.0.1:" in done.stderr
    done = run(tmp_path, *arguments, "99999")
    assert done.returncode == 2
    assert "ConfigError: options of plugin metrics (from the command line): port=9" in done.stderr


def test_the_port_of_the_code_wins_over_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QTASKS_METRICS_PORT", "9402")
    monkeypatch.setenv("QTASKS_METRICS_TOKEN", "hunter2")
    plugin = MetricsPlugin(port=9401)
    app = QueueTasks(broker_url="memory://", plugins=[plugin])
    assert app.plugins["metrics"] is plugin
    assert plugin.options == plugin.settings == MetricsPlugin.Options(port=9401, token="hunter2")


def test_a_port_that_cannot_be_leaves_the_queue_at_work_and_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, "run", "--burst", QTASKS_METRICS_PORT="99999")
    assert done.returncode == 0
    assert "Plugin metrics" in done.stderr
    assert "port=99999: use 0 to 65535" in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_workers_that_serve_nothing_in_a_mode_for_programs_say_so(
    tmp_path: Path, processes: str
) -> None:
    arguments = ["run", "--burst", "--processes", processes, "--metrics-port", "0"]
    done = run(tmp_path, *arguments, QTASKS_METRICS_MODE="multiproc")
    assert done.returncode == 0, done.stderr
    said = "The workers go on without metrics, and port=0 is not used: mode=multiproc is for"
    assert done.stderr.count(said) == 1
    assert "metrics are at" not in done.stderr


def test_what_cannot_be_is_an_error_for_who_needs_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.qtasks]\nrequired_plugins = ["metrics"]\n')
    done = run(tmp_path, "run", "--burst", QTASKS_METRICS_PORT="99999")
    assert done.returncode == 2
    assert "port=99999: use 0 to 65535" in done.stderr


def test_the_command_says_why_it_is_not_there(tmp_path: Path) -> None:
    done = run(tmp_path, "metrics-exporter", QTASKS_METRICS_PORT="99999")
    assert done.returncode == 2
    assert "(from QTASKS_METRICS_PORT): port=99999: use 0 to 65535" in done.stderr


def test_a_token_is_never_shown(tmp_path: Path) -> None:
    done = run(tmp_path, "plugins", "show", "metrics", QTASKS_METRICS_TOKEN="s3cret")
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
