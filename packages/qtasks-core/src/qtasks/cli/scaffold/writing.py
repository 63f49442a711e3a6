"""From templates to a folder: all of it, or nothing."""

from __future__ import annotations

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from qtasks.cli.scaffold.names import Names

__all__ = ["render", "write"]

#: Where the files of every kind go, by their templates.
_SHARED: Final = {
    "CHANGELOG.md": "CHANGELOG.md",
    "gitignore": ".gitignore",
    "noxfile.py": "noxfile.py",
    "pyproject.toml": "pyproject.toml",
    "tests.yml": ".github/workflows/tests.yml",
}


def render(names: Names) -> dict[str, str]:
    """Returns the files of a new package by their paths in it.

    Args:
        names: what it is called.
    """
    source = f"src/{names.package}"
    own = {
        "README.md": "README.md",
        "init.py": f"{source}/__init__.py",
        f"{names.kind}.py": f"{source}/{names.kind}.py",
        "test_behaviour.py": "tests/test_behaviour.py",
        "test_conformance.py": "tests/test_conformance.py",
    }
    templates = files("qtasks.cli.scaffold") / "templates"
    values = names.values()
    made = {f"{source}/py.typed": ""}
    for folder, places in (("shared", _SHARED), (names.kind, own)):
        for name, path in places.items():
            made[path] = _filled(templates / folder / f"{name}.tmpl", values)
    return dict(sorted(made.items()))


def write(texts: dict[str, str], folder: Path) -> None:
    """Writes files into a folder that does not exist yet, or is empty.

    They are written elsewhere first, so that it has all of them or none.

    Args:
        texts: what the files hold, by their paths in the folder.
        folder: where to.

    Raises:
        ConfigError: there is something.
        OSError: it cannot be written.
    """
    folder = folder.absolute()
    there = folder.exists()
    if there and not (folder.is_dir() and not any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is a file"
        msg = f"{folder} {what}: move it away, or choose another folder with --into"
        raise ConfigError(msg)
    place = folder if there else folder.parent
    place.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
    try:
        made = beside / folder.name  # its rights are those of any folder, not of a temporary one
        for path, text in texts.items():
            target = made / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        if there:  # it may be the one that somebody works in, so it stays
            for child in sorted(made.iterdir()):
                child.rename(folder / child.name)
        else:
            made.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _filled(template: Traversable, values: dict[str, str]) -> str:
    return Template(template.read_text(encoding="utf-8")).substitute(values)
