"""Finds what is deprecated in a source, and whether it is to be removed by now."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Deprecated", "find_deprecations"]

#: The name of the function that says so, and its keyword arguments.
FUNCTION = "deprecated"
KEYWORDS = {"since", "removal", "instead"}


@dataclass(frozen=True, slots=True)
class Deprecated:
    """A call of ``deprecated``.

    Attributes:
        name: what is deprecated.
        since: the version that deprecated it.
        removal: the version that is to be without it.
        where: the file and the line.
    """

    name: str
    since: str
    removal: str
    where: str

    def due(self, version: Version) -> bool:
        """Tells whether a version has to be without it; pre-releases of the removal have to."""
        return Version(version.base_version) >= Version(self.removal)


def find_deprecations(source: Path) -> Iterator[Deprecated]:
    """Yields every call of ``deprecated`` below a folder.

    Raises:
        ValueError: one does not say with literals what it is about, so that nothing can watch it.
    """
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _called(node.func) == FUNCTION:
                yield _read(node, f"{path.relative_to(source)}:{node.lineno}")


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _read(call: ast.Call, where: str) -> Deprecated:
    try:
        (name,) = map(ast.literal_eval, call.args)
        words = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        if not words.keys() >= KEYWORDS:
            raise ValueError(words)  # noqa: TRY301 - one message for all that is missing
        return Deprecated(name, words["since"], words["removal"], where)
    except (TypeError, ValueError):
        msg = (
            f"{where}: write the arguments of deprecated() as literals:"
            ' deprecated("x", since="1.0", removal="2.0", instead="y")'
        )
        raise ValueError(msg) from None
