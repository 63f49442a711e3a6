"""Annotations are shown as people write them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar
from uuid import UUID

import pytest

from qtasks._typed.wording import annotation_text, kind_name


class Color(enum.Enum):
    RED = "red"


Item = TypeVar("Item")
Code = NewType("Code", int)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (None, "None"),
        (Any, "Any"),
        (UUID | None, "UUID | None"),
        (Optional[list[UUID]], "list[UUID] | None"),  # noqa: UP045 - the old spelling
        (dict[str, tuple[int, ...]], "dict[str, tuple[int, ...]]"),
        (Literal["a", 1, Color.RED], "Literal['a', 1, Color.RED]"),
        (Annotated[int, "low"], "Annotated[int, 'low']"),
        (Callable[[int, str], None], "Callable[[int, str], None]"),
        (Item, "Item"),
        (Code, "Code"),
        (5, "5"),
    ],
)
def test_an_annotation_is_short(annotation: Any, text: str) -> None:
    assert annotation_text(annotation) == text


def test_a_local_class_goes_by_its_name() -> None:
    class Inner: ...

    assert kind_name(Inner) == "Inner"
