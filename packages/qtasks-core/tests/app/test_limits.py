"""What exceeds a limit is refused in the caller, and nothing is written on any server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qtasks.contracts.codec import encode_arguments
from qtasks.exc import EncodeError, PayloadTooLargeError, TaskArgumentsError
from qtasks.schemas import CallOptions, TaskCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness


def nested(levels: int) -> Any:
    """Returns lists in lists, so many levels deep."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (["x" * 10_000], {}, PayloadTooLargeError, "over the limit of 10,000"),
        ([nested(70)], {}, EncodeError, "nested deeper than 64 levels"),
        ([nested(10_000)], {}, EncodeError, "nested deeper than 64 levels"),
        ([], {"headers": {"a": "b" * 16_384}}, PayloadTooLargeError, "over the limit of 16,384"),
        ([], {"headers": {"a": "\ud800"}}, TaskArgumentsError, "is not text"),
    ],
)
def test_what_exceeds_a_limit_is_refused_and_nothing_is_written(
    make_harness: Callable[..., Harness],
    arguments: list[Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    """Alone, and among others that are within all limits."""
    harness = make_harness(max_payload=10_000)
    call = TaskCall("anything", tuple(arguments), options=CallOptions(**options))

    for add in (
        lambda: harness.app.add_tasks([call]),
        lambda: harness.app.add_tasks([TaskCall("anything"), call, TaskCall("anything")]),
    ):
        with pytest.raises(error, match=message):
            harness.do(add())

    assert harness.do(harness.app.list_tasks())[0] == []


def test_what_just_fits_is_taken(make_harness: Callable[..., Harness]) -> None:
    harness = make_harness(max_payload=10_000)
    around = len(encode_arguments((("",), {}), "")) + 2  # a longer text has a longer length

    handle = harness.do(harness.app.add_task("anything", "x" * (10_000 - around)))

    assert handle.status == "new"
