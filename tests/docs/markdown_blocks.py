"""Finds the fenced code blocks of a Markdown page."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<info>[^`]*)$")


class BlockError(Exception):
    """A block is malformed, or did not do what the page says; the message names the line."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, such as one that opens with ``python title="app.py"``."""

    language: str
    attributes: dict[str, str]
    body: str
    #: The line of the page on which the body starts.
    line: int


def find_blocks(text: str) -> Iterator[Block]:
    """Yields the blocks of a page in order.

    Raises:
        BlockError: A block has no end.
    """
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        opening = FENCE.match(line)
        if opening is None:
            continue
        fence = opening["fence"]
        end = re.compile(rf"^ *{re.escape(fence[0])}{{{len(fence)},}} *$")
        body = []
        for _, inner in lines:
            if end.match(inner):
                break
            body.append(inner)
        else:
            msg = f"line {number}: the block has no end"
            raise BlockError(msg)
        language, *words = shlex.split(opening["info"]) or [""]
        attributes = {name: value for name, _, value in (word.partition("=") for word in words)}
        source = textwrap.dedent("".join(f"{line}\n" for line in body))
        yield Block(language, attributes, source, number + 1)
