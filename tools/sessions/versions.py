"""Sessions that test with one version of core, or with one release of a server."""

from __future__ import annotations

import shutil
import tarfile
from io import BytesIO
from typing import TYPE_CHECKING

import nox

from releasing.repository import git, tag_exists, tag_of, tree_version
from sessions.pythons import MAIN
from sessions.requirements import oldest_core
from sessions.testing import run_tests, side_by_side
from sessions.tree import (
    BESIDE_CORE,
    CACHE,
    CORE,
    NAMED,
    ROOT,
    group,
    install_wheels,
    wheels,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["core_versions", "sentry_versions", "server"]

#: The packages that require core.
OTHERS = [path.name for path in BESIDE_CORE]
#: The servers that QTasks is tested with, as tests/servers/programs.py calls them.
SERVERS = ("valkey-9", "redis-7.0", "redis-6.2")
#: The releases of sentry-sdk that the plugin is tested with.
SDKS = ("2.48.0", "2.75.0", "3.0.0b2")


@nox.session(python=MAIN, requires=["build", "servers"])
@nox.parametrize("core", ["oldest", "tree"], ids=["oldest", "tree"])
@nox.parametrize("name", OTHERS, ids=OTHERS)
def core_versions(session: nox.Session, name: str, core: str) -> None:
    """Test the wheel of a package with the oldest core that it claims, and with the tree's."""
    package = NAMED[name]
    oldest, ours = oldest_core(package), tree_version(CORE)
    tag = tag_of(CORE.name, oldest)
    wheel = wheels()[CORE]
    session.log("%s claims core %s; that of the tree is %s", package.name, oldest, ours)
    if core == "oldest" and tag_exists(tag):
        wheel = build_tag(session, tag)
    elif core == "oldest" and oldest == ours:
        session.skip(f"No release yet: the oldest core that {package.name} claims is the tree.")
    elif core == "oldest":
        session.error(
            f"{package.name} claims core {oldest}, and there is no tag {tag} to build it from:"
            " fetch the tags, or raise the bound"
        )
    install_wheels(session, CORE, package)
    session.install("--force-reinstall", "--no-deps", str(wheel))
    run_tests(session, package)


def build_tag(session: nox.Session, tag: str) -> Path:
    """Builds core as it was at a tag, and returns its wheel."""
    folder = CACHE / "cores" / tag
    if not any(folder.glob("dist/*.whl")):
        shutil.rmtree(folder, ignore_errors=True)
        source = CORE.relative_to(ROOT)
        with tarfile.open(fileobj=BytesIO(git("archive", tag, source))) as archive:
            archive.extractall(folder, filter="data")
        session.install(*group("build"))
        pack = ("python", "-m", "build", "--no-isolation", "--wheel")
        session.run(*pack, f"--outdir={folder / 'dist'}", str(folder / source))
    return next(folder.glob("dist/*.whl"))


@nox.session(python=MAIN, requires=["build", "servers"])
@nox.parametrize("name", SERVERS, ids=SERVERS)
def server(session: nox.Session, name: str) -> None:
    """Run the tests that need a Redis or Valkey server, with one release of it."""
    install_wheels(session)
    code = "from servers.programs import find_programs; print(*find_programs())"
    found = session.run("python", "-c", code, env={"PYTHONPATH": "tests"}, silent=True)
    if name not in str(found).split():
        session.skip(f"{name} was not found; CONTRIBUTING.md says where to get it.")
    session.run("python", "-m", "pytest", "-q", "-k", name, *side_by_side(session))


@nox.session(python=MAIN, requires=["build", "servers"])
@nox.parametrize("sdk", SDKS, ids=SDKS)
def sentry_versions(session: nox.Session, sdk: str) -> None:
    """Test qtasks-plugin-sentry with one release of the SDK."""
    package = NAMED["qtasks-plugin-sentry"]
    install_wheels(session, CORE, package)
    session.install(f"sentry-sdk=={sdk}")
    run_tests(session, package)
