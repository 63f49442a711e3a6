"""An environment in which only what is named is installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks
from qtasks._discovery.entries import installed
from qtasks.exc import ConfigError
from qtasks.testing import RaisingPlugin, TriggerRecorder, make_app, plugin_sandbox, run_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """An environment in which two plugins are installed."""
    with plugin_sandbox(first=TriggerRecorder, second=lambda: RaisingPlugin(on=())):
        yield


def found() -> list[str]:
    return list(QueueTasks(broker_url="memory://").plugins)


def test_nothing_is_installed_unless_it_is_named() -> None:
    assert found() == ["first", "second"]
    with plugin_sandbox():
        assert found() == []
        assert installed() == ()
    assert found() == ["first", "second"]


def test_what_is_installed_may_stay() -> None:
    with plugin_sandbox("second"):
        assert found() == ["second"]


def test_what_is_not_installed_may_be_there() -> None:
    recorder = TriggerRecorder()
    with plugin_sandbox("first", mine=recorder):
        app = make_app(plugins=None)
        app.task(name="add")(lambda: 5)
        run_task(app, "add")
        assert list(app.plugins) == ["first", "mine"]
    assert "worker_start" in recorder.names()


def test_an_app_of_a_test_has_no_installed_plugins_unless_it_names_them() -> None:
    assert list(make_app().plugins) == []
    assert list(make_app(plugins=["first"]).plugins) == ["first"]


def test_environment_and_file_do_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(
        """
        [tool.qtasks]
        plugins = ["second"]
        disable_plugins = ["first"]
        required_plugins = ["third"]
        """,
        encoding="utf-8",
    )
    with plugin_sandbox("first"):
        monkeypatch.setenv("QTASKS_CONFIG_FILE", str(settings))
        monkeypatch.setenv("QTASKS_PLUGINS", "second")
        monkeypatch.delenv("QTASKS_STRICT_PLUGINS")
        with plugin_sandbox("first"):
            assert found() == ["first"]
        assert os.environ["QTASKS_PLUGINS"] == "second"
        assert "QTASKS_STRICT_PLUGINS" not in os.environ


def test_a_name_that_is_not_installed_is_refused() -> None:
    with (
        pytest.raises(ConfigError, match=r"Did you mean 'first'\? Installed are: first, second"),
        plugin_sandbox("frist"),
    ):
        pass  # pragma: no cover - it is not entered
