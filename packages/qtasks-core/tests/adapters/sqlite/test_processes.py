"""Several processes on one file, some of which die."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import SqliteBroker
from qtasks.schemas import Claim

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qtasks.schemas import Message

#: Claims one by one until nothing is left, and says what it got.
WORKER = """
import sys
from qtasks.adapters.sqlite import SqliteBroker
from qtasks.schemas import Claim, Settlement, Success

def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value

url, name = sys.argv[1:]
broker = SqliteBroker(url).client()
run(broker.start())
print("ready", flush=True)
sys.stdin.readline()
while deliveries := run(broker.claim(Claim(("q",), 7, 60.0, name))):
    done = [Settlement(one.id, one.token, Success(name.encode())) for one in deliveries]
    assert run(broker.settle(done)) == []
    for one in deliveries:
        print(one.id)
run(broker.stop())
"""

#: Publishes and settles for ever, in batches, and says what was acknowledged.
VICTIM = """
import sys, uuid
from qtasks.adapters.sqlite import SqliteBroker
from qtasks.schemas import Claim, Message, Settlement, Success

def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value

url, name = sys.argv[1:]
broker = SqliteBroker(url).client()
run(broker.start())
print("ready", flush=True)
done = []
while True:
    messages = [Message(str(uuid.uuid4()), "t", "q", bytes(300)) for _ in range(20)]
    run(broker.publish(messages))
    exchange = run(broker.exchange(done, Claim(("q",), 10, 60.0, name)))
    print(*(one.id for one in messages), "|", *(one.id for one in done), flush=True)
    done = [Settlement(one.id, one.token, Success(), ttl=1e6) for one in exchange.deliveries]
"""

#: Waits for work and says when it comes, again and again.
SLEEPER = """
import sys
from qtasks.adapters.sqlite import SqliteBroker
from qtasks.schemas import Claim

def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value

broker = SqliteBroker(sys.argv[1]).client()
run(broker.start())
print("ready", flush=True)
while True:
    assert run(broker.ready(["q"], 1e6))
    for one in run(broker.claim(Claim(("q",), 10, 60.0, "sleeper"))):
        print(one.id, flush=True)
"""


def test_each_task_goes_to_one_process(
    twin: SqliteBroker,
    url: str,
    message: Callable[..., Message],
    run: Callable[..., Any],
    program: Callable[..., Any],
) -> None:
    messages = [message() for _ in range(1000)]
    run(twin.publish(messages))
    crowd = [program(WORKER, url, f"w{number}") for number in range(4)]
    for one in crowd:
        assert one.hear() == "ready"
    for one in crowd:
        one.tell()
    outputs = [one.process.communicate()[0].split() for one in crowd]
    assert [one.process.returncode for one in crowd] == [0] * 4
    assert Counter(id_ for output in outputs for id_ in output) == Counter(
        one.id for one in messages
    )
    assert run(twin.stats("q")).finished == 1000


@pytest.mark.parametrize("query", ["", "?durability=power"])
def test_nothing_is_lost_when_processes_are_killed(
    path: Path,
    url: str,
    query: str,
    run: Callable[..., Any],
    program: Callable[..., Any],
) -> None:
    """Kills hit at any moment: between and inside transactions, checkpoints, openings."""
    published: set[str] = set()
    settled: set[str] = set()

    def note(line: str) -> None:
        new, _, done = line.partition("|")
        published.update(new.split())
        settled.update(done.split())

    for generation in range(5):
        crowd = [program(VICTIM, url + query, f"v{generation}-{number}") for number in range(3)]
        for one in crowd:
            assert one.hear() == "ready"
        for turn in range(4):
            for one in crowd[turn % 3 :]:
                note(one.hear())
        for one in crowd:
            one.process.kill()
            # The last line may be cut; what it would have said was not acknowledged to anyone.
            for line in one.rest().split("\n")[:-1]:
                note(line)
    twin = SqliteBroker(url).client()
    run(twin.start())
    known = {
        one.id: one for one in run(twin.storage.get(sorted(published | settled))) if one is not None
    }
    assert (published | settled) - set(known) == set()
    assert {id_ for id_ in settled if known[id_].status != "success"} == set()
    stats = run(twin.stats("q"))
    run(twin.stop())
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counted = dict(conn.execute("SELECT state, count(*) FROM task GROUP BY state"))
    assert (stats.ready, stats.leased, stats.finished) == (
        counted.get(0, 0),
        counted.get(5, 0),
        counted.get(6, 0),
    )
    assert len(settled) > 100


def test_a_sleeping_process_is_woken(
    twin: SqliteBroker,
    url: str,
    message: Callable[..., Message],
    run: Callable[..., Any],
    program: Callable[..., Any],
) -> None:
    sleeper = program(SLEEPER, url)
    assert sleeper.hear() == "ready"
    for _ in range(20):
        run(twin.publish([one := message()]))
        assert sleeper.hear() == one.id


async def test_a_killed_sleeper_leaves_nothing_behind(
    broker: SqliteBroker,
    url: str,
    path: Path,
    message: Callable[..., Message],
    program: Callable[..., Any],
) -> None:
    sleeper = program(SLEEPER, url)
    assert await asyncio.to_thread(sleeper.hear) == "ready"
    await broker.publish([one := message()])
    assert await asyncio.to_thread(sleeper.hear) == one.id
    sleeper.kill()
    await broker.publish([message()])
    bells = path.with_name("queue.db.wake")
    assert await asyncio.to_thread(lambda: not bells.exists() or not any(bells.iterdir()))
    # What the dead process held waits until somebody says so.
    assert await broker.expire("sleeper") == 1
    assert len(await broker.claim(Claim(("q",), 10, 60.0, "w"))) == 2
