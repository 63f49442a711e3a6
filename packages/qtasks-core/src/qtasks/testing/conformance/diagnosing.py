"""What a server says about its own fitness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from qtasks.contracts.broker import BaseBroker
from qtasks.schemas import Finding, RecordQuery
from qtasks.testing.conformance.base import Conformance, complete, needs

if TYPE_CHECKING:
    from qtasks.contracts.storage import BaseStorage

__all__ = ["Diagnosing"]

#: What a message must not hold: a value that only arguments of tasks have here.
_PAYLOAD = b"a-payload-that-is-nobodys-business"


class Diagnosing(Conformance):
    """Rules of ``diagnose``."""

    async def store(self, server: BaseBroker | BaseStorage) -> None:
        """Gives the server something to keep."""
        message = self.message(payload=_PAYLOAD)
        if isinstance(server, BaseBroker):
            await server.publish([message])
        else:
            await server.put([message], scheduled=True)

    async def contents(self, server: BaseBroker | BaseStorage) -> list[Any]:
        """Returns all that a look from outside shows of a server."""
        seen: list[Any] = []
        if isinstance(server, BaseBroker):
            seen += [await server.queues(), await server.workers()]
        storage = server.storage if isinstance(server, BaseBroker) else server
        if storage is not None:
            seen += [await storage.list(RecordQuery()), await storage.state_get("bucket")]
        counted = await server.stats(self.QUEUE)
        return [*seen, (counted.ready, counted.delayed, counted.leased, counted.paused)]

    async def test_a_finding_says_what_and_what_to_do(
        self, server: BaseBroker | BaseStorage
    ) -> None:
        """Each finding has a level, a subject and a sentence; what is not ok has a fix.

        If this fails: name the thing in a few words, say in one line with a full stop what was
        seen, and say what to change unless all is well.
        """
        await self.store(server)
        for finding in await self.soon(server.diagnose()):
            assert isinstance(finding, Finding)
            assert finding.level in {"ok", "warning", "error"}, finding
            assert 0 < len(finding.subject) <= 40, finding
            assert finding.message.endswith("."), finding
            assert finding.fix or finding.level == "ok", finding
            assert "\n" not in f"{finding.subject}{finding.message}{finding.fix}", finding

    async def test_a_diagnosis_tells_no_secrets(self, server: BaseBroker | BaseStorage) -> None:
        """Neither the password of the URL nor what tasks carry is in a finding.

        If this fails: show addresses without passwords, and counts instead of contents.
        """
        await self.store(server)
        password = urlsplit(server.url).password or ""
        secrets = [text for text in (password, unquote(password), _PAYLOAD.decode()) if text]
        for finding in await server.diagnose():
            text = f"{finding.subject} {finding.message} {finding.fix}"
            assert not any(secret in text for secret in secrets), finding.subject

    async def test_a_diagnosis_only_reads(self, server: BaseBroker | BaseStorage) -> None:
        """A look changes nothing, and a second one sees the same things.

        If this fails: ask for settings and counts only; write no probe, create no queue.
        """
        await self.store(server)
        before = await self.contents(server)
        first = await server.diagnose()
        second = await server.diagnose()
        assert await self.contents(server) == before
        assert [f.subject for f in first] == [f.subject for f in second]

    @needs("blocking")
    async def test_a_twin_makes_the_same_diagnosis(self, server: BaseBroker | BaseStorage) -> None:
        """A blocking twin looks at the same things.

        If this fails: let ``diagnose`` of the twin block the thread, and never suspend.
        """
        twin = server.client()
        assert twin is not None
        complete(twin.start())
        try:
            found = complete(twin.diagnose())
        finally:
            complete(twin.stop())
        assert [f.subject for f in found] == [f.subject for f in await server.diagnose()]
