"""The session that builds what all others test."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import nox

from sessions.pythons import MAIN
from sessions.tree import DIST, EXAMPLE, EXAMPLE_DIST, PACKAGES, group, import_name, scratch, wheels

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["build", "empty_environment"]


@nox.session(python=MAIN)
def build(session: nox.Session) -> None:
    """Build every package, check its metadata, and import it in an empty environment."""
    session.install(*group("build"))
    shutil.rmtree(DIST, ignore_errors=True)
    pack = ("python", "-m", "build", "--no-isolation")
    for package in PACKAGES:
        session.run(*pack, "--outdir", str(DIST), str(package))
    # Elsewhere, because what is in dist may be uploaded.
    shutil.rmtree(EXAMPLE_DIST, ignore_errors=True)
    session.run(*pack, "--wheel", "--outdir", str(EXAMPLE_DIST), str(EXAMPLE))
    session.run("twine", "check", "--strict", *map(str, sorted(DIST.iterdir())))

    bin_dir = empty_environment(session, "empty", *map(str, wheels().values()))
    for package in PACKAGES:
        code = f"import {import_name(package)}"
        session.run(str(bin_dir / "python"), "-W", "error", "-c", code, external=True)
    session.run(str(bin_dir / "qtasks"), "--help", external=True, silent=True)


def empty_environment(session: nox.Session, name: str, *requirements: str) -> Path:
    """Makes an environment that holds these requirements and nothing else.

    Args:
        session: the session; virtualenv is installed in it.
        name: what its folder is called; what was there before is removed.
        *requirements: what pip is told to install.

    Returns:
        The folder of its programs.
    """
    folder = scratch(session, name)
    session.run("python", "-m", "virtualenv", "--quiet", "--clear", str(folder))
    bin_dir = folder / ("Scripts" if sys.platform == "win32" else "bin")
    pip = (str(bin_dir / "python"), "-m", "pip", "install", "--quiet")
    session.run(*pip, *requirements, external=True)
    return bin_dir
