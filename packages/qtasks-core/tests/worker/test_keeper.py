from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from qtasks._worker.keeper import Keeper
from qtasks.adapters.memory import MemoryBroker
from qtasks.schemas import Extension, Held, Presence, Swept

if TYPE_CHECKING:
    import pytest

    from qtasks.exc import ServerError


class OnTheLoop(MemoryBroker):
    """Has no twin, and a driver that lets an error of its own pass, once."""

    failed = False

    def client(self) -> Self | None:  # type: ignore[override]  # the one in memory has a twin
        return None

    async def sweep(self, limit: int = 100) -> Swept:
        if not self.failed:
            self.failed = True
            raise LookupError
        return await super().sweep(limit)


class Target:
    def __init__(self) -> None:
        self.heard = asyncio.Event()

    def held(self) -> list[Held]:
        return []

    def presence(self) -> Presence:
        return Presence("w", host="h", pid=1, queues=("q",), slots=1, running=0, started_at=0.0)

    def kept(self, held: list[Held], extension: Extension, swept: Swept) -> None:
        self.heard.set()

    def doomed(self, error: ServerError) -> None:
        raise AssertionError(error)


async def test_a_keeper_on_the_loop_survives_what_it_did_not_expect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given: a broker without a twin, whose driver fails as no driver should
    target = Target()
    keeper = Keeper(OnTheLoop(), target, lease=0.03)

    # when: the keeper meets that
    keeper.start()
    await target.heard.wait()
    await keeper.stop()

    # then: it says so, and the next round is made all the same
    assert "The keeper failed; it goes on" in caplog.text
