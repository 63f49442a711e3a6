"""Brokers that speak badly of themselves, and the tests that catch them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.schemas import Finding

if TYPE_CHECKING:
    from builtins import list as List  # noqa: N812 - a storage has a method of that name
    from collections.abc import Callable

    from qtasks.typing import Clock


class NoFindings(MemoryBroker):
    async def diagnose(self) -> list[Finding]:
        return cast("list[Finding]", ["server: fine."])


class NoLevel(MemoryBroker):
    async def diagnose(self) -> list[Finding]:
        return [Finding(cast("Any", "fatal"), "server", "It is gone.", "Start it.")]


class NoSubject(MemoryBroker):
    async def diagnose(self) -> list[Finding]:
        return [Finding("ok", "", "It is well.")]


class NoSentence(MemoryBroker):
    async def diagnose(self) -> list[Finding]:
        return [Finding("ok", "server", "7.0")]


class NoFix(MemoryStorage):
    async def diagnose(self) -> List[Finding]:
        return [Finding("warning", "disk", "2 % are free.")]


class ManyLines(MemoryBroker):
    async def diagnose(self) -> list[Finding]:
        return [Finding("ok", "settings", "maxmemory: 0\nsave: 3600 1.")]


class TellsThePassword(MemoryBroker):
    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.url = "memory://me:p%40ss@here"

    async def diagnose(self) -> list[Finding]:
        return [Finding("ok", "password", "It is p@ss.")]


class TellsTheArguments(MemoryBroker):
    async def diagnose(self) -> list[Finding]:
        first = next(iter(self._server.store.rows.values()))
        return [Finding("ok", "oldest task", f"It carries {first.message.payload!r}.")]


class WritesAProbe(MemoryBroker):
    async def diagnose(self) -> list[Finding]:
        await self.storage.state_update("bucket", {"probe": b"1"})
        return []


class Removes(MemoryStorage):
    async def diagnose(self) -> List[Finding]:
        await self.flush()
        return []


class SaysItOnce(MemoryBroker):
    said = False

    async def diagnose(self) -> list[Finding]:
        found = [] if self.said else [Finding("ok", "server", "It is well.")]
        self.said = True
        return found


class TwinsSuspend(MemoryBroker):
    async def diagnose(self) -> list[Finding]:
        if self._blocking:
            await asyncio.sleep(0)
        return []


CATCHES: dict[Callable[..., Any], str] = {
    NoFindings: "a_finding_says_what_and_what_to_do",
    NoLevel: "a_finding_says_what_and_what_to_do",
    NoSubject: "a_finding_says_what_and_what_to_do",
    NoSentence: "a_finding_says_what_and_what_to_do",
    NoFix: "a_finding_says_what_and_what_to_do",
    ManyLines: "a_finding_says_what_and_what_to_do",
    TellsThePassword: "a_diagnosis_tells_no_secrets",
    TellsTheArguments: "a_diagnosis_tells_no_secrets",
    WritesAProbe: "a_diagnosis_only_reads",
    Removes: "a_diagnosis_only_reads",
    SaysItOnce: "a_diagnosis_only_reads",
    TwinsSuspend: "a_twin_makes_the_same_diagnosis",
}


@pytest.mark.parametrize("broken", CATCHES, ids=lambda broken: broken.__name__)
def test_the_suite_catches(broken: Any, fails: Callable[..., Any]) -> None:
    for name in CATCHES[broken].split():
        assert fails(broken, f"test_{name}"), name
