"""Budgets: what they allow, and the tokens that many take at once."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks_plugin_retry import Budget, Retry
from qtasks_plugin_retry.boards import LocalBoard, StorageBoard
from qtasks_plugin_retry.purse import Purse

if TYPE_CHECKING:
    from qtasks_plugin_retry.boards import Board

budgets = st.builds(
    Budget,
    ratio=st.floats(0, 5),
    min_per_second=st.floats(1, 1000),
    per=st.floats(1, 3600),
)


@given(budget=budgets, time=st.floats(0, 1e10))
def test_every_time_is_in_one_period(budget: Budget, time: float) -> None:
    period = budget.period(time)

    slack = 1e-6 * max(budget.per, 1)
    assert budget.begins(period) - slack <= time <= budget.begins(period + 1) + slack


@given(budget=budgets, first=st.integers(0, 10**9), share=st.floats(0, 1))
def test_postponed_retries_are_spread_over_their_period(
    budget: Budget, first: int, share: float
) -> None:
    room = budget.room(first)
    token = max(1, int(room * share))

    assert room >= 1
    assert budget.begins(7) <= budget.due(7, token, room) < budget.begins(8)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"name": ""}, ValueError, r"Budget\(''\): use a name"),
        ({"name": 5}, TypeError, r"Budget\(5\): use a name"),
        ({"ratio": -1}, ValueError, r"Budget\(ratio=-1\): use a number from 0 up"),
        ({"per": "60"}, TypeError, r"Budget\(per='60'\): use a number"),
        ({"per": 0}, ValueError, r"per=0\): that is less than one retry"),
        ({"min_per_second": 0.001}, ValueError, "that is less than one retry in a period"),
        ({"shared": 1}, TypeError, r"Budget\(shared=1\): use True or False"),
    ],
)
def test_what_cannot_be_is_refused(
    fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Budget(**fields)


def test_a_name_alone_is_no_budget() -> None:
    with pytest.raises(TypeError, match=r"budget='mail'\): use Budget\('mail'\), or None"):
        Retry(budget="mail")  # type: ignore[arg-type]  # what is refused


# Tokens


@pytest.fixture(params=["local", "memory", "sqlite", "redis"])
def boards(request: pytest.FixtureRequest, open_storage: Any) -> Any:
    """Makes two views of one board, in a loop."""

    async def make() -> tuple[Board, Board]:
        if request.param == "local":
            board = LocalBoard()
            return board, board
        one = await open_storage(request.param)
        two = one if request.param == "memory" else await open_storage(request.param)
        return StorageBoard(one), StorageBoard(two)

    return make


async def test_tokens_are_taken_once_by_however_many(boards: Any) -> None:
    budget = Budget(ratio=0, min_per_second=1, per=10, shared=True)
    one, two = await boards()
    purses = [Purse("b", budget, board) for board in (one, two)]

    delays = await asyncio.gather(*(purses[n % 2].postpone(1.0, 1000.0, None) for n in range(60)))

    periods = [budget.period(1000.0 + delay) for delay in delays]
    assert sorted(periods) == [period for period in range(100, 106) for _ in range(10)]
    assert delays.count(1.0) == 10


async def test_first_runs_add_to_it(boards: Any) -> None:
    budget = Budget(ratio=0.5, min_per_second=1, per=10)
    one, two = await boards()
    purse, other = Purse("b", budget, one), Purse("b", budget, two)

    for _ in range(20):
        await purse.began(1000.0)
    await purse.postpone(0.0, 1001.0, None)

    assert await other.left(1002.0) == (19, 20)
    assert await other.left(1012.0) == (20, 20)
    assert await other.left(1022.0) == (10, 10)


async def test_no_token_is_taken_for_a_time_that_is_too_late(boards: Any) -> None:
    budget = Budget(ratio=0, min_per_second=0.1, per=10)
    purse = Purse("b", budget, (await boards())[0])
    await purse.postpone(0.0, 1000.0, None)

    assert await purse.postpone(0.0, 1000.0, 5.0) == 10.0
    assert await purse.left(1010.0) == (1, 1)


async def test_reset_gives_the_tokens_back(boards: Any) -> None:
    budget = Budget(ratio=0, min_per_second=0.1, per=10)
    purse = Purse("b", budget, (await boards())[0])
    assert await purse.postpone(0.0, 1000.0, None) == 0.0
    assert await purse.postpone(0.0, 1000.0, None) == 10.0

    await purse.reset(1000.0)

    assert await purse.left(1000.0) == (1, 1)
    assert await purse.postpone(0.0, 1000.0, None) == 0.0


def test_threads_that_share_a_board_lose_nothing() -> None:
    board = LocalBoard()

    def count() -> None:
        async def many() -> None:
            for _ in range(500):
                await board.add("c", 1, 60)

        asyncio.run(many())

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert asyncio.run(board.add("c", 0, 60)) == 4000


async def test_a_board_forgets_what_is_over() -> None:
    now = [0.0]
    board = LocalBoard(lambda: now[0])
    assert await board.add("a", 5, 10) == 5
    now[0] = 9.0
    assert await board.add("a", 1, 10) == 6
    now[0] = 10.0
    assert await board.add("a", 1, 10) == 1
    for number in range(5000):
        now[0] += 10
        await board.add(str(number), 1, 5)

    assert len(board) <= 1001
