"""Settings in a file: where it is looked for, and what it may say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from qtasks.configs import QueueConfig
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes files; the working directory is ``project/part`` below where they go."""
    here = tmp_path / "project" / "part"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    for variable in [name for name in os.environ if name.startswith("QTASKS_")]:
        monkeypatch.delenv(variable)

    def write(text: str, name: str = "project/pyproject.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_values_may_be_numbers_lists_or_texts_with_units(write: Write) -> None:
    write(
        """
        [tool.qtasks]
        queues = ["mail", "default"]
        lease = 20
        result_ttl = "2d"
        max_payload = "2MiB"
        max_threads = "none"
        uvloop = false
        """
    )

    config = QueueConfig()

    assert config.queues == ("mail", "default")
    assert (config.lease, config.result_ttl, config.max_payload) == (20.0, 172800.0, 2097152)
    assert isinstance(config.lease, float)
    assert (config.max_threads, config.uvloop) == (None, False)


def test_the_nearest_file_with_the_table_counts(write: Write) -> None:
    write("[tool.qtasks]\nlease = 1\n", "pyproject.toml")
    middle = write("[tool.qtasks]\nresult_ttl = 2\n", "project/pyproject.toml")
    write("[tool.other]\nqtasks = true\n", "project/part/pyproject.toml")

    config = QueueConfig()

    assert (config.lease, config.result_ttl) == (15, 2)
    assert config.source("result_ttl").where == str(middle)


def test_mistakes_in_files_that_are_about_others_do_not_matter(write: Write) -> None:
    write("[tool.qtasks]\nlease = 1\n", "pyproject.toml")
    write("this is = no [ TOML", "project/pyproject.toml")

    assert QueueConfig().lease == 1


def test_a_file_may_be_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[tool.qtasks]\nlease = 1\n")
    named = write("[tool.qtasks]\nlease = 2\n", "project/part/settings.toml")
    monkeypatch.setenv("QTASKS_CONFIG_FILE", "settings.toml")

    assert QueueConfig().lease == 2
    assert QueueConfig().source("lease").where == str(named)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("absent.toml", r"QTASKS_CONFIG_FILE names .*absent.toml, which cannot be read: No such"),
        ("empty.toml", r"QTASKS_CONFIG_FILE=empty.toml: there is no table \[tool.qtasks\] in /.*"),
    ],
)
def test_a_named_file_must_be_there_and_have_the_table(
    write: Write, monkeypatch: pytest.MonkeyPatch, named: str, message: str
) -> None:
    write("", "project/part/empty.toml")
    monkeypatch.setenv("QTASKS_CONFIG_FILE", named)

    with pytest.raises(ConfigError, match=message):
        QueueConfig()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lease = 'soon'", "lease = 'soon' (from [tool.qtasks] in {}): use a finite number of"),
        ("lease = true", "lease = True (from [tool.qtasks] in {})"),
        ("queues = [1]", "queues = [1] (from [tool.qtasks] in {}): a queue name is text, not int"),
        ("uvloop = 1", "uvloop = 1 (from [tool.qtasks] in {}): use yes or no"),
        ("leese = 1", "unknown setting 'leese' (from [tool.qtasks] in {}). Did you mean 'lease'?"),
        ("plugin.retry.x = 1", "unknown setting 'plugin' (from [tool.qtasks] in {}). Did you mean"),
        ("lease = ", "{} cannot be read as TOML: Invalid value (at line 2, column"),
    ],
)
def test_a_mistake_names_the_file_and_the_table(write: Write, line: str, message: str) -> None:
    path = write(f"[tool.qtasks]\n{line}\n")

    with pytest.raises(ConfigError) as caught:
        QueueConfig()

    assert message.format(path) in str(caught.value)


def test_the_name_of_the_table_must_be_a_table(write: Write) -> None:
    path = write("tool.qtasks = 5\n")

    with pytest.raises(ConfigError) as caught:
        QueueConfig()

    assert f"tool.qtasks in {path} is no table: write [tool.qtasks]" in str(caught.value)


def test_tables_of_plugins_are_left_to_them(write: Write) -> None:
    write("[tool.qtasks]\nlease = 2\n[tool.qtasks.plugins.retry]\nmost = 'any'\n")

    assert QueueConfig().lease == 2


def test_a_file_that_may_not_be_read_is_passed_by(
    write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write("[tool.qtasks]\nlease = 3\n", "pyproject.toml")
    path = write("[tool.qtasks]\nlease = 2\n")
    read = type(path).read_bytes

    def refuse(self: Path) -> bytes:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return read(self)

    monkeypatch.setattr(type(path), "read_bytes", refuse)

    assert QueueConfig().lease == 3
    message = f"{path} is not looked through for settings: Permission denied"
    assert message in [record.getMessage() for record in caplog.records]


def test_without_a_working_directory_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert QueueConfig().source("lease").kind == "default"
