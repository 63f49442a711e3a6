"""Sessions that show something, and check nothing."""

from __future__ import annotations

import nox

from sessions.pythons import MAIN
from sessions.tree import editable, group

__all__ = ["bench", "demo", "performance"]


@nox.session(python=MAIN)
def demo(session: nox.Session) -> None:
    """Run the example in examples/inventory; arguments after ``--`` go to it."""
    session.install("-e", "packages/qtasks-core[redis]")  # --broker may name a server
    session.run("python", "examples/inventory/main.py", *session.posargs)


@nox.session(python=MAIN, requires=["servers"])
def bench(session: nox.Session) -> None:
    """Measure QTasks beside its peers; arguments after ``--`` go to benchmarks/compare.py."""
    session.install(*editable(), *group("bench"))
    session.run("python", "benchmarks/compare.py", *(session.posargs or ("--save",)))


@nox.session(python=MAIN)
def performance(session: nox.Session) -> None:
    """Show results of ``bench`` in docs/performance.md; their file follows ``--``."""
    session.install(*editable(), *group("bench"))
    session.run("python", "benchmarks/publish.py", *session.posargs)
