"""A release that cannot be is refused, with every reason."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from releasing.refusing import refusals

if TYPE_CHECKING:
    from pathlib import Path

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Something.\n"
PROJECT = '[project]\nname = "{name}"\ndependencies = [{needs}]\n'


class Repository:
    """A repository with two packages, of which everything is committed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet")
        self.add_package("qtasks-core", "1.2.0")
        self.add_package("qtasks-plugin-x", "1.2.0", '"qtasks-core>=1.0,<2"')
        self.commit()

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        config = (*identity, "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false")
        subprocess.run(["git", *config, *arguments], cwd=self.root, check=True)

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message=all")

    def add_package(self, name: str, version: str, needs: str = "") -> None:
        files = {
            "pyproject.toml": PROJECT.format(name=name, needs=needs),
            "CHANGELOG.md": CHANGELOG,
            "src/it/_version.py": f'__version__ = "{version}"\n',
        }
        for path, text in files.items():
            self.write(f"packages/{name}/{path}", text)

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, "utf-8")

    def refused(self, version: str, name: str = "qtasks-core") -> list[str]:
        return refusals(self.root, name, version)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize("version", ["1.2.1", "1.3.0", "2.0.0", "1.3.0rc1", "1.3.0a1", "1.3.0b2"])
def test_what_is_newer_can_be_released(repository: Repository, version: str) -> None:
    assert repository.refused(version) == []
    assert repository.refused(version, "qtasks-plugin-x") == []


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("one", "'one' is no version"),
        ("1.3", "'1.3' is not written as it should be"),
        ("v1.3.0", "'v1.3.0' is not written as it should be"),
        ("1.3.0-rc1", "'1.3.0-rc1' is not written as it should be"),
        ("1!2.0.0", "is not written as it should be"),
        ("1.3.0.dev1", "1.3.0.dev1 is not for releases"),
        ("1.3.0+mine", "1.3.0+mine is not for releases"),
        ("1.3.0.post1", "1.3.0.post1 is not for releases"),
        ("1.2.0", "1.2.0 is not newer than 1.2.0, which is in the tree"),
        ("1.1.9", "1.1.9 is not newer than 1.2.0"),
        ("1.2.0rc1", "1.2.0rc1 is not newer than 1.2.0"),
    ],
)
def test_a_wrong_version_is_refused(repository: Repository, version: str, message: str) -> None:
    (reason,) = repository.refused(version)

    assert message in reason


def test_a_version_that_is_tagged_is_refused(repository: Repository) -> None:
    repository.git("tag", "qtasks-core-v1.3.0")

    (reason,) = repository.refused("1.3.0")

    assert reason == "1.3.0 has been released: the tag qtasks-core-v1.3.0 exists"
    assert repository.refused("1.3.0", "qtasks-plugin-x") == []


def test_a_package_that_does_not_exist_is_refused(repository: Repository) -> None:
    assert repository.refused("1.3.0", "qtasks-cor") == [
        "there is no package 'qtasks-cor': did you mean 'qtasks-core'?"
    ]
    assert "there are qtasks-core, qtasks-plugin-x" in repository.refused("1.3.0", "zzz")[0]


@pytest.mark.parametrize("path", ["packages/qtasks-core/CHANGELOG.md", "new.txt"])
def test_a_dirty_tree_is_refused(repository: Repository, path: str) -> None:
    repository.write(path, CHANGELOG + "- More.\n")

    (reason,) = repository.refused("1.3.0")

    assert reason == f"the tree has changes that are not committed: {path}: commit or stash them"


def test_a_release_without_changes_is_refused(repository: Repository) -> None:
    repository.write("packages/qtasks-core/CHANGELOG.md", "# C\n\n## [Unreleased]\n")
    repository.commit()

    (reason,) = repository.refused("1.3.0")
    assert reason.startswith("nothing has changed")

    repository.write("packages/qtasks-core/changes/more.added.md", "There is more.\n")
    repository.commit()

    assert repository.refused("1.3.0") == []


def test_a_wrong_fragment_and_an_unreadable_changelog_are_refused(repository: Repository) -> None:
    repository.write("packages/qtasks-core/CHANGELOG.md", "# C\n")
    repository.write("packages/qtasks-core/changes/more.feature.md", "There is more.\n")
    repository.commit()

    fragment, changelog = repository.refused("1.3.0")

    assert "more.feature.md: 'feature' is no kind" in fragment
    assert "qtasks-core/CHANGELOG.md: the changelog has no heading" in changelog


def test_a_final_release_does_not_ask_for_a_pre_release_of_core(repository: Repository) -> None:
    repository.add_package("qtasks-plugin-y", "0.9.0", '"qtasks-core>=1.3.0rc1,<2"')
    repository.commit()

    (reason,) = repository.refused("1.0.0", "qtasks-plugin-y")

    assert reason.startswith("qtasks-plugin-y requires 'qtasks-core")
    assert "raise it to a final release first" in reason
    assert repository.refused("1.0.0rc1", "qtasks-plugin-y") == []


def test_what_was_to_be_removed_is_refused(repository: Repository) -> None:
    call = 'deprecated("add_later", since="1.1", removal="2.0", instead="add_task")\n'
    repository.write("packages/qtasks-core/src/it/old.py", call)
    repository.commit()

    (reason,) = repository.refused("2.0.0")

    assert reason == "it/old.py:1: add_later was to be removed in 2.0: remove it"
    assert repository.refused("2.0.0rc1") == [reason]
    assert repository.refused("1.9.0") == []
