"""The session that tries the metrics with a real Prometheus."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

from sessions.pythons import MAIN
from sessions.tree import ANY, CACHE, install_wheels

__all__ = ["prometheus"]

#: Where the programs of Debian's package are unpacked; nothing is installed.
_FOLDER = CACHE / "prometheus"
_PROGRAMS = ("prometheus", "promtool")


@nox.session(python=MAIN, requires=["build"])
def prometheus(session: nox.Session) -> None:
    """Have a real Prometheus scrape workers, and check rules and dashboard with it."""
    folder = _programs(session)
    if folder is None:
        text = "There is no Prometheus here: install prometheus and promtool, or run this on Debian"
        if os.environ.get("QTASKS_TEST_PROMETHEUS") == "required":
            session.error(text)
        session.warn(f"{text}. Nothing was checked.")
        return
    install_wheels(session)
    session.run(
        *("python", "-m", "pytest", "-q", "tests/prometheus", *session.posargs),
        env={"QTASKS_TEST_PROMETHEUS": str(folder)},
    )


def _programs(session: nox.Session) -> Path | None:
    """Returns the folder of the programs: of the path, or of Debian's package."""
    found = [shutil.which(program) for program in _PROGRAMS]
    if all(found):
        return Path(str(found[0])).parent
    unpacked = _FOLDER / "usr" / "bin"
    if not all((unpacked / program).exists() for program in _PROGRAMS):
        _unpack(session)
    return unpacked if all((unpacked / program).exists() for program in _PROGRAMS) else None


def _unpack(session: nox.Session) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    for package in _FOLDER.glob("*.deb"):
        package.unlink()
    with session.chdir(_FOLDER):
        download = ("apt-get", "-qq", "download", "prometheus")
        session.run(*download, external=True, silent=True, success_codes=ANY)
        for package in _FOLDER.glob("*.deb"):
            session.run("dpkg", "-x", str(package), str(_FOLDER), external=True)
