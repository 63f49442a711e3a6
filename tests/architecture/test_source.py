"""The house style, as far as a program can read it off the source."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINES = 400
#: Rooms for everything are rooms for nothing.
VAGUE_NAMES = {"common", "helpers", "misc", "util", "utils"}
#: One implementation serves both colours.
COLOUR_PREFIXES = ("async_", "sync_")
#: Reading untrusted bytes with these runs code.
UNSAFE_MODULES = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}


def imported_modules(source: str) -> Iterator[str]:
    """Yields the top-level name of every module that the source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_the_source_is_found(source_files: list[Path]) -> None:
    assert source_files


def test_files_are_short(source_files: list[Path], root: Path) -> None:
    lines = {path: len((root / path).read_text("utf-8").splitlines()) for path in source_files}

    long = {str(path): count for path, count in lines.items() if count > MAX_LINES}

    assert not long, f"split these files: {long}"


def test_modules_have_names_that_say_something(source_files: list[Path]) -> None:
    vague = [str(path) for path in source_files if VAGUE_NAMES & {*path.parts, path.stem}]

    assert not vague


def test_no_module_exists_once_for_each_colour(source_files: list[Path]) -> None:
    twins = [str(path) for path in source_files if path.stem.startswith(COLOUR_PREFIXES)]

    assert not twins


def test_nothing_unpickles(source_files: list[Path], root: Path) -> None:
    unsafe = {
        str(path): found
        for path in source_files
        if (found := UNSAFE_MODULES & set(imported_modules((root / path).read_text("utf-8"))))
    }

    assert not unsafe


def test_imports_are_found_wherever_they_stand() -> None:
    source = (
        "def f():\n    from pickle import loads\n    import a.b, marshal as m\nfrom . import x\n"
    )

    assert set(imported_modules(source)) == {"pickle", "a", "marshal"}
