"""Breakers: when they open, what they let through, and many that use one at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks_plugin_retry import Breaker, Retry
from qtasks_plugin_retry.boards import LocalBoard, StorageBoard
from qtasks_plugin_retry.breaker import Standing, opened, phase_of, trips
from qtasks_plugin_retry.circuit import Circuit, Pass

if TYPE_CHECKING:
    from qtasks_plugin_retry.boards import Board


@pytest.mark.parametrize(
    ("fields", "counts", "why"),
    [
        ({}, (10, 9, 9), ""),
        ({}, (10, 10, 1), "10 of 20 runs failed"),
        ({}, (11, 10, 1), ""),
        ({}, (0, 19, 19), ""),
        ({"min_calls": 2}, (1, 1, 1), "1 of 2 runs failed"),
        ({"consecutive": 3}, (9, 3, 3), "3 failures in a row"),
        ({"consecutive": 3}, (9, 3, 2), ""),
        ({"consecutive": 3, "failure_ratio": None}, (0, 99, 2), ""),
    ],
)
def test_when_it_opens(fields: dict[str, Any], counts: tuple[int, int, int], why: str) -> None:
    assert trips(Breaker("b", **fields), *counts) == why


@given(
    cooldown=st.floats(0.1, 1e5),
    now=st.floats(0, 1e9),
    hold=st.none() | st.floats(0.1, 1e5),
    generation=st.integers(0, 10**6),
)
def test_it_stays_open_for_its_time(
    cooldown: float, now: float, hold: float | None, generation: int
) -> None:
    breaker, before = Breaker("b", cooldown=cooldown), Standing(generation)
    after = opened(breaker, before, now, "why", failures=1, hold=hold)

    assert after.generation == generation + 1
    assert phase_of(after, now) == "open"
    assert phase_of(after, after.until) == "half-open"
    least, most = (0.9 * cooldown, 1.1 * cooldown) if hold is None else (hold, hold)
    assert least - 1e-6 <= after.until - now <= most + 1e-6


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"name": ""}, ValueError, r"Breaker\(''\): use a name, such as 'payments'"),
        ({"failure_ratio": 0}, ValueError, r"failure_ratio=0\): use a number above 0 and up to 1"),
        ({"failure_ratio": 50}, ValueError, r"failure_ratio=50\): use a number above 0"),
        ({"failure_ratio": None}, ValueError, "it would never open; give one of them"),
        ({"min_calls": 0}, ValueError, r"Breaker\(min_calls=0\): use a whole number from 1 up"),
        ({"consecutive": 2.5}, TypeError, r"consecutive=2.5\): use a whole number from 1 up"),
        ({"window": 0}, ValueError, r"Breaker\(window=0\): use seconds above 0"),
        ({"cooldown": -1}, ValueError, r"Breaker\(cooldown=-1\): use a number from 0 up"),
        ({"probes": 0}, ValueError, r"Breaker\(probes=0\): use a whole number from 1 up"),
        ({"failures": [5]}, TypeError, r"failures=...\): 5 is no exception class"),
        ({"shared": "yes"}, TypeError, r"Breaker\(shared='yes'\): use True or False"),
    ],
)
def test_what_cannot_be_is_refused(
    fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Breaker(**{"name": "b", **fields})


def test_a_name_alone_is_no_breaker() -> None:
    with pytest.raises(TypeError, match=r"breaker='pay'\): use Breaker\('pay'\), or None"):
        Retry(breaker="pay")  # type: ignore[arg-type]  # what is refused


# At work


@pytest.fixture(params=["local", "memory", "sqlite", "redis"])
def circuits(request: pytest.FixtureRequest, open_storage: Any) -> Any:
    """Makes two circuits of one breaker, as two workers have them."""

    async def make(**fields: Any) -> tuple[Circuit, Circuit]:
        board: Board = LocalBoard()
        other = board
        if request.param != "local":
            one = await open_storage(request.param)
            two = one if request.param == "memory" else await open_storage(request.param)
            board, other = StorageBoard(one), StorageBoard(two)
        breaker = Breaker("b", **{"consecutive": 2, "shared": request.param != "local", **fields})
        return Circuit(breaker, board), Circuit(breaker, other)

    return make


async def entered(circuit: Circuit, now: float) -> Pass:
    given = await circuit.enter(now)
    assert isinstance(given, Pass)
    return given


async def test_open_half_open_closed(circuits: Any) -> None:
    one, two = await circuits()
    for circuit in (one, two):
        await circuit.failed(await entered(circuit, 100.0), 100.0)

    wait = await two.enter(100.0)
    assert isinstance(wait, float)
    assert 27 <= wait <= 33
    probe = await entered(one, 134.0)
    assert await two.enter(134.0) == 7.5
    await one.succeeded(probe, 135.0)

    assert not (await entered(two, 136.0)).probe
    assert (await two.standing(136.0)).closed


async def test_a_probe_that_fails_opens_it_again(circuits: Any) -> None:
    one, two = await circuits()
    for _ in range(2):
        await one.failed(await entered(one, 100.0), 100.0)
    await one.failed(await entered(one, 134.0), 134.0)

    wait = await two.enter(134.0)
    assert isinstance(wait, float)
    assert 27 <= wait <= 33


async def test_one_probe_of_many_who_ask_is_let_through(circuits: Any) -> None:
    both = await circuits()
    for _ in range(2):
        await both[0].failed(await entered(both[0], 100.0), 100.0)

    answers = await asyncio.gather(*(both[n % 2].enter(134.0) for n in range(20)))
    assert sum(isinstance(answer, Pass) for answer in answers) == 1
    # Its worker is never heard of again, so there is another after a cooldown.
    later = await asyncio.gather(*(both[n % 2].enter(168.0) for n in range(20)))
    assert sum(isinstance(answer, Pass) for answer in later) == 1


async def test_a_probe_that_says_nothing_makes_room_for_another(circuits: Any) -> None:
    one, two = await circuits()
    for _ in range(2):
        await one.failed(await entered(one, 100.0), 100.0)
    await one.undecided(await entered(one, 134.0))

    assert (await entered(two, 134.0)).probe


async def test_failures_at_the_same_time_open_it_once(circuits: Any) -> None:
    both = await circuits()
    given = [await entered(circuit, 100.0) for circuit in both for _ in range(10)]

    await asyncio.gather(*(both[n % 2].failed(each, 100.0) for n, each in enumerate(given)))

    standing = await both[0].standing(100.0)
    assert (standing.generation, standing.closed) == (1, False)


async def test_a_success_ends_a_row_of_failures(circuits: Any) -> None:
    one, _ = await circuits()
    for _ in range(5):
        await one.failed(await entered(one, 100.0), 100.0)
        await one.succeeded(await entered(one, 100.0), 100.0)

    assert (await one.standing(100.0)).closed
    assert await one.counted(100.0) == 5
    assert await one.counted(200.0) == 0


async def test_news_of_runs_that_began_before_it_opened_change_nothing(circuits: Any) -> None:
    one, two = await circuits()
    early = await entered(two, 100.0)
    for _ in range(2):
        await one.failed(await entered(one, 100.0), 100.0)
    before = await two.standing(140.0)

    await two.failed(early, 140.0)
    await two.succeeded(early, 140.0)

    assert await one.standing(140.0) == before


async def test_what_an_exception_says_opens_it_for_so_long(circuits: Any) -> None:
    one, two = await circuits()
    await one.failed(await entered(one, 100.0), 100.0, hold=77.0)

    assert await two.enter(100.0) == 77.0


async def test_what_was_half_open_a_moment_ago_is_looked_at_again() -> None:
    breaker = Breaker("b", consecutive=1, cooldown=10, shared=True)
    board = LocalBoard()
    one, other = Circuit(breaker, board), Circuit(breaker, board)
    await one.failed(Pass(0), 0)
    until = (await one.standing(0)).until

    probe = await one.enter(until + 9.5)
    assert isinstance(probe, Pass)
    assert isinstance(await other.enter(until + 9.6), float)
    await one.failed(probe, until + 9.7)

    # Its cooldown is over in what the other one remembers, and another probe would be due.
    assert await other.enter(until + 10.1) > 8
