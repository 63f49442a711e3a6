"""Plugins that misbehave when they are told to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qtasks.testing import FakeClock, RaisingPlugin, SlowPlugin, make_app, run_task


def test_a_plugin_raises_at_every_trigger(caplog: pytest.LogCaptureFixture) -> None:
    plugin = RaisingPlugin()
    app = make_app(plugins=[plugin])
    app.task(name="add")(lambda: 5)
    assert run_task(app, "add").returning == 5
    assert plugin.raised > 5
    assert "raised on purpose in worker_start" in caplog.text


@pytest.mark.parametrize(
    ("on", "raised"), [("worker_start", 1), (["start", "worker_stop", "stop"], 3)]
)
def test_a_plugin_raises_where_it_is_told_to(on: Any, raised: int) -> None:
    plugin = RaisingPlugin(on=on, error=OSError("no disk"))
    app = make_app(plugins=[plugin])
    app.task(name="add")(lambda: 5)
    assert run_task(app, "add").returning == 5
    app.close()
    assert plugin.raised == raised


def test_a_plugin_raises_what_it_is_told_to() -> None:
    with pytest.raises(OSError, match="no disk"):
        RaisingPlugin(error=OSError("no disk")).trigger("worker_start")
    with pytest.raises(LookupError):
        RaisingPlugin(on="start", error=LookupError).start()


def test_a_plugin_takes_its_time() -> None:
    clock = FakeClock()
    plugin = SlowPlugin(5, on=["start", "worker_start", "stop"], clock=clock)

    async def run() -> None:
        for call in (plugin.start(), plugin.trigger("worker_start"), plugin.stop()):
            waiting = asyncio.ensure_future(call)
            await asyncio.sleep(0)
            clock.advance(4)
            await asyncio.sleep(0)
            assert not waiting.done()
            clock.advance(1)
            await waiting
        await plugin.trigger("worker_stop")

    asyncio.run(run())
    assert (plugin.begun, plugin.ended) == (3, 3)


def test_a_plugin_is_slow_by_the_clock_of_the_machine() -> None:
    plugin = SlowPlugin(0.001)
    asyncio.run(plugin.trigger("worker_start"))
    asyncio.run(plugin.start())
    assert plugin.ended == 1


def test_names_tell_them_apart() -> None:
    app = make_app(plugins=[RaisingPlugin(on="stop"), SlowPlugin(0, on="stop", name="snail")])
    assert list(app.plugins) == ["RaisingPlugin", "snail"]
