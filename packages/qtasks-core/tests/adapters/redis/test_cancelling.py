"""Whoever gives up a call is free at once, at whatever step of it that happens."""

from __future__ import annotations

import asyncio

import pytest

from qtasks.adapters.redis.links import LoopLink
from qtasks.adapters.redis.url import parse_url


@pytest.mark.parametrize("connected", [False, True])
async def test_a_wait_at_the_server_ends_when_it_is_cancelled(valkey: str, connected: bool) -> None:
    """Before Python 3.12, asyncio.wait_for() may lose a cancellation; then nothing would end it."""
    for steps in range(40):
        link = LoopLink(parse_url(valkey))
        if connected:
            await link.block("PING")
        wait = asyncio.create_task(link.block("BLPOP", "qtasks:nothing", "60"))
        for _ in range(steps):
            await asyncio.sleep(0)
        wait.cancel()

        await asyncio.wait([wait])

        assert wait.cancelled(), f"the cancellation was lost after {steps} steps"
        await link.close()
