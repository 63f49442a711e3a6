"""From the command to the result and back, as a user runs it, on every kind of place."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from servers.patience import wait_until

import qtasks
import qtasks.asyncio
from qtasks.exc import TaskFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Shop
    from servers import Sentinels


def test_a_task_goes_all_the_way(
    make_shop: Callable[[str], Shop], place: str, password: str
) -> None:
    """Commands, both kinds of app, and a worker share one queue, and nobody shows the password."""
    shop = make_shop(place)
    shop.work()

    said = shop.qtasks("call", "double", "--args", "[21]", "--wait", "60")
    assert said.splitlines()[-1] == "42"

    with qtasks.QueueTasks(broker_url=place) as sync_app:
        handles = [sync_app.add_task("double", number) for number in range(5)]
        ended = {handle.id: handle.returning for handle in sync_app.as_completed(handles, 60)}
        assert [ended[handle.id] for handle in handles] == [0, 2, 4, 6, 8]
        with pytest.raises(TaskFailedError, match="as expected"):
            sync_app.add_task("broken").result(timeout=60)

    async def ask() -> str:
        async with qtasks.asyncio.QueueTasks(broker_url=place) as async_app:
            handle = await async_app.add_task("twice", "ab")
            result: str = await handle.result(timeout=60)
            return result

    assert asyncio.run(ask()) == "abab"

    (queue,) = json.loads(shop.qtasks("stats", "--json"))["queues"]
    assert (queue["finished"], queue["dead"], queue["ready"], queue["leased"]) == (8, 1, 0, 0)
    assert "success" in shop.qtasks("tasks", "show", handles[0].id)
    assert shop.rest() == [0]
    for secret in (password, quote(password, safe="")):
        assert secret not in shop.said


def test_workers_follow_a_failover(
    make_shop: Callable[[str], Shop], make_sentinels: Callable[..., Sentinels]
) -> None:
    """The master dies: the workers find the next one, and what was copied is there."""
    sentinels = make_sentinels()
    hosts = ",".join(f"127.0.0.1:{port}" for port in sentinels.ports)
    shop = make_shop(f"redis://{hosts}/0?sentinel={sentinels.service}")
    shop.work()
    with qtasks.QueueTasks(broker_url=shop.url) as app:
        before = app.add_task("double", 1)
        later = app.add_task("double", 2, delay=5)
        assert before.result(timeout=60) == 2
        master = sentinels.master
        wait_until(
            lambda: master.execute("WAIT", 1, 1000) == 1, "the replica did not get what was written"
        )

        sentinels.fail_over()
        wait_until(lambda: app.ping(server=False), "the app did not find the new master")

        assert later.result(timeout=60) == 4
        assert app.add_task("double", 3).result(timeout=60) == 6
    assert shop.rest() == [0]
