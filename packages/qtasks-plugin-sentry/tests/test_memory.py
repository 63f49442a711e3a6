"""What is left of runs in the memory of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qtasks_plugin_sentry import SentryPlugin

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("pool", ["loop", "thread"])
def test_nothing_is_kept_of_runs_that_are_over(
    sentry: Any, make_harness: Callable[..., Any], pool: str, url: str
) -> None:
    plugin = SentryPlugin(report="every")
    harness = make_harness(plugin, attempts=2, url=url)

    @harness.app.task(pool=pool, max_time=60)
    def work(number: int) -> None:
        if number % 2:
            msg = "no such thing"
            raise ValueError(msg)

    for number in range(6):
        harness.add(work, number)
    harness.app.run_forever(burst=True)

    assert len(sentry.events) == 6
    # Threads may keep a delivery for a while; what the plugin remembers by it must not keep it.
    left = [vars(memory) for _, memory in vars(plugin)["_states"].values()]
    assert [each for each in left if each] == []
