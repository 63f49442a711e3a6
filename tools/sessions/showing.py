"""Sessions that show something, and check nothing."""

from __future__ import annotations

import nox

from sessions.pythons import MAIN
from sessions.tree import editable, group

__all__ = ["bench", "demo"]


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
