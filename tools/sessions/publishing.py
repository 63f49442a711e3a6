"""The session that prepares a release."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import nox
from packaging.version import Version

from releasing.changelog import merge
from releasing.fragments import find_fragments
from releasing.refusing import refusals
from releasing.repository import git, tag_of, tree_version, version_file
from sessions.building import empty_environment
from sessions.pythons import MAIN
from sessions.tree import CORE, DIST, ROOT, group, import_name, scratch

__all__ = ["release"]

USAGE = "say what to release: nox -s release -- PACKAGE VERSION [--dry-run]"


@nox.session(python=MAIN, default=False)
def release(session: nox.Session) -> None:
    """Prepare a release: ``-- PACKAGE VERSION [--dry-run]``; what is to be done then is told.

    All of it happens in a clone, so that a release which fails leaves the tree as it was.
    """
    dry = "--dry-run" in session.posargs
    words = [word for word in session.posargs if word != "--dry-run"]
    if len(words) != 2 or any(word.startswith("-") for word in words):  # noqa: PLR2004 - see USAGE
        session.error(USAGE)
    name, text = words
    if reasons := refusals(ROOT, name, text):
        session.error("\n- ".join([f"{name} {text} cannot be released:", *reasons]))
    version = Version(text)
    session.install(*group("release"))
    clone = scratch(session, "release") / "clone"
    git("clone", "--quiet", ROOT, clone)
    prepare(session, clone / "packages" / name, version)
    built = try_out(session, clone / "packages" / name, version)
    session.log("What is changed:\n%s", git("diff", "HEAD", folder=clone).decode())
    if dry:
        session.log("This was a rehearsal: the tree is as it was.")
        return
    patch = clone.with_name("release.patch")
    patch.write_bytes(git("diff", "--binary", "HEAD", folder=clone))
    git("apply", patch)
    DIST.mkdir(exist_ok=True)
    names = [shutil.copy(path, DIST) for path in built]
    session.log("%s", next_steps(name, version, [Path(path) for path in names]))


def prepare(session: nox.Session, package: Path, version: Version) -> None:
    """Writes the version and the section of the changelog, and removes the fragments."""
    path = version_file(package)
    before = f'"{tree_version(package)}"'
    path.write_text(path.read_text("utf-8").replace(before, f'"{version}"'), encoding="utf-8")

    config = package.parents[1] / "pyproject.toml"
    towncrier = ("towncrier", "build", "--draft", f"--config={config}", f"--dir={package}")
    arguments = (f"--name={package.name}", f"--version={version}")
    fragments = find_fragments(package)
    rendered = ""
    if fragments:  # without any towncrier says so in words, where the entries would be
        rendered = str(session.run(*towncrier, *arguments, silent=True, stderr=None))
    changelog = package / "CHANGELOG.md"
    text = merge(changelog.read_text("utf-8"), rendered, version, datetime.now(UTC).date())
    changelog.write_text(text, encoding="utf-8")
    for fragment in fragments:
        fragment.unlink()


def try_out(session: nox.Session, package: Path, version: Version) -> list[Path]:
    """Builds and checks a package, imports it where nothing else is, and returns what is built."""
    dist, others = package.parents[1] / "dist", package.parents[1] / "others"
    build = ("python", "-m", "build", "--no-isolation")
    session.run(*build, f"--outdir={dist}", str(package), silent=True)
    built = sorted(dist.iterdir())
    session.run("twine", "check", "--strict", *map(str, built))
    # Core as it is in the tree, because it may not be published yet.
    session.run(*build, "--wheel", f"--outdir={others}", str(CORE), silent=True)
    (wheel,) = (str(path) for path in built if path.suffix == ".whl")
    bin_dir = empty_environment(session, "empty", f"--find-links={others}", wheel)
    code = (
        f"import {import_name(package)} as it; from importlib.metadata import version;"
        f" assert it.__version__ == version({package.name!r}) == {str(version)!r}"
    )
    session.run(str(bin_dir / "python"), "-W", "error", "-c", code, external=True)
    session.run(str(bin_dir / "qtasks"), "--help", external=True, silent=True)
    return built


def next_steps(name: str, version: Version, built: list[Path]) -> str:
    """Returns what is to be done to publish what was prepared."""
    files = " ".join(str(path.relative_to(ROOT)) for path in built)
    tag = tag_of(name, version)
    return "\n".join(
        [
            f"{name} {version} is prepared; nothing is committed, tagged or uploaded. Then:",
            f"  git add packages/{name} && git commit -m 'Release {name} {version}'",
            "  nox",
            f"  git tag -a {tag} -m '{name} {version}' && git push origin HEAD {tag}",
            f"  twine upload {files}",
            f"The next changes go into packages/{name}/changes.",
        ]
    )
