"""State and counters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qtasks.testing.conformance.base import LEASE, Conformance, complete, in_thread, needs

if TYPE_CHECKING:
    from qtasks.testing.conformance.lines import Line

__all__ = ["State"]


class State(Conformance):
    """Rules of the buckets and counters."""

    async def test_a_bucket_keeps_its_order(self, line: Line) -> None:
        """A bucket lists its keys in the order they were first set.

        If this fails: a new value for an old key does not move it.
        """
        storage = line.storage
        assert await storage.state_get("b") == {}
        await storage.state_update("b", {"z": b"1", "a": b"2"})
        await storage.state_update("b", {"m": b"3", "z": b"4"})
        content = await storage.state_get("b")
        assert list(content.items()) == [("z", b"4"), ("a", b"2"), ("m", b"3")]

    async def test_an_update_answers_with_the_bucket(self, line: Line) -> None:
        """An update returns the whole bucket as it is after it; None deletes a key.

        If this fails: change and read in one step.
        """
        storage = line.storage
        assert await storage.state_update("b", {"a": b"1", "b": b"2"}) == {"a": b"1", "b": b"2"}
        assert await storage.state_update("b", {"a": None, "c": b""}) == {"b": b"2", "c": b""}
        assert await storage.state_update("b", {"nothing": None}) == {"b": b"2", "c": b""}
        assert await storage.state_update("b", {}) == {"b": b"2", "c": b""}
        assert await storage.state_update("b", {"b": None, "c": None}) == {}
        assert await storage.state_get("b") == {}

    async def test_a_deleted_key_that_comes_back_is_last(self, line: Line) -> None:
        """A key that was deleted is first set when it is set again.

        If this fails: forget the place of a key with the key.
        """
        storage = line.storage
        await storage.state_update("b", {"a": b"1", "b": b"2"})
        await storage.state_update("b", {"a": None})
        assert list(await storage.state_update("b", {"a": b"3"})) == ["b", "a"]

    async def test_buckets_are_apart(self, line: Line) -> None:
        """Buckets do not see each other, whatever their names.

        If this fails: escape names instead of joining them with a separator.
        """
        storage = line.storage
        names = ["a", "a:b", "a:", "", "bucket/ü/задача", "A"]
        for name in names:
            await storage.state_update(name, {"name": name.encode(), "b": bytes(range(256))})
        for name in names:
            assert (await storage.state_get(name))["name"] == name.encode()
        await storage.state_clear("a")
        await storage.state_clear("never there")
        assert await storage.state_get("a") == {}
        assert len(await storage.state_get("a:b")) == 2

    async def test_a_bucket_disappears_as_a_whole(self, line: Line) -> None:
        """A ttl counts from the update that set it; one without a ttl keeps what was set.

        If this fails: the ttl belongs to the bucket, not to its keys.
        """
        storage = line.storage
        await storage.state_update("b", {"a": b"1"}, ttl=self.seconds(LEASE))
        await self.later(LEASE * 0.6)
        await storage.state_update("b", {"b": b"2"}, ttl=self.seconds(LEASE))
        await self.later(LEASE * 0.6)
        assert await storage.state_update("b", {"c": b"3"}) == {"a": b"1", "b": b"2", "c": b"3"}
        await self.later(LEASE * 0.6)
        assert await storage.state_get("b") == {}
        assert await storage.state_update("b", {"d": b"4"}) == {"d": b"4"}
        await self.later(LEASE * 2)
        await storage.sweep()
        assert await storage.state_get("b") == {"d": b"4"}

    async def test_a_bucket_is_a_copy(self, line: Line) -> None:
        """What was returned may be changed without changing what is stored.

        If this fails: hand out copies.
        """
        content = await line.storage.state_update("b", {"a": b"1"})
        content["x"] = b"x"
        content = await line.storage.state_get("b")
        content.clear()
        assert await line.storage.state_get("b") == {"a": b"1"}

    async def test_counters_add_up(self, line: Line) -> None:
        """A counter starts at 0, adds what it is told to, and 0 reads it.

        If this fails: an amount of 0 must not create the counter.
        """
        storage = line.storage
        assert await storage.counter_add("c", 0) == 0
        assert await storage.counter_add("c", 5) == 5
        assert await storage.counter_add("c", -7) == -2
        assert await storage.counter_add("c", 0) == -2
        assert await storage.counter_add("d", 1) == 1

    async def test_a_counter_disappears_after_its_first_use(self, line: Line) -> None:
        """A counter's ttl counts from its first use; later ones do not prolong it.

        If this fails: set the ttl only when the counter is created. That makes it a window.
        """
        storage = line.storage
        await storage.counter_add("c", 0, ttl=self.seconds(LEASE * 9))
        await storage.counter_add("c", 1, ttl=self.seconds(LEASE))
        await self.later(LEASE * 0.6)
        assert await storage.counter_add("c", 1, ttl=self.seconds(LEASE)) == 2
        await self.later(LEASE * 0.6)
        assert await storage.counter_add("c", 1, ttl=self.seconds(LEASE)) == 1
        await storage.counter_add("d", 1)
        await self.later(LEASE * 2)
        assert await storage.counter_add("d", 0) == 1

    async def test_counters_lose_nothing(self, line: Line) -> None:
        """Additions at the same time all count, and no two of them see the same value.

        If this fails: add on the server, in one step.
        """
        adds = [line.storage.counter_add("c", 1) for _ in range(50)]
        values = await self.soon(asyncio.gather(*adds))
        assert sorted(values) == list(range(1, 51))

    async def test_updates_lose_nothing(self, line: Line) -> None:
        """Updates of different keys at the same time all stay.

        If this fails: do not read, change and write back the bucket in separate steps.
        """
        updates = [line.storage.state_update("b", {f"k{n}": b"v"}) for n in range(50)]
        await self.soon(asyncio.gather(*updates))
        assert len(await line.storage.state_get("b")) == 50

    @needs("blocking")
    async def test_threads_lose_nothing(self, line: Line) -> None:
        """Additions from several threads through one twin all count.

        If this fails: a twin may be used from any thread at any time.
        """
        twin = line.storage.client()
        assert twin is not None
        complete(twin.start())

        def add() -> list[int]:
            return [complete(twin.counter_add("c", 1)) for _ in range(25)]

        lists = await self.soon(asyncio.gather(*[in_thread(add) for _ in range(4)]))
        values = [value for values in lists for value in values]
        assert sorted(values) == list(range(1, 101))
        complete(twin.stop())

    async def test_a_flush_clears_everything(self, line: Line) -> None:
        """A storage's flush removes records, state and counters.

        If this fails: a key of its namespace is left.
        """
        await line.add(message := self.message())
        await line.storage.state_update("b", {"a": b"1"})
        await line.storage.counter_add("c", 1)
        await line.storage.flush()
        assert await line.gone(message.id)
        assert await line.storage.state_get("b") == {}
        assert await line.storage.counter_add("c", 0) == 0
