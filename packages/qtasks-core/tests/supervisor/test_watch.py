"""Files that change."""

from __future__ import annotations

import os
import sys
import types
from typing import TYPE_CHECKING

import pytest

from qtasks._supervisor import watch
from qtasks._supervisor.watch import app_directories, changed_files, snapshot

if TYPE_CHECKING:
    from pathlib import Path


def test_python_files_are_seen_and_what_is_installed_is_not(tmp_path: Path) -> None:
    seen = ["app.py", "shop/tasks.py", "shop/deep/er.py"]
    not_seen = [
        "notes.txt",
        ".hidden.py",
        ".git/hook.py",
        "node_modules/x.py",
        "shop/__pycache__/tasks.py",
        "venv/pyvenv.cfg",
        "venv/lib/thing.py",
        "lib/site-packages/thing.py",
    ]
    for name in (*seen, *not_seen):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    found = snapshot([str(tmp_path), str(tmp_path / "missing")])

    assert set(found) == {str(tmp_path / name) for name in seen}


def test_what_changes_a_file_changes_what_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("a = 1\n", "utf-8")
    os.utime(file, ns=(1, 1))
    before = snapshot([str(tmp_path)])

    file.write_text("a = 2\n", "utf-8")
    written = snapshot([str(tmp_path)])
    file.write_text("a = 10\n", "utf-8")
    os.utime(file, ns=(1, 1))
    longer = snapshot([str(tmp_path)])

    assert before != written
    assert before != longer


async def test_each_change_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = {"a.py": (1, 1)}, {"a.py": (2, 1)}, {"a.py": (2, 1), "b.py": (1, 1)}
    looks = iter([one, one, two, two, two, three, two])
    monkeypatch.setattr(watch, "snapshot", lambda _: next(looks))
    changes = changed_files(["here"], interval=0.0)

    told = [await anext(changes) for _ in range(3)]

    assert told == ["a.py", "b.py", "b.py"]
    await changes.aclose()


def test_code_is_looked_for_here_and_where_modules_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for place in (here, elsewhere):
        place.mkdir()
    monkeypatch.chdir(here)
    for name, place in (("one", here), ("two", elsewhere)):
        made = types.ModuleType(name)
        made.__file__ = str(place / f"{name}.py")
        monkeypatch.setitem(sys.modules, name, made)

    found = app_directories()

    assert found[0] == str(here)
    assert str(elsewhere) in found
    assert os.path.dirname(pytest.__file__) not in found  # noqa: PTH120 - as text
    assert os.path.dirname(os.__file__) not in found  # noqa: PTH120 - as text
