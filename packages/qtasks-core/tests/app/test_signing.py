"""Signed messages and results: what runs, what never does, and what is said about it."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import qtasks
import qtasks.asyncio
from qtasks._core.split import SplitBroker
from qtasks._runtime.bridge import drive
from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.configs import QueueConfig
from qtasks.exc import ConfigError, DecodeError, TaskFailedError
from qtasks.plugins import BasePlugin
from qtasks.schemas import Claim, Message, Record, Success, TaskStatusEnum, Verdict
from qtasks.signing import Keys
from qtasks.testing.clock import FakeClock
from qtasks.testing.conformance.lines import settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qtasks.contracts.broker import BaseBroker

    Make = Callable[..., qtasks.QueueTasks]

OLD, NEW, OTHER = "old-" * 8, "new-" * 8, "else" * 8
KEYS = Keys(NEW)


class Calls:
    """An app's tasks and what was called."""

    def __init__(self, app: qtasks.QueueTasks) -> None:
        self.seen: list[Any] = []
        app.task("keep")(self.keep)
        app.task("steal")(self.steal)

    def keep(self, value: int) -> int:
        self.seen.append(value)
        return value + 1

    def steal(self, value: int) -> None:
        self.seen.append(("stolen", value))


@pytest.fixture(params=["memory", "sqlite", "redis", "memory beside memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes apps that share one queue."""
    clock = FakeClock()
    apps: list[qtasks.QueueTasks] = []
    memory = MemoryBroker(clock=clock)
    beside = SplitBroker(MemoryBroker(clock=clock), MemoryStorage(clock=clock), clock)
    url = request.getfixturevalue("valkey") if request.param == "redis" else ""

    def one(**options: Any) -> qtasks.QueueTasks:
        options.setdefault("plugins", ())
        if request.param == "memory":
            options |= {"broker": memory, "clock": clock}
        elif request.param == "memory beside memory":
            options |= {"broker": beside, "clock": clock}
        else:
            options["broker_url"] = url or f"sqlite:///{tmp_path}/queue.db"
        app = qtasks.QueueTasks(**options)
        apps.append(app)
        return app

    yield one
    for app in apps:
        app.close()


def raw(app: qtasks.QueueTasks) -> BaseBroker:
    """Returns the broker behind the signatures, as somebody without keys sees it."""
    broker: BaseBroker = app.broker.inner  # type: ignore[attr-defined]  # of a signing app
    return broker


def stored(app: qtasks.QueueTasks, task_id: str) -> Record:
    async def look() -> Record:
        broker = raw(app)
        storage = broker.storage
        assert storage is not None
        await broker.start()
        await storage.start()
        (record,) = await storage.get([task_id])
        await storage.stop()
        await broker.stop()
        assert record is not None
        return record

    return asyncio.run(look())


def publish(app: qtasks.QueueTasks, message: Message) -> None:
    """Publishes as somebody who can write to the server, and has no keys."""

    async def write() -> None:
        broker = raw(app)
        await broker.start()
        await broker.publish([message])
        await broker.stop()

    asyncio.run(write())


def sealed(**changes: Any) -> Message:
    """Returns what a producer with the keys would publish."""
    caught: list[Message] = []

    class Catching(MemoryBroker):
        async def publish(self, messages: Any) -> Any:
            caught.extend(messages)
            return await super().publish(messages)

    producer = qtasks.QueueTasks(
        broker=Catching(),
        signing=KEYS,
        plugins=(),
    )
    producer.add_task("keep", 1)
    producer.close()
    return msgspec.structs.replace(caught[0], **changes)


def run(app: qtasks.QueueTasks) -> None:
    """Runs what is ready."""
    asyncio.run(app.worker(queues=["default", "other"], burst=True).run())


def assert_malformed(app: qtasks.QueueTasks, task_id: str, why: str) -> None:
    handle = app.get(task_id)
    assert handle is not None
    assert (handle.status, handle.reason) == (TaskStatusEnum.ERROR, "malformed")
    assert handle.record.dead
    assert handle.error is not None
    assert why in handle.error.message


def test_what_is_signed_runs_and_gives_its_result(make: Make) -> None:
    app = make(signing=KEYS)
    calls = Calls(app)
    by_name = make(signing=KEYS)

    handle = by_name.add_task("keep", 1)
    run(app)

    assert calls.seen == [1]
    assert handle.result(timeout=10) == 2
    assert handle.args == (1,)
    assert handle.headers == {}


def test_bytes_on_the_server_are_signed(make: Make) -> None:
    app = make(signing=KEYS)
    Calls(app)
    handle = app.add_task("keep", 1)
    run(app)

    record = stored(app, handle.id)
    assert record.payload.startswith(b"\xc1\x01")
    assert (record.result or b"").startswith(b"\xc1\x01")


def test_what_is_not_signed_never_runs(make: Make) -> None:
    app = make(signing=KEYS)
    calls = Calls(app)
    stranger = make()
    handle = stranger.add_task("keep", 1)

    run(app)

    assert calls.seen == []
    assert_malformed(app, handle.id, "not signed")


def test_what_somebody_else_signed_never_runs(make: Make) -> None:
    app = make(signing=KEYS)
    calls = Calls(app)
    handle = make(signing=Keys(OTHER)).add_task("keep", 1)

    run(app)

    assert calls.seen == []
    assert_malformed(app, handle.id, "none of the signing keys here")


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "steal"},
        {"id": "00000000-0000-7000-8000-000000000001"},
        {"headers": {}},
        {"headers": {"a": "b"}},
        {"headers": {"qtasks-signature": "zz"}},
        {"headers": {"qtasks-signature": "00000000:00"}},
    ],
    ids=str,
)
def test_what_was_changed_never_runs(make: Make, changes: dict[str, Any]) -> None:
    app = make(signing=KEYS)
    calls = Calls(app)
    message = sealed(**changes)
    publish(app, message)

    run(app)

    assert calls.seen == []
    assert_malformed(app, message.id, "sign")


def test_what_was_moved_to_another_queue_never_runs(make: Make) -> None:
    app = make(signing=KEYS)
    calls = Calls(app)
    message = sealed(queue="other")
    publish(app, message)

    run(app)

    assert calls.seen == []
    assert_malformed(app, message.id, "does not fit")


@pytest.mark.parametrize("place", [2, 5, 6, 20, 37, 38, -1])
def test_one_changed_bit_or_a_cut_anywhere_is_noticed(make: Make, place: int) -> None:
    app = make(signing=KEYS)
    calls = Calls(app)
    whole = sealed()
    flipped = bytearray(whole.payload)
    flipped[place] ^= 1
    first, second = (f"00000000-0000-7000-8000-00000000000{n}" for n in (1, 2))
    publish(app, msgspec.structs.replace(whole, payload=bytes(flipped)))
    again = sealed(payload=sealed().payload[:place], id=first)
    publish(app, again)
    publish(app, sealed(payload=b"", id=second))

    run(app)

    assert calls.seen == []
    for task_id in (whole.id, first, second):
        assert_malformed(app, task_id, "sign")


def test_a_key_is_exchanged_in_three_steps(make: Make) -> None:
    """Everybody learns the new key, then signs with it, then forgets the old one."""
    steps = [Keys(OLD), Keys(OLD, NEW), Keys(NEW, OLD), Keys(NEW)]
    there = list(itertools.pairwise(steps))
    for before, after in [*there, *((after, before) for before, after in there)]:
        worker = make(signing=after)
        calls = Calls(worker)
        handle = make(signing=before).add_task("keep", 5)
        run(worker)
        assert calls.seen == [5], (before, after)
        assert handle.result(timeout=10) == 6

    worker = make(signing=steps[-1])
    calls = Calls(worker)
    late = make(signing=steps[0]).add_task("keep", 5)
    run(worker)
    assert calls.seen == []
    assert_malformed(worker, late.id, "none of the signing keys here")


def test_while_signing_is_introduced_unsigned_messages_run_too(make: Make) -> None:
    app = make(signing=Keys(NEW, require=False))
    calls = Calls(app)
    unsigned = make().add_task("keep", 1)
    forged = make(signing=Keys(OTHER)).add_task("keep", 2)

    run(app)

    assert calls.seen == [1]
    assert unsigned.id != forged.id
    assert_malformed(app, forged.id, "none of the signing keys here")


def test_a_retry_that_changes_headers_and_a_requeue_keep_their_signature(
    make: Make,
) -> None:
    class Again(BasePlugin):
        def start(self) -> None:
            """Needs nothing."""

        def stop(self) -> None:
            """Needs nothing."""

        def trigger(self, name: str, **kwargs: Any) -> Any:
            if name == "worker_execute_before":
                seen.append(dict(kwargs["task_broker"].message.headers))
            if name == "worker_task_error_retry" and kwargs["attempt"] < 2:
                return Verdict("retry", headers={"tried": str(kwargs["attempt"])})
            return None

    app = make(signing=KEYS, plugins=[Again()])
    seen: list[dict[str, str]] = []

    @app.task("fails")
    def fails() -> str:
        if len(seen) < 3:
            msg = "not yet"
            raise RuntimeError(msg)
        return "done"

    handle = fails.options(headers={"from": "me"}).add_task()
    run(app)
    run(app)
    assert seen == [{"from": "me"}, {"from": "me", "tried": "1"}]
    handle.refresh()
    assert handle.reason == "exhausted"
    assert handle.headers == {"from": "me", "tried": "1"}

    assert list(app.requeue([handle.id])) == [handle.id]
    run(app)

    assert handle.refresh().result(timeout=10) == "done"
    assert seen[2] == {"from": "me", "tried": "1"}


def test_the_values_of_a_generator_are_signed(make: Make) -> None:
    app = make(signing=KEYS)

    @app.task("count")
    def count(n: int) -> Iterator[int]:
        yield from range(n)

    handle = count.add_task(3)
    run(app)

    assert list(handle.stream(timeout=10)) == [0, 1, 2]
    assert handle.result(timeout=10) == [0, 1, 2]

    stranger = make().get(handle.id)
    assert stranger is not None
    with pytest.raises(DecodeError, match=r"signed: give this process the keys"):
        list(stranger.stream(timeout=10))
    with pytest.raises(DecodeError, match=r"signed: give this process the keys"):
        stranger.result(timeout=10)


def test_a_forged_result_is_not_believed(make: Make) -> None:
    app = make(signing=KEYS)
    Calls(app)
    handle = app.add_task("keep", 1)

    async def forge() -> None:
        broker = raw(app)
        await broker.start()
        (delivery,) = await broker.claim(Claim(("default",), 1, 60.0, "evil"))
        assert await broker.settle([settlement(delivery, Success(b"\x01"))]) == []
        await broker.stop()

    asyncio.run(forge())

    with pytest.raises(DecodeError, match="not signed"):
        handle.result(timeout=10)
    assert [found.id for found in app.list_tasks()[0]] == [handle.id]


async def test_the_asynchronous_app_signs_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    app = qtasks.asyncio.QueueTasks(broker_url=url, signing=KEYS, plugins=())
    stranger = qtasks.asyncio.QueueTasks(broker_url=url, plugins=())

    @app.task("double")
    async def double(value: int) -> int:
        return 2 * value

    async with app, stranger:
        good = await double.add_task(4)
        bad = await stranger.add_task("double", 4)
        await app.worker(burst=True).run()
        assert await good.result(timeout=10) == 8
        with pytest.raises(TaskFailedError, match=r"malformed.*not signed"):
            await bad.result(timeout=10)


@pytest.mark.parametrize(
    "make_keys",
    [
        lambda: Keys("short secret"),
        lambda: Keys(NEW, "short secret"),
        lambda: Keys(b"x" * 31),
        lambda: Keys("s" * 40),
        lambda: Keys(NEW, NEW),
        lambda: Keys(1234567),  # type: ignore[arg-type]  # what is under test
        lambda: Keys.read(f"{NEW},,{OLD}"),
        lambda: QueueConfig(signing_keys="short secret"),  # type: ignore[arg-type]  # likewise
        lambda: QueueConfig(signing_keys=NEW),  # type: ignore[arg-type]  # likewise
        lambda: qtasks.QueueTasks(broker_url="memory://", signing=NEW),  # type: ignore[arg-type]  # likewise
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_not_shown(make_keys: Callable[[], Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        make_keys()

    text = str(caught.value)
    assert "key" in text or "Keys" in text
    for secret in ("short secret", NEW, "ssss", "xxxx", "1234567"):
        assert secret not in text


def test_the_environment_gives_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_SIGNING_KEYS", f"{NEW} , {OLD}")
    config = QueueConfig()
    app = qtasks.QueueTasks(broker_url="memory://", plugins=())

    assert config.signing_keys == Keys(NEW, OLD)
    assert str(config.source("signing_keys")) == "QTASKS_SIGNING_KEYS"
    assert app.broker is not raw(app)
    for text in (repr(config), str(config.signing_keys), repr(app.broker)):
        assert "new-new" not in text
        assert "old-old" not in text


def test_the_environment_gives_bad_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_SIGNING_KEYS", "hunter2hunter2")
    with pytest.raises(ConfigError, match=r"QTASKS_SIGNING_KEYS.*14 bytes") as caught:
        QueueConfig()
    assert "hunter2" not in str(caught.value)

    monkeypatch.setenv("QTASKS_SIGNING_KEYS", "none")
    assert QueueConfig().signing_keys is None


def test_keys_do_not_belong_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.qtasks]\nsigning_keys = "{NEW}"\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="set QTASKS_SIGNING_KEYS instead") as caught:
        QueueConfig()
    assert NEW not in str(caught.value)


def test_without_keys_nothing_of_it_is_loaded_or_in_the_way() -> None:
    app = qtasks.QueueTasks(broker_url="memory://", plugins=())
    assert type(app.broker) is MemoryBroker


def test_settings_of_retention_reach_the_server() -> None:
    app = qtasks.QueueTasks(
        broker_url="memory://", signing=KEYS, plugins=(), config=QueueConfig(result_ttl=7)
    )
    assert raw(app).retention.result_ttl == 7
    app.config.result_ttl = 8
    assert raw(app).retention.result_ttl == 8
    twin = app.broker.client()
    assert twin is None or drive(twin.queues()) == []
