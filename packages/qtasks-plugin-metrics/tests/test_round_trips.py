"""What a scrape costs the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.asyncio import QueueTasks
from qtasks_plugin_metrics.collecting import Collecting

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_a_look_takes_two_round_trips_for_each_queue_at_most(
    make_server: Callable[..., Any], make_proxy: Callable[..., Any]
) -> None:
    server = make_server()
    proxy = make_proxy(server)
    app = QueueTasks(broker_url=server.url, plugins=[])
    for number in range(10):
        app.task(name=f"t{number}", queue=f"q{number}")(lambda: None)
        await app.add_task(f"t{number}")
    far = QueueTasks(broker_url=proxy.url, plugins=[])
    now = [0.0]
    collecting = Collecting(far, lambda: now[0])
    await collecting.look()  # it connects
    now[0] = 10.0
    before = proxy.traffic.round_trips

    await collecting.look()

    assert len([one for one in collecting.readings() if one[0] == "queue_messages"]) == 40
    assert proxy.traffic.round_trips - before <= 2 * 10
    await far.close()
    await far.broker.stop()
    await app.close()
