"""``qtasks config``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from qtasks._config import SETTINGS
from qtasks._discovery.entries import seen
from qtasks.cli.commands import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Site

#: A plugin with options; HEAD is what its class has besides.
WITH_OPTIONS = """
import msgspec
from qtasks.plugins import Plugin

class WebOptions(msgspec.Struct):
    port: int = 9000
    host: str = "here"
    tags: list[str] = []
    api_token: str = "hush"

class Web(Plugin):
    Options = WebOptions
"""


@pytest.fixture(autouse=True)
def _nothing_installed() -> Iterator[None]:
    """No plugin but those of the test."""
    with seen(()):
        yield


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("QTASKS_")]:
        monkeypatch.delenv(variable)
    return tmp_path


def run(*arguments: str) -> list[list[str]]:
    """Runs a command and returns the words of its lines."""
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    return [line.split() for line in done.stdout.splitlines()]


def document(*arguments: str) -> Any:
    """Runs a command and returns its document."""
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_setting_is_shown_with_its_value_and_source(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = directory / "pyproject.toml"
    file.write_text("[tool.qtasks]\nqueues = ['mail', 'default']\n", encoding="utf-8")
    monkeypatch.setenv("QTASKS_LEASE", "1m")
    monkeypatch.setenv("COLUMNS", "300")

    lines = run("config")

    assert lines[:4] == [
        ["settings", "without", "an", "app"],
        ["file:", *str(file).split()],
        [],
        ["setting", "value", "unit", "from", "changes", "apply"],
    ]
    assert [line[0] for line in lines[4:]] == list(SETTINGS)
    assert ["queues", "mail,default", "names", *str(file).split(), "next", "start"] in lines
    assert ["lease", "60", "seconds", "QTASKS_LEASE", "next", "start"] in lines
    assert ["prefetch", "none", "tasks", "default", "at", "once"] in lines


def test_the_settings_of_an_app_are_shown(directory: Path) -> None:
    text = """
from qtasks import QueueTasks
from qtasks.configs import QueueConfig

app = QueueTasks(broker_url="memory://me:hunter2@here", config=QueueConfig(lease=3))
"""
    (directory / "shop.py").write_text(text, encoding="utf-8")

    lines, shown = run("-A", "shop:app", "config"), document("-A", "shop:app", "config")

    assert lines[0] == ["settings", "of", "shop:app"]
    assert ["broker_url", "memory://me:***@here", "URL", "code", "new", "app"] in lines
    assert ["lease", "3", "seconds", "code", "next", "start"] in lines
    assert shown["app"] == "shop:app"
    assert "hunter2" not in json.dumps(shown)


def test_the_document_has_numbers_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_BROKER_URL", "redis://:hunter2@host")
    monkeypatch.setenv("QTASKS_LEASE", "30")

    shown = document("config")

    assert (shown["app"], shown["file"]) == (None, None)
    found = {entry["name"]: entry for entry in shown["settings"]}
    assert found["broker_url"]["value"] == "redis://:***@host"
    assert found["lease"] == {
        "name": "lease",
        "value": 30.0,
        "default": 15.0,
        "source": "environment",
        "where": "QTASKS_LEASE",
        "variable": "QTASKS_LEASE",
        "applies": "next start",
    }
    assert found["queues"]["value"] == ["default"]


def test_it_says_where_a_file_was_looked_for(directory: Path) -> None:
    words = run("config")[1]

    text = " ".join(words)
    assert text.startswith("file: none; QTASKS_CONFIG_FILE is not set, and no pyproject.toml from")
    assert str(directory) in text


def test_a_narrow_terminal_shows_value_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    lines = run("config")

    assert lines[3] == ["setting", "value", "from"]


def test_a_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_LEASE", "soon")

    done = CliRunner().invoke(cli, ["config"])

    assert done.exit_code == 2
    assert done.stderr.startswith("error: setting lease = 'soon' (from QTASKS_LEASE): use a")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("width", [40, 50, 60, 80])
def test_names_of_settings_are_whole_in_any_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    done = CliRunner().invoke(cli, ["config"])

    lines = done.stdout.splitlines()[3:]
    assert SETTINGS.keys() <= {line.split()[0] for line in lines}
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if "…" in line]


def test_what_is_said_of_plugins_stands_below(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    bare = run("config")
    text = "[tool.qtasks]\nplugins = []\nrequired_plugins = ['audit>=1']\n"
    (directory / "pyproject.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("QTASKS_DISABLE_PLUGINS", "sentry,retry")

    file = str(directory / "pyproject.toml")
    assert document("config")["plugins"] == [
        {"name": "plugins", "value": "none", "from": file},
        {"name": "disable_plugins", "value": "sentry,retry", "from": "QTASKS_DISABLE_PLUGINS"},
        {"name": "required_plugins", "value": "audit>=1", "from": file},
    ]
    assert run("config")[-4:] == [
        ["plugins", "value", "from"],
        ["plugins", "none", file],
        ["disable_plugins", "sentry,retry", "QTASKS_DISABLE_PLUGINS"],
        ["required_plugins", "audit>=1", file],
    ]
    assert ["plugins", "value", "from"] not in bare


def test_the_options_of_plugins_stand_below_with_their_sources(
    site: Site, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("web", WITH_OPTIONS, entry="Web")
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("QTASKS_WEB_PORT", "9001")
    file = directory / "pyproject.toml"
    file.write_text("[tool.qtasks.plugins.web]\nhost = 'there'\n", encoding="utf-8")

    lines, shown = run("config"), document("config")

    assert lines[-5:] == [
        ["plugin", "option", "value", "from"],
        ["web.port", "9001", "QTASKS_WEB_PORT"],
        ["web.host", "'there'", str(file)],
        ["web.tags", "[]", "default"],
        ["web.api_token", "***", "default"],
    ]
    assert shown["plugin_options"][0] == {
        "plugin": "web",
        "name": "port",
        "value": "9001",
        "source": "environment",
        "from": "QTASKS_WEB_PORT",
        "variable": "QTASKS_WEB_PORT",
    }
    assert "hush" not in json.dumps(shown)


def test_options_that_the_code_gives_are_told_as_such(
    site: Site, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("web", WITH_OPTIONS, entry="Web")
    monkeypatch.setenv("QTASKS_WEB_PORT", "9001")
    monkeypatch.setenv("QTASKS_WEB_TAGS", "a,b")
    text = """
from qtasks import QueueTasks
from acme_web import Web, WebOptions

mine = Web("mine", WebOptions(port=1, tags=["a"]))
app = QueueTasks(broker_url="memory://", plugins=[mine, Web("web", WebOptions(tags=["a", "b"]))])
"""
    (directory / "options_in_code.py").write_text(text, encoding="utf-8")

    shown = document("-A", "options_in_code:app", "config")["plugin_options"]

    found = {f"{each['plugin']}.{each['name']}": each["from"] for each in shown}
    assert (found["mine.port"], found["mine.tags"], found["mine.host"]) == (
        "code",
        "code",
        "default",
    )
    assert found["web.tags"] == "QTASKS_WEB_TAGS"


def test_a_plugin_with_a_wrong_option_is_named_with_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("web", WITH_OPTIONS, entry="Web")
    monkeypatch.setenv("QTASKS_WEB_PORT", "many")

    done, shown = CliRunner().invoke(cli, ["config"]), document("config")

    assert done.stdout.splitlines()[-1].startswith(
        "plugin web is refused: option port of plugin web = 'many' (from QTASKS_WEB_PORT): "
    )
    assert shown["plugin_options"] == []
    assert [each["plugin"] for each in shown["unusable_plugins"]] == ["web"]
