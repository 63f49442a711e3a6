"""What the tests of built-in plugins share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness


@pytest.fixture
def told() -> list[Any]:
    """What dependencies and tasks have said, in order."""
    return []


@pytest.fixture
def run(harness: Harness) -> Callable[..., Any]:
    """Adds a task and works it off; returns its handle."""

    def run(task: Any, *args: Any, **kwargs: Any) -> Any:
        handle = harness.do(task.add_task(*args, **kwargs))
        harness.work()
        return harness.do(handle.wait(timeout=10))

    return run
