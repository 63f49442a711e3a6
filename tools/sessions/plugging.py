"""Sessions about plugins that come from elsewhere: new ones, broken ones, third parties'."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import nox

from sessions.pythons import MAIN
from sessions.tree import CORE, DIST, EXAMPLE, EXAMPLE_DIST, ROOT, group, install_wheels, wheels

__all__ = ["dists", "scaffold", "third_party"]

#: The longest name that a new package may have: its code must fit its own style all the same.
LONG_NAME = "a-name-of-thirty-characters-ab"
#: The page that has a reader write a plugin, and where its files belong in the new package.
PAGE = ROOT / "docs" / "writing-a-plugin.md"
PLACES = {
    "stopwatch.py": "src/qtasks_plugin_stopwatch/plugin.py",
    "test_conformance.py": "tests/test_conformance.py",
    "test_behaviour.py": "tests/test_behaviour.py",
}


@nox.session(python=MAIN, requires=["build"], reuse_venv=False)
def scaffold(session: nox.Session) -> None:
    """Write a new package of each kind and run its checks; what follows ``--`` are its sessions.

    One more is what the page about plugins makes of a new package.
    """
    core = wheels()[CORE]
    session.install(f"{core}[testing]", *group("lint"), *group("typing"), *group("build"))
    session.install("--force-reinstall", "--no-deps", str(core))
    # Not below this folder, in which Git ignores it, and ruff with it.
    with tempfile.TemporaryDirectory() as folder:
        for kind, name in (("plugin", "audit"), ("broker", "a"), ("storage", LONG_NAME)):
            made = Path(folder) / kind
            session.run("qtasks", "plugins", "new", name, f"--kind={kind}", f"--into={made}")
            session.install("--no-build-isolation", "--no-deps", str(made))
            with session.chdir(made):
                check_new(session, kind)
        made = Path(folder) / "page"
        session.run("qtasks", "plugins", "new", "stopwatch", f"--into={made}")
        follow_page(made)
        session.install("--no-build-isolation", "--no-deps", str(made))
        with session.chdir(made):
            check_new(session, "page")
    session.run("qtasks", "plugins", "doctor")


def follow_page(package: Path) -> None:
    """Puts the files of the page about plugins into a new package, as it tells its readers to.

    Raises:
        LookupError: the page has one of the files no more.
    """
    page = PAGE.read_text("utf-8")
    for title, place in PLACES.items():
        block = re.search(
            rf'^```python title="{title}"\n(.*?)^```$', page, re.DOTALL | re.MULTILINE
        )
        if block is None:
            msg = f"{PAGE.name} has no file {title}: change PLACES as well"
            raise LookupError(msg)
        text = block[1].replace(
            "from stopwatch import", "from qtasks_plugin_stopwatch.plugin import"
        )
        (package / place).write_text(text, encoding="utf-8")


def check_new(session: nox.Session, kind: str) -> None:
    """Runs the checks of a new package; of a plugin by its own sessions, which takes longer."""
    if kind == "plugin":
        # From this tree the oldest core that fits is the newest as well, so one of both is enough.
        sessions = session.posargs or (f"tests-{session.python}(oldest)", "lint", "typing")
        found = {"PIP_FIND_LINKS": str(DIST), "UV_FIND_LINKS": str(DIST)}
        session.run("nox", "-s", *sessions, env=found)
        return
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("python", "-m", "pytest", "-q", "-p", "no:valkey")


@nox.session(python=MAIN, requires=["build"], reuse_venv=False)
def dists(session: nox.Session) -> None:
    """Install plugins that are broken in all ways, and see that they are told and harmless."""
    install_wheels(session)
    session.install(*group("build"))
    built = Path(session.create_tmp()).absolute() / "wheels"
    shutil.rmtree(built, ignore_errors=True)
    pack = ("python", "-m", "build", "--no-isolation", "--wheel", f"--outdir={built}")
    for project in sorted(ROOT.glob("tests/dists/*/pyproject.toml")):
        session.run(*pack, str(project.parent), silent=True)
    # Without what they require, which one of them requires in vain.
    session.install("--no-deps", *map(str, sorted(built.iterdir())))
    session.run("python", "-m", "pytest", "tests/dists", *session.posargs)


@nox.session(python=MAIN, requires=["build"], reuse_venv=False)
def third_party(session: nox.Session) -> None:
    """Test the example of a third party's plugin as its author would: from wheels alone."""
    wheel = next(EXAMPLE_DIST.glob("*.whl"))
    core = wheels()[CORE]
    session.install(f"--find-links={DIST}", str(wheel), str(core), *group("typing", EXAMPLE))
    session.run("qtasks", "plugins", "doctor", "--only", "audit")
    with session.chdir(EXAMPLE):
        session.run("python", "-m", "pytest", "-q", *session.posargs)
        session.run("mypy", "src", "tests")
    with tempfile.TemporaryDirectory() as folder, session.chdir(folder):
        page = (str(ROOT / "tests" / "docs" / "run_page.py"), str(EXAMPLE / "README.md"))
        session.run("python", *page, env={"PYTHONWARNINGS": "error"})
