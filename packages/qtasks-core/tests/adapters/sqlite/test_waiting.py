"""Waiting: woken at once, found anyway, and cheap."""

from __future__ import annotations

import asyncio
import socket
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import SqliteBroker, lookout, wake, watch
from qtasks.adapters.sqlite.wake import ENDED, POKE, READY, Bell, Ringer, directory_for
from qtasks.schemas import Release, Settlement, Success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from qtasks.schemas import Message

FOREVER = 1e6


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose name is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="qt", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def path(place: Path) -> Path:
    return place / "queue.db"


@pytest.fixture
def bell(path: Path) -> Iterator[Bell]:
    bell = Bell(str(path))
    yield bell
    bell.close()


@pytest.fixture
async def second(url: str) -> AsyncIterator[SqliteBroker]:
    """Another broker object on the same file."""
    broker = SqliteBroker(url)
    await broker.start()
    yield broker
    await broker.stop()


def test_a_bell_is_rung(bell: Bell, path: Path) -> None:
    ringer = Ringer(str(path))
    assert bell.wait(0) == 0
    ringer.ring(READY)
    ringer.ring(ENDED)
    assert bell.wait(FOREVER) == READY | ENDED
    assert bell.wait(0) == 0
    bell.ring(POKE)
    assert bell.wait(FOREVER) == POKE
    ringer.close()
    ringer.close()


def test_bells_of_other_processes_are_rung(path: Path) -> None:
    directory = directory_for(str(path))
    directory.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(directory / "1-other.1"))
        ringer = Ringer(str(path))
        ringer.ring(READY | ENDED)
        assert listener.recv(16) == bytes((READY | ENDED,))
        ringer.close()


def test_bells_hang_in_a_private_directory(bell: Bell, path: Path) -> None:
    directory = path.with_name("queue.db.wake")
    assert directory_for(str(path)) == directory
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert len(list(directory.iterdir())) == 1
    other = Bell(str(path))
    bell.close()
    assert len(list(directory.iterdir())) == 1
    other.close()
    assert not directory.exists()
    other.close()


def test_what_a_dead_process_left_is_removed(path: Path) -> None:
    directory = directory_for(str(path))
    directory.mkdir(mode=0o700)
    left = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.bind(str(directory / "1-dead.1"))
    left.close()
    ringer = Ringer(str(path))
    ringer.ring(READY)
    assert list(directory.iterdir()) == []
    ringer.close()


def test_a_listener_that_is_too_slow_is_left_alone(path: Path) -> None:
    directory = directory_for(str(path))
    directory.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as slow:
        slow.bind(str(directory / "1-slow.1"))
        ringer = Ringer(str(path))
        for _ in range(2000):
            ringer.ring(READY)
        assert [one.name for one in directory.iterdir()] == ["1-slow.1"]
        ringer.close()


def test_strange_files_do_no_harm(bell: Bell, path: Path) -> None:
    directory = directory_for(str(path))
    (directory / "README").write_text("not a socket")
    (directory / "folder").mkdir()
    ringer = Ringer(str(path))
    ringer.ring(READY)
    assert bell.wait(FOREVER) == READY
    assert (directory / "README").read_text() == "not a socket"
    ringer.close()


def test_long_paths_have_their_bells_in_the_runtime_directory(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = place / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    path = tmp_path / ("long" * 30) / "queue.db"
    directory = directory_for(str(path))
    assert directory.parent == runtime
    assert directory != directory_for(str(path) + "2")
    path.parent.mkdir()
    bell = Bell(str(path))
    assert bell._ear is not None
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    bell.close()
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(wake.tempfile, "gettempdir", lambda: "/tmp")
    assert str(directory_for(str(path))).startswith("/tmp/qtasks-")


@pytest.mark.parametrize("trap", ["open", "link", "file"])
def test_a_directory_that_others_may_write_is_not_used(
    path: Path, trap: str, tmp_path: Path
) -> None:
    directory = directory_for(str(path))
    if trap == "open":
        directory.mkdir()
        directory.chmod(0o777)
    elif trap == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        directory.symlink_to(tmp_path / "theirs")
    else:
        directory.write_text("")
    bell = Bell(str(path))
    assert bell._ear is None
    bell.ring(READY)
    assert bell.wait(FOREVER) == READY
    bell.close()


@pytest.fixture(params=["sockets", "polling"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to be woken by another process."""
    if request.param == "polling":
        monkeypatch.setattr(wake, "_listen", lambda _: None)
        monkeypatch.setattr(Bell, "ring", lambda self, what: ring(self, what & POKE))


ring = Bell.ring


async def test_other_objects_wake(
    way: None, broker: SqliteBroker, second: SqliteBroker, message: Callable[..., Message]
) -> None:
    waiting = asyncio.ensure_future(broker.ready(["q"], FOREVER))
    while not broker._engine._watch._waiting:
        assert not waiting.done(), waiting
        await asyncio.sleep(0)
    await second.publish([message()])
    assert await asyncio.wait_for(waiting, 30) is True


async def test_other_objects_wake_those_who_wait_for_an_end(
    way: None,
    broker: SqliteBroker,
    second: SqliteBroker,
    message: Callable[..., Message],
    request_for: Callable[..., Any],
) -> None:
    await second.publish([one := message()])
    waiting = asyncio.ensure_future(broker.storage.wait([one.id], FOREVER))
    while not broker._engine._watch._waiting:
        assert not waiting.done(), waiting
        await asyncio.sleep(0)
    (delivery,) = await second.claim(request_for())
    await second.settle([Settlement(one.id, delivery.token, Success(b"r"), ttl=FOREVER)])
    (record,) = (await asyncio.wait_for(waiting, 30)).values()
    assert record is not None
    assert record.result == b"r"


async def test_threads_are_woken(
    way: None,
    twin: SqliteBroker,
    second: SqliteBroker,
    message: Callable[..., Message],
    run: Callable[..., Any],
) -> None:
    waiting = asyncio.ensure_future(asyncio.to_thread(run, twin.ready(["q"], FOREVER)))
    await second.publish([message()])
    assert await asyncio.wait_for(waiting, 30) is True


async def test_a_crowd_is_served_by_one_query(
    broker: SqliteBroker,
    message: Callable[..., Message],
    request_for: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    messages = [message() for _ in range(1000)]
    await broker.publish(messages)
    deliveries = await broker.claim(request_for(1000))
    looks: list[int] = []
    look = watch.records.ended

    def counted(conn: Any, now: float, ids: Any) -> Any:
        looks.append(len(ids))
        return look(conn, now, ids)

    monkeypatch.setattr(watch.records, "ended", counted)
    crowd = [asyncio.ensure_future(broker.storage.wait([one.id], FOREVER)) for one in messages]
    while len(broker._engine._watch._waiting) < 1000:
        await asyncio.sleep(0)
    looks.clear()
    first = deliveries[0]
    await broker.settle([Settlement(first.id, first.token, Success(), ttl=FOREVER)])
    done, pending = await asyncio.wait(crowd, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(pending)) == (1, 999)
    assert len(looks) <= 3
    await broker.settle(
        [Settlement(one.id, one.token, Success(), ttl=FOREVER) for one in deliveries[1:]]
    )
    await asyncio.wait_for(asyncio.gather(*crowd), 30)
    assert len(looks) <= 20


async def test_who_gives_up_is_forgotten(
    broker: SqliteBroker, message: Callable[..., Message]
) -> None:
    await broker.publish([one := message()])
    crowd = [asyncio.ensure_future(broker.storage.wait([one.id], FOREVER)) for _ in range(50)]
    crowd += [asyncio.ensure_future(broker.ready(["other"], FOREVER)) for _ in range(50)]
    watching = broker._engine._watch
    while len(watching._waiting) < 100:
        await asyncio.sleep(0)
    thread = watching._thread
    for task in crowd:
        task.cancel()
    assert {type(one) for one in await asyncio.gather(*crowd, return_exceptions=True)} == {
        asyncio.CancelledError
    }
    assert thread is not None
    await asyncio.to_thread(thread.join, 30)
    assert not thread.is_alive()
    assert (watching._waiting, watching._new) == ([], [])
    # And it starts again.
    assert await broker.ready(["q"], FOREVER) is True


async def test_an_end_of_the_database_reaches_those_who_wait(
    broker: SqliteBroker, path: Path, message: Callable[..., Message]
) -> None:
    waiting = asyncio.ensure_future(broker.storage.wait(["x"], FOREVER))
    assert await asyncio.wait_for(waiting, 30) == {"x": None}
    await broker.publish([one := message()])
    # The wait may begin before, in, or after the end: nobody hangs.
    waiting = asyncio.ensure_future(broker.storage.wait([one.id], FOREVER))
    await broker.stop()
    assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], BaseException)


async def test_suspects_wake_only_who_may_take_them(
    broker: SqliteBroker, message: Callable[..., Message], request_for: Callable[..., Any]
) -> None:
    await broker.publish([message() for _ in range(3)])
    await broker.claim(request_for(3))
    await broker.expire("w1")
    assert await broker.ready(["q"], 0) is True
    (suspect,) = await broker.claim(request_for(3))
    assert suspect.lost == 1
    # Two more wait, but this worker has one in its hands.
    assert await broker.ready(["q"], 0) is False
    assert await broker.ready(["q", "other"], 0) is True
    waiting = asyncio.ensure_future(broker.ready(["q"], FOREVER))
    while not broker._engine._watch._waiting:
        assert not waiting.done(), waiting
        await asyncio.sleep(0)
    await broker.publish([message()])
    assert await asyncio.wait_for(waiting, 30) is True
    await broker.claim(request_for(3, suspects=0))
    assert await broker.ready(["q"], 0) is False
    await broker.settle([Settlement(suspect.id, suspect.token, Release())])
    assert await broker.ready(["q"], 0) is True


def test_a_wait_in_a_thread_can_be_interrupted(twin: SqliteBroker, run: Callable[..., Any]) -> None:
    import signal

    def strike(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            run(twin.ready(["q"], FOREVER))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert run(twin.ready(["q"], 0)) is False


def test_idle_waiting_backs_off(
    twin: SqliteBroker, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(Bell, "wait", lambda _, timeout: pauses.append(timeout) or 0)
    monkeypatch.setattr(lookout.time, "monotonic", lambda: sum(pauses))
    assert run(twin.ready(["q"], 10.0)) is False
    assert pauses[:6] == pytest.approx([0.005, 0.01, 0.02, 0.04, 0.08, 0.16])
    assert set(pauses[6:-1]) == {0.25}
    assert sum(pauses) == pytest.approx(10.0)


async def test_real_time_limits_a_wait_though_the_clock_stands_still(
    broker: SqliteBroker, twin: SqliteBroker, run: Callable[..., Any]
) -> None:
    started = time.monotonic()
    assert await broker.ready(["q"], 0.05) is False
    assert await broker.storage.wait(["a"], 0.05) == {"a": None}
    assert run(twin.ready(["q"], 0.05)) is False
    assert time.monotonic() - started >= 0.1
