"""Every check under one name: ``nox`` runs them all, ``nox -l`` lists them."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False

#: The Pythons to test on; those that are not installed are left out.
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
#: The releases of QTasks to test with: the oldest that pyproject.toml allows, and the newest.
CORES = ["==1.0.0.dev0", ">=1.0.0.dev0,<2"]


def group(name: str) -> list[str]:
    """Returns the requirements of a dependency group."""
    return list(nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), name))


@nox.session(python=PYTHONS)
@nox.parametrize("core", CORES, ids=["oldest", "newest"])
def tests(session: nox.Session, core: str) -> None:
    """Run the tests; arguments after ``--`` go to pytest."""
    session.install(".", *group("test"), f"qtasks-core[testing]{core}")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types."""
    session.install(".", *group("typing"), "nox")
    session.run("mypy")
