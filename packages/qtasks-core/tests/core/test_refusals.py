"""Records whose messages a broker elsewhere did not acknowledge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks._core.split import SplitBroker
from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.adapters.redis import RedisStorage
from qtasks.adapters.sqlite import SqliteStorage
from qtasks.exc import ServerError, ServerUnavailableError
from qtasks.schemas import Claim, Message, Receipt
from qtasks.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from qtasks.contracts.storage import BaseStorage

MESSAGE = Message("00000000-0000-7000-8000-000000000001", "t", "q", b"payload")
OTHER = msgspec.structs.replace(MESSAGE, id="00000000-0000-7000-8000-000000000002")
CLAIM = Claim(("q",), 10, 60.0, "w")


class Moody(MemoryBroker):
    """A broker that fails as it is told, with nothing written."""

    error: ServerError | None = None

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        if self.error is not None:
            raise self.error
        return await super().publish(messages)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def moody(clock: FakeClock) -> Moody:
    return Moody(clock=clock)


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def storage(
    request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[BaseStorage]:
    made: BaseStorage
    if request.param == "memory":
        made = MemoryStorage(clock=clock)
    elif request.param == "sqlite":
        made = SqliteStorage(f"sqlite:///{tmp_path / 'tasks.db'}")
    else:
        made = RedisStorage(request.getfixturevalue("valkey"))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def split(moody: Moody, storage: BaseStorage, clock: FakeClock) -> SplitBroker:
    return SplitBroker(moody, storage, clock)


def refusal(*messages: Message) -> ServerError:
    error = ServerError("too large")
    error.refused = frozenset(message.id for message in messages)
    return error


async def statuses(storage: BaseStorage) -> list[Any]:
    return [record and record.status for record in await storage.get([MESSAGE.id, OTHER.id])]


async def test_what_was_certainly_refused_leaves_no_record(
    split: SplitBroker, moody: Moody, storage: BaseStorage
) -> None:
    moody.error = refusal(MESSAGE)
    with pytest.raises(ServerError, match="too large"):
        await split.publish([MESSAGE, OTHER])
    assert await statuses(storage) == [None, "new"]

    moody.error = None
    (receipt,) = await split.publish([MESSAGE])
    assert receipt.created
    assert [delivery.id for delivery in await split.claim(CLAIM)] == [MESSAGE.id]


async def test_a_task_that_was_added_before_stays(
    split: SplitBroker, moody: Moody, storage: BaseStorage
) -> None:
    await split.publish([MESSAGE])
    moody.error = refusal(MESSAGE)
    with pytest.raises(ServerError, match="too large"):
        await split.publish([MESSAGE])
    assert await statuses(storage) == ["new", None]
    assert [delivery.id for delivery in await split.claim(CLAIM)] == [MESSAGE.id]


async def test_what_may_have_arrived_may_be_added_again_under_its_id(
    split: SplitBroker, moody: Moody, storage: BaseStorage
) -> None:
    moody.error = ServerUnavailableError("no answer")
    with pytest.raises(ServerUnavailableError):
        await split.publish([MESSAGE])
    assert await statuses(storage) == ["new", None]

    moody.error = None
    await split.publish([MESSAGE])
    assert [delivery.id for delivery in await split.claim(CLAIM)] == [MESSAGE.id]


async def test_a_unique_key_is_not_held_by_a_task_that_nobody_runs(
    split: SplitBroker, moody: Moody, clock: FakeClock
) -> None:
    first, second = (
        msgspec.structs.replace(message, unique_key="one") for message in (MESSAGE, OTHER)
    )
    moody.error = ServerUnavailableError("no answer")
    with pytest.raises(ServerUnavailableError):
        await split.publish([first])

    moody.error = None
    (receipt,) = await split.publish([second])
    assert (receipt.id, receipt.created) == (first.id, False)
    clock.advance(1)
    assert [delivery.id for delivery in await split.claim(CLAIM)] == [first.id]


async def test_a_storage_that_fails_too_hides_nothing(
    split: SplitBroker, moody: Moody, storage: BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ServerUnavailableError

    monkeypatch.setattr(storage, "begin", away)
    moody.error = refusal(MESSAGE)
    with pytest.raises(ServerError, match="too large"):
        await split.publish([MESSAGE])
