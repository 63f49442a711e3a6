"""Sessions that read the source: style, imports, types."""

from __future__ import annotations

import os

import nox

from sessions.pythons import MAIN
from sessions.tree import PACKAGES, ROOT, SUPPORTED, editable, group

__all__ = ["fix", "imports", "lint", "typing"]


@nox.session(python=MAIN)
def lint(session: nox.Session) -> None:
    """Check style, format and spelling."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell", ".")


@nox.session(python=MAIN)
def fix(session: nox.Session) -> None:
    """Correct what the linter can correct by itself, and format."""
    session.install(*group("lint"))
    session.run("ruff", "check", "--fix-only", *session.posargs, ".")
    session.run("ruff", "format", ".")


@nox.session(python=MAIN)
def imports(session: nox.Session) -> None:
    """Check that every room imports only the rooms below it."""
    session.install(*group("imports"))
    sources = os.pathsep.join(str(package / "src") for package in PACKAGES)
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": sources})


@nox.session(python=MAIN)
def typing(session: nox.Session) -> None:
    """Check types as the oldest and as the newest supported Python sees them."""
    session.install(*group("typing"), *editable())
    sources = [str(package.relative_to(ROOT) / "src") for package in PACKAGES]
    # One run for each directory of tests, because each may have a conftest.
    tests = {path.parent for path in ROOT.glob("tests/*/*.py")}
    tests |= {path.parent for path in ROOT.glob("tests/compat/*/*.py")}
    tests |= {path.parent for path in ROOT.glob("packages/*/tests/typing/*.py")}
    for version in (SUPPORTED[0], SUPPORTED[-1]):
        mypy = ("mypy", f"--python-version={version}")
        session.run(*mypy, "noxfile.py", "conftest.py", "tools", *sources)
        session.run(*mypy, "benchmarks")
        for directory in sorted(tests):
            files = sorted(directory.glob("*.py"))
            session.run(*mypy, *(str(path.relative_to(ROOT)) for path in files))
    # What users' own checkers see; the other big one reads the same files.
    seen = sorted(ROOT.glob("packages/*/tests/typing/*.py"))
    session.run("basedpyright", "--pythonpath", f"{session.bin}/python", *map(str, seen))
