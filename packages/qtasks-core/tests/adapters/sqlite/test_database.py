"""Transactions: what they hold together, and what happens when they cannot be."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import opening
from qtasks.exc import ServerError, ServerUnavailableError
from qtasks.schemas import Message, Settlement, Success, TaskStatusEnum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qtasks.adapters.sqlite import SqliteBroker


def writer(broker: SqliteBroker) -> sqlite3.Connection:
    """Returns the connection that the broker writes with."""
    database = broker._engine._database
    with database._writer.lock:
        return database._connection(database._writer)


@pytest.fixture
def commits(broker: SqliteBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Lists the commits of a broker, which takes its time."""
    monkeypatch.setattr("qtasks.adapters.sqlite.database._TURN", 1e6)
    texts: list[str] = []
    conn = writer(broker)
    conn.set_trace_callback(lambda text: texts.append(text) if text == "COMMIT" else None)
    yield texts
    conn.set_trace_callback(None)


async def held_up(broker: SqliteBroker, calls: list[Any]) -> list[Any]:
    """Starts calls while the writing thread is held up, so that all of them wait for it."""
    entered, gate = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        entered.set()
        gate.wait()

    blocker = broker._engine._writes.submit(hold)
    await asyncio.to_thread(entered.wait)
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wrap_future(blocker)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_waits_is_committed_together(
    broker: SqliteBroker, commits: list[str], message: Callable[..., Message]
) -> None:
    messages = [message() for _ in range(50)]
    results = await held_up(broker, [broker.publish([one]) for one in messages])
    assert [receipt.created for (receipt,) in results] == [True] * 50
    assert len(commits) == 2  # one of them is the blocker's own
    assert (await broker.stats("q")).ready == 50


async def test_a_job_that_fails_does_not_spoil_the_others(
    broker: SqliteBroker, commits: list[str], message: Callable[..., Message]
) -> None:
    good, bad, late = message(), message(), message()
    unfit = Message(id=bad.id, task="t", queue="q", payload=object())  # type: ignore[arg-type]
    results = await held_up(
        broker,
        [broker.publish([good]), broker.publish([message(), unfit]), broker.publish([late])],
    )
    assert isinstance(results[1], ServerError)
    assert not results[1].retriable
    assert isinstance(results[1].__cause__, sqlite3.Error)
    assert len(commits) == 2
    ids = [one.id for one in (await broker.storage.get([good.id, bad.id, late.id])) if one]
    assert ids == [good.id, late.id]
    assert (await broker.stats("q")).ready == 2


async def test_a_cancelled_call_is_not_begun(
    broker: SqliteBroker, message: Callable[..., Message]
) -> None:
    first, second = message(), message()

    async def give_up() -> None:
        task = asyncio.ensure_future(broker.publish([first]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await held_up(broker, [give_up(), broker.publish([second])])
    assert [one is None for one in await broker.storage.get([first.id, second.id])] == [True, False]


@pytest.mark.parametrize("exchange", [False, True])
async def test_what_a_cancelled_claim_took_goes_back(
    exchange: bool,
    broker: SqliteBroker,
    message: Callable[..., Message],
    request_for: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody knows of these deliveries, and their tasks are no suspects."""
    await broker.publish([message() for _ in range(3)])
    entered, gate = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        entered.set()
        gate.wait()

    monkeypatch.setattr(broker._engine._database, "_committed", slow)
    call = broker.exchange([], request_for(2)) if exchange else broker.claim(request_for(2))
    claiming = asyncio.ensure_future(call)
    await asyncio.to_thread(entered.wait)
    claiming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await claiming
    gate.set()
    while (await broker.stats("q")).leased:
        await asyncio.sleep(0)
    deliveries = await broker.claim(request_for(3))
    assert [one.lost for one in deliveries] == [0, 0, 0]


async def test_long_transactions_take_turns(
    broker: SqliteBroker,
    commits: list[str],
    message: Callable[..., Message],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qtasks.adapters.sqlite.database._TURN", -1.0)
    await held_up(broker, [broker.publish([message()]) for _ in range(5)])
    assert len(commits) == 6


async def test_a_bad_message_is_refused_whole(
    broker: SqliteBroker, message: Callable[..., Message]
) -> None:
    with pytest.raises(ServerError):
        await broker.publish([message(), message(payload=None)])
    assert (await broker.stats("q")).ready == 0
    assert await broker.queues() == []


class TestBusy:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(opening.patiently, "__defaults__", (0.02,))

    async def test_other_writers_are_waited_for_but_not_for_ever(
        self, broker: SqliteBroker, path: Path, message: Callable[..., Message]
    ) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ServerUnavailableError, match="busy") as caught:
                await broker.publish([message()])
            assert caught.value.retriable
            assert str(path) in str(caught.value)
            assert (await broker.stats("q")).ready == 0
            other.execute("ROLLBACK")
        await broker.publish([message()])
        assert (await broker.stats("q")).ready == 1

    def test_the_twin_says_the_same(
        self, twin: SqliteBroker, path: Path, message: Callable[..., Message], run: Any
    ) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ServerUnavailableError, match="busy"):
                run(twin.publish([message()]))
        run(twin.publish([message()]))


async def test_a_full_disk(
    broker: SqliteBroker, path: Path, message: Callable[..., Message]
) -> None:
    (before,) = await broker.publish([message()])
    conn = writer(broker)
    (pages,) = conn.execute("PRAGMA page_count").fetchone()
    conn.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    with pytest.raises(ServerUnavailableError, match="disk is full") as caught:
        await broker.publish([message(payload=bytes(100_000))])
    assert str(path) in str(caught.value)
    assert [one is not None for one in await broker.storage.get([before.id])] == [True]
    # Space is back, and it goes on.
    conn.execute("PRAGMA max_page_count = 1000000").fetchall()
    await broker.publish([message(payload=bytes(100_000))])
    assert (await broker.stats("q")).ready == 2
    assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_full_disk_fails_those_who_need_space(
    broker: SqliteBroker, message: Callable[..., Message]
) -> None:
    conn = writer(broker)
    (pages,) = conn.execute("PRAGMA page_count").fetchone()
    conn.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    big = [broker.publish([message(payload=bytes(100_000))]) for _ in range(3)]
    results = await held_up(broker, big)
    assert [type(result) for result in results] == [ServerUnavailableError] * 3
    assert (await broker.stats("q")).ready == 0


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_went_away(
    replaced: bool,
    twin: SqliteBroker,
    path: Path,
    message: Callable[..., Message],
    run: Callable[..., Any],
) -> None:
    run(twin.publish([message()]))
    for one in path.parent.glob("queue.db*"):
        if one.is_file():
            one.unlink()
    if replaced:
        path.touch()
    with pytest.raises(ServerError, match="replaced" if replaced else "deleted") as caught:
        run(twin.publish([message()]))
    assert str(path) in str(caught.value)
    run(twin.stop())
    run(twin.start())
    run(twin.publish([message()]))
    assert run(twin.stats("q")).ready == 1


def test_damage_is_named(
    twin: SqliteBroker, path: Path, message: Callable[..., Message], run: Callable[..., Any]
) -> None:
    run(twin.publish([message() for _ in range(500)]))
    run(twin.stop())
    with closing(sqlite3.connect(path)) as conn:
        ((size,),) = conn.execute("PRAGMA page_size")
        roots = conn.execute(
            "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'task' AND rootpage > 0"
        ).fetchall()
    with path.open("r+b") as file:
        for (page,) in roots:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
    run(twin.start())
    with pytest.raises(ServerError, match="damaged") as caught:
        run(twin.storage.get(["00000000-0000-4000-8000-000000000000"]))
    assert not caught.value.retriable
    assert str(path) in str(caught.value)


async def test_calls_before_start_and_after_stop(
    url: str, broker: SqliteBroker, message: Callable[..., Message]
) -> None:
    await broker.stop()
    for call in (broker.publish([message()]), broker.queues()):
        with pytest.raises(ServerError, match=r"call start\(\) first"):
            await call
    await broker.stop()


def test_an_interrupt_leaves_nothing_half_done(
    twin: SqliteBroker, message: Callable[..., Message], run: Callable[..., Any]
) -> None:
    def struck(unit: Any) -> None:
        unit.conn.execute("DELETE FROM task")
        raise KeyboardInterrupt

    run(twin.publish([message()]))
    with pytest.raises(KeyboardInterrupt):
        run(twin._engine.write(struck))
    assert run(twin.stats("q")).ready == 1
    # Between BEGIN and the block that guards it.
    writer(twin).execute("BEGIN IMMEDIATE")
    run(twin.publish([message()]))
    assert run(twin.stats("q")).ready == 2


async def test_threads_share_a_twin(
    twin: SqliteBroker,
    message: Callable[..., Message],
    request_for: Callable[..., Any],
    run: Callable[..., Any],
) -> None:
    """Eight threads publish, claim and settle through one twin."""
    ended: list[str] = []
    failed: list[BaseException] = []
    lots = [[message() for _ in range(25)] for _ in range(8)]

    def work(lot: list[Message]) -> None:
        try:
            for one in lot:
                run(twin.publish([one]))
                for delivery in run(twin.claim(request_for(2))):
                    done = Settlement(delivery.id, delivery.token, Success(), ttl=1000.0)
                    assert run(twin.settle([done])) == []
                    ended.append(delivery.id)
                    (record,) = run(twin.storage.get([delivery.id]))
                    assert record.status is TaskStatusEnum.SUCCESS
                    assert run(twin.stats("q")).finished > 0
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(lot,)) for lot in lots]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert failed == []
    assert sorted(ended) == sorted(one.id for lot in lots for one in lot)
