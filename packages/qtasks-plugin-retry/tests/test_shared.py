"""Budgets and breakers that two worker processes share, on SQLite and on Redis."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import QueueTasks
from qtasks.storages import RedisStorage, SqliteStorage
from qtasks_plugin_retry import Breaker, Budget
from qtasks_plugin_retry.boards import StorageBoard
from qtasks_plugin_retry.circuit import Circuit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qtasks_plugin_retry.breaker import Standing

APP = Path(__file__).with_name("shared_app.py")
PATIENCE = 120.0  # seconds
#: Seconds of a period and of a window, of which now is the middle.
PER = time.time() / 1000.5
#: Retries that a period has room for, and tasks that want one.
ROOM = 10
#: Cooldowns that an opening may last.
_TURNS = 120
MANY = 45


class Crew:
    """Worker processes of the app, and a producer beside them.

    Attributes:
        queue: the producer's app.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self._notes = folder / "notes"
        self._notes.touch()
        self._started: list[subprocess.Popen[bytes]] = []
        self.queue = QueueTasks(broker_url=url, plugins=[])

    def start(self, at_once: int) -> subprocess.Popen[bytes]:
        """Starts a worker that runs so many tasks at once."""
        environment = {
            **os.environ,
            "SHARED_BROKER": self._url,
            "SHARED_NOTES": str(self._notes),
            "SHARED_PER": repr(PER),
            "SHARED_AT_ONCE": str(at_once),
        }
        self._started.append(subprocess.Popen([sys.executable, str(APP)], env=environment))
        return self._started[-1]

    def until(self, condition: Callable[[], object]) -> None:
        """Waits for something that workers bring about."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self._notes.read_text("utf-8")
            time.sleep(0.05)

    def noted(self) -> Counter[str]:
        """Returns how often each word was noted."""
        return Counter(self._notes.read_text("utf-8").split()[::2])

    def pids(self) -> set[str]:
        """Returns who noted anything."""
        return set(self._notes.read_text("utf-8").split()[1::2])

    def heal(self) -> None:
        """Has tasks succeed from now on."""
        self._notes.with_suffix(".healed").touch()

    def asked(self, question: Callable[[Any], Any]) -> Any:
        """Asks a storage of its own, as a third process."""

        async def ask() -> Any:
            kind: Any = RedisStorage if self._url.startswith("redis") else SqliteStorage
            storage = kind(self._url)
            await storage.start()
            try:
                return await question(storage)
            finally:
                await storage.stop()

        return asyncio.run(ask())

    def standing(self) -> Standing:
        """Returns how the breaker stands."""
        circuit = Breaker("pay", window=PER, cooldown=1.0, shared=True)
        found: Standing = self.asked(
            lambda storage: Circuit(circuit, StorageBoard(storage)).standing(0.0)
        )
        return found

    def probes(self, generations: int) -> list[int]:
        """Returns how many probes were let through in each turn of each generation."""

        async def count(storage: Any) -> list[int]:
            board = StorageBoard(storage)
            turns = [(one, turn) for one in range(generations) for turn in range(_TURNS)]
            keys = [f"breaker:pay:probes:{one}:{turn}" for one, turn in turns]
            return [await board.add(key, 0, PER) for key in keys]

        found: list[int] = self.asked(count)
        return found

    def end(self) -> None:
        """Ends the workers as they should end."""
        for worker in self._started:
            worker.terminate()
        assert [worker.wait(PATIENCE) for worker in self._started] == [0] * len(self._started)
        self._started.clear()

    def close(self) -> None:
        """Ends what is left."""
        for worker in self._started:
            worker.kill()
            worker.wait(PATIENCE)
        self.queue.close()


@pytest.fixture(params=["sqlite", "redis"])
def crew(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Crew]:
    """Two processes on one server."""
    url = f"sqlite:///{tmp_path / 'q.db'}"
    if request.param == "redis":
        url = request.getfixturevalue("valkey")
    made = Crew(tmp_path, url)
    yield made
    made.close()


@pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")
def test_two_processes_take_no_more_tokens_than_a_shared_budget_has(crew: Crew) -> None:
    handles = [crew.queue.add_task("mail") for _ in range(MANY)]
    crew.start(at_once=20)
    crew.start(at_once=20)

    def settled() -> bool:
        found = [handle.refresh() for handle in handles]
        return sorted({handle.status for handle in found}) == ["retry", "success"] and all(
            handle.record.attempts == 1 for handle in found
        )

    crew.until(lambda: crew.noted() == {"mail-1": MANY, "mail-2": ROOM})
    crew.until(settled)
    crew.end()

    assert crew.noted() == {"mail-1": MANY, "mail-2": ROOM}
    assert len(crew.pids()) == 2
    period = Budget("mail", per=PER).period(time.time())

    async def tokens(storage: Any) -> list[int]:
        board = StorageBoard(storage)
        keys = [f"budget:mail:retries:{period + each}" for each in range(7)]
        return [await board.add(key, 0, PER) for key in keys]

    assert crew.asked(tokens) == [ROOM, ROOM, ROOM, ROOM, MANY - 4 * ROOM, 0, 0]
    waiting = [handle.record for handle in handles if handle.status == "retry"]
    # The first of a period is due when that begins, which a clock may miss by a little.
    due = Counter(math.floor((record.due_at + 1) / PER) - period for record in waiting)
    assert due == {1: ROOM, 2: ROOM, 3: ROOM, 4: MANY - 4 * ROOM}


@pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")
def test_a_breaker_that_one_process_opened_holds_and_closes_for_both(crew: Crew) -> None:
    handles = [crew.queue.add_task("pay") for _ in range(12)]
    first = crew.start(at_once=1)
    crew.until(lambda: not crew.standing().closed)
    first.terminate()
    assert first.wait(PATIENCE) == 0
    before = crew.standing().generation

    crew.start(at_once=4)
    crew.start(at_once=4)
    crew.until(lambda: crew.standing().generation >= before + 3)
    crew.heal()
    for handle in handles:
        handle.wait(PATIENCE)
    crew.end()

    standing = crew.standing()
    assert standing.closed
    assert {handle.refresh().status for handle in handles} == {"success"}
    assert crew.noted()["paid"] == len(handles)
    assert sum(handle.record.snoozes for handle in handles) > 0
    # Each run that failed was one of the first three, or a probe; there was one probe at a time,
    # and another after each cooldown in which a busy machine did not let it answer.
    probes = crew.probes(standing.generation)
    assert max(probes) == 1
    assert 3 + before - 1 + 3 <= crew.noted()["failed"] < 3 + sum(probes)
