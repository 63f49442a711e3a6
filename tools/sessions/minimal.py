"""The session that tests with the lowest versions that packages declare."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nox
from packaging.requirements import Requirement

from sessions.pythons import OLDEST
from sessions.requirements import lower_bounds, lowest, optional
from sessions.testing import run_tests
from sessions.tree import (
    CORE,
    EXAMPLE,
    EXAMPLE_DIST,
    NAMED,
    all_extras,
    group,
    project_of,
    scratch,
    wheels,
)

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.version import Version

__all__ = ["minimums"]


@nox.session(python=OLDEST, requires=["build", "servers"])
@nox.parametrize("name", list(NAMED), ids=list(NAMED))
def minimums(session: nox.Session, name: str) -> None:
    """Test a package with the lowest versions that it declares of what it requires."""
    package = NAMED[name]
    session.install("pip", "packaging")
    wanted, floors = wanted_and_floors(package)
    floors = raised(session, floors, wanted)
    constraints = scratch(session, "constraints") / "lowest.txt"
    constraints.write_text("".join(f"{one}=={floors[one]}\n" for one in floors), "utf-8")
    session.install(f"--constraint={constraints}", *wanted)
    ours = [line for line in wanted if "qtasks" in line]
    session.install("--force-reinstall", "--no-deps", *(line.partition("[")[0] for line in ours))
    if package == EXAMPLE:
        with session.chdir(EXAMPLE):
            session.run("python", "-m", "pytest", "-q", *session.posargs)
    else:
        run_tests(session, package)


def wanted_and_floors(package: Path) -> tuple[list[str], dict[str, Version]]:
    """Returns what is to be installed, and the lowest versions that the package declares.

    What the tests of third parties require is tried with the example; our own tests need more.
    """
    core = str(wheels()[CORE])
    needs = [*project_of(package)["dependencies"]]
    if package == EXAMPLE:
        wanted = [f"{core}[testing]", str(next(EXAMPLE_DIST.glob("*.whl")))]
        return wanted, lowest([*needs, *optional(CORE)["testing"]])
    chosen = {name: lines for name, lines in optional(package).items() if name != "testing"}
    needs += [line for lines in chosen.values() for line in lines]
    # The tests of every package start servers, and so need the extras of core.
    wanted = [f"{core}{all_extras(CORE)}", *group("test")]
    if package != CORE:
        wanted.append(f"{wheels()[package]}{all_extras(package)}")
    return wanted, lowest(needs)


def raised(
    session: nox.Session, floors: dict[str, Version], wanted: list[str]
) -> dict[str, Version]:
    """Returns the lowest versions that can be had together.

    Something may be required by others as well: by the lowest versions themselves, and by what is
    needed for the tests.
    """
    pins = [f"{name}=={version}" for name, version in floors.items()]
    others = [one for one in planned(session, *wanted) if one["name"] not in floors]
    result = dict(floors)
    for one in [*others, *planned(session, "--no-deps", *pins)]:
        for requirement in map(Requirement, one.get("requires_dist", ())):
            name = requirement.name.lower().replace("_", "-")
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            for bound in lower_bounds(requirement) if name in result and applies else ():
                if bound > result[name]:
                    session.log("%s is raised to %s by %s", name, bound, one["name"])
                    result[name] = bound
    return result


def planned(session: nox.Session, *arguments: str) -> list[dict[str, Any]]:
    """Returns the metadata of what pip would install in an empty environment."""
    pip = ("python", "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed")
    report = session.run(*pip, "--report=-", *arguments, silent=True, stderr=None)
    return [one["metadata"] for one in json.loads(str(report))["install"]]
