"""``qtasks plugins new``; ``nox -s scaffold`` tries whether its packages pass their own checks."""

from __future__ import annotations

import ast
import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from packaging.specifiers import SpecifierSet
from typer.testing import CliRunner, Result

from qtasks._version import __version__
from qtasks.brokers import BaseBroker
from qtasks.cli.commands import cli
from qtasks.cli.scaffold import names, writing
from qtasks.exc import ConfigError
from qtasks.plugins import PLUGIN_API_VERSION
from qtasks.storages import BaseStorage
from qtasks.testing import TriggerRecorder, plugin_sandbox

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ["plugin", "broker", "storage"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["plugins", "new", *arguments])


def error(*arguments: str) -> str:
    done = new(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_written(here: Path, kind: str) -> None:
    done = new("nats", "--kind", kind)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    folder = here / f"qtasks-{kind}-nats"
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert written >= {
        ".github/workflows/tests.yml",
        ".gitignore",
        "CHANGELOG.md",
        "README.md",
        "noxfile.py",
        "pyproject.toml",
        f"src/qtasks_{kind}_nats/__init__.py",
        f"src/qtasks_{kind}_nats/py.typed",
        "tests/test_behaviour.py",
        "tests/test_conformance.py",
    }
    assert all(path in done.stdout for path in written)
    assert [path.name for path in here.iterdir()] == [folder.name]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_to_fill_in(kind: Any) -> None:
    for path, text in writing.render(names.Names(kind, "nats")).items():
        assert "$" not in text.replace("$ ", ""), path  # but for the prompts of a shell
        assert text == "" or text.endswith("\n"), path
        if path.endswith(".py"):
            ast.parse(text)


@pytest.mark.parametrize(
    ("kind", "group"),
    [("plugin", "qtasks"), ("broker", "qtasks.brokers"), ("storage", "qtasks.storages")],
)
def test_the_project_says_where_it_is_and_what_it_needs(here: Path, kind: str, group: str) -> None:
    new("my-nats", "--kind", kind, "--into", "here")
    project = tomllib.loads((here / "here" / "pyproject.toml").read_text("utf-8"))["project"]
    class_name = f"MyNats{kind.capitalize()}"
    assert project["name"] == f"qtasks-{kind}-my-nats"
    assert project["entry-points"] == {group: {"my-nats": f"qtasks_{kind}_my_nats:{class_name}"}}
    (needed,) = project["dependencies"]
    assert SpecifierSet(needed.removeprefix("qtasks-core")).contains(__version__, prereleases=True)


@pytest.mark.parametrize(
    ("version", "lowest", "oldest"),
    [
        ("1.0.0.dev0", ">=1.0.0.dev0,<2", "==1.0.0.dev0"),
        ("1.4.2", ">=1.4,<2", "==1.4.*"),
        ("0.3.1", ">=0.3,<0.4", "==0.3.*"),
        ("2.0.0rc1", ">=2.0.0rc1,<3", "==2.0.0rc1"),
    ],
)
def test_the_releases_of_core_follow_the_one_that_runs(
    monkeypatch: pytest.MonkeyPatch, version: str, lowest: str, oldest: str
) -> None:
    monkeypatch.setattr(names, "__version__", version)
    values = names.Names("plugin", "nats").values()
    assert (values["core_range"], values["core_oldest"]) == (lowest, oldest)
    assert SpecifierSet(oldest).contains(version)


@pytest.mark.parametrize(("kind", "base"), [("broker", BaseBroker), ("storage", BaseStorage)])
def test_every_method_of_the_contract_is_there(kind: Any, base: type) -> None:
    text = writing.render(names.Names(kind, "nats"))[f"src/qtasks_{kind}_nats/{kind}.py"]
    wanted = base.__abstractmethods__  # type: ignore[attr-defined]  # of every abstract class
    assert {name for name in wanted if f"def {name}(" not in text} == set()


def test_the_plugin_says_which_api_it_speaks() -> None:
    text = writing.render(names.Names("plugin", "nats"))["src/qtasks_plugin_nats/plugin.py"]
    assert f'plugin_api = "{PLUGIN_API_VERSION}"' in text


def test_the_name_of_the_package_is_a_name_too(here: Path) -> None:
    new("qtasks-plugin-nats")
    assert [path.name for path in here.iterdir()] == ["qtasks-plugin-nats"]


def test_programs_are_told_what_was_written(here: Path) -> None:
    told = json.loads(new("nats", "--json").stdout)
    assert told["folder"] == str(here / "qtasks-plugin-nats")
    assert (told["package"], told["class"]) == ("qtasks_plugin_nats", "NatsPlugin")
    assert sorted(told["files"]) == sorted(writing.render(names.Names("plugin", "nats")))


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("Nats", "perhaps nats"),
        ("my_nats", "perhaps my-nats"),
        ("2nats", "perhaps nats"),
        ("nats-", "perhaps nats"),
        ("a" * 31, "perhaps " + "a" * 30),
        ("../nats", "perhaps nats"),
        ("", "at most 30 characters"),
        ("яшма", "at most 30 characters"),
    ],
)
def test_a_name_that_cannot_be_is_refused(here: Path, name: str, guess: str) -> None:
    message = error(name)
    assert f"{name!r} cannot be the name of a plugin" in message
    assert message.rstrip().endswith(guess)
    assert list(here.iterdir()) == []


def test_a_name_that_is_taken_is_refused(here: Path) -> None:
    assert "there is a broker named 'sqlite' already, of qtasks-core" in error(
        "sqlite", "--kind", "broker"
    )
    with plugin_sandbox(nats=TriggerRecorder):
        assert "there is a plugin named 'nats' already" in error("nats")
    assert list(here.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(here: Path) -> None:
    (here / "full").mkdir()
    (here / "full" / "work.txt").write_text("precious", "utf-8")
    (here / "file").write_text("precious", "utf-8")
    assert "full is not empty: move it away, or choose another" in error("nats", "--into", "full")
    assert "file is a file: move it away, or choose another" in error("nats", "--into", "file")
    assert sorted(path.name for path in here.iterdir()) == ["file", "full"]
    assert [path.name for path in (here / "full").iterdir()] == ["work.txt"]


@pytest.mark.parametrize("into", ["empty", "."])
def test_an_empty_folder_is_filled(here: Path, into: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "empty").mkdir()
    monkeypatch.chdir(here if into == "empty" else here / "empty")
    done = new("nats", "--into", into)
    assert done.exit_code == 0, done.output
    written = {path.name for path in (here / "empty").iterdir()}
    assert written >= {".gitignore", "pyproject.toml", "src"}
    assert not any(name.startswith(".new-") for name in written)


def test_folders_above_are_made(here: Path) -> None:
    assert new("nats", "--into", "one/two").exit_code == 0
    assert (here / "one" / "two" / "pyproject.toml").exists()
    assert [path.name for path in (here / "one").iterdir()] == ["two"]


def test_nothing_is_written_by_halves(here: Path) -> None:
    texts = {"a.txt": "whole", "b.txt": "\udcff cannot be written"}
    (here / "empty").mkdir()
    for name in ("made", "empty"):
        with pytest.raises(UnicodeEncodeError):
            writing.write(texts, here / name)
    assert [path.name for path in here.iterdir()] == ["empty"]
    assert list((here / "empty").iterdir()) == []


def test_a_kind_that_is_none_is_refused() -> None:
    done = new("nats", "--kind", "executor")
    assert done.exit_code == 2
    assert "executor" in done.stderr


def test_names_are_checked_without_a_command() -> None:
    with pytest.raises(ConfigError):
        names.Names.of("No", "plugin")
