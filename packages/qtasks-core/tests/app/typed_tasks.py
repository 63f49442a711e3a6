"""Functions with models that another process can find; the annotations are text."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pydantic

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclasses.dataclass
class Point:
    x: int
    y: int


class User(pydantic.BaseModel):
    name: str
    age: int = 3


def move(point: Point, user: User) -> Point:
    """Returns a point that is farther by the user's age."""
    assert isinstance(point, Point)
    return Point(point.x + user.age, point.y)


def walk(points: list[Point]) -> Iterator[Point]:
    """Yields points one farther."""
    for point in points:
        yield Point(point.x + 1, point.y)


def plain(x: int) -> int:
    """Returns a number."""
    return x
