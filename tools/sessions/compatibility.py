"""The session that tries every combination of our packages.

The number of environments does not grow with that of the packages: there is one, which holds core.
Each package beside it is unpacked into a folder of its own, together with what it requires and
core does not have. A set of packages is a list of such folders on the path of Python: the others
are really absent, and a further set costs the seconds of its tests alone.
"""

from __future__ import annotations

import json
import os
from itertools import combinations
from typing import TYPE_CHECKING

import nox
from nox.command import CommandFailed

from sessions.pythons import FOUND
from sessions.results import write_results
from sessions.tree import (
    BESIDE_CORE,
    CORE,
    EXAMPLE,
    EXAMPLE_DIST,
    ROOT,
    all_extras,
    install_wheels,
    project_of,
    scratch,
    wheels,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["compat", "package_sets"]

#: Tests of core that run where none of the packages is.
QUICK = ("core", "discovery")
#: The packages by a short name, such as ``retry``.
SHORT = {path.name.rpartition("-")[2]: path for path in (*BESIDE_CORE, EXAMPLE)}


def package_sets() -> dict[str, tuple[str, ...]]:
    """Returns the sets to try by their names: none, each alone, every pair, and all."""
    sets = [*combinations(SHORT, 1), *combinations(SHORT, 2)]
    # Of two packages the pair is all of them.
    named = {"+".join(names): names for names in sets if len(names) < len(SHORT)}
    return {"none": (), **named, "all": tuple(SHORT)}


@nox.session(python=list(FOUND), requires=["build", "servers"])
def compat(session: nox.Session) -> None:
    """Try core with none, each, each pair and all of our packages; ``--`` names sets to try."""
    sets = package_sets()
    if unknown := [name for name in session.posargs if name not in sets]:
        session.error(f"no set is called {', '.join(unknown)}: there are {', '.join(sets)}")
    install_wheels(session, CORE)
    folders = {name: unpack(session, package) for name, package in SHORT.items()}
    ends = {}
    for name in session.posargs or sets:
        try:
            try_set(session, name, {short: folders[short] for short in sets[name]})
        except CommandFailed:
            ends[name] = "failed"
        else:
            ends[name] = "passed"
    write_results(session, ends)
    if failed := [name for name, end in ends.items() if end == "failed"]:
        session.error(f"these sets failed: {', '.join(failed)}")


def unpack(session: nox.Session, package: Path) -> Path:
    """Unpacks the wheel of a package, and what it requires beside core, into a folder."""
    folder = scratch(session, package.name)
    wheel = next(EXAMPLE_DIST.glob("*.whl")) if package == EXAMPLE else wheels()[package]
    session.install("pip")  # an environment that uv has made has none
    pip = ("python", "-m", "pip", "install", "--quiet")
    wanted = f"{wheel}{all_extras(package)}"
    report = session.run(*pip, "--dry-run", "--report=-", wanted, silent=True, stderr=None)
    missing = [
        f"{one['metadata']['name']}=={one['metadata']['version']}"
        for one in json.loads(str(report))["install"]
        if one["metadata"]["name"] != project_of(package)["name"]
    ]
    session.run(*pip, "--no-deps", f"--target={folder}", str(wheel), *missing)
    return folder


def try_set(session: nox.Session, name: str, folders: dict[str, Path]) -> None:
    """Runs the quick tests with these packages on the path.

    Raises:
        CommandFailed: a test failed.
    """
    session.log("with %s", name)
    tests = ["tests/compat"]
    if not folders:
        tests += [str(CORE.relative_to(ROOT) / "tests" / folder) for folder in QUICK]
    env = {
        "PYTHONPATH": os.pathsep.join(map(str, folders.values())),
        "QTASKS_TEST_PACKAGES": " ".join(project_of(SHORT[short])["name"] for short in folders),
    }
    session.run("python", "-m", "pytest", "-q", *tests, env=env)
