"""``qtasks stats``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.schemas import Presence

if TYPE_CHECKING:
    from conftest import Shop


def report(shop: Shop) -> None:
    """Makes a worker known."""
    from qtasks._core.bridge import drive

    twin = shop.queue.broker.client()
    assert twin is not None
    drive(twin.report(Presence("here-1", "here", 1, ("mail",), slots=8, running=2), 60))


def test_the_queues_are_counted(shop: Shop) -> None:
    shop.add("send", "me")
    shop.work()
    shop.add("resize", "cat.jpg")

    done = shop.run("stats")

    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == [shop.queue.broker.url]
    assert lines[2][:4] == ["queue", "ready", "delayed", "running"]
    assert lines[3][:6] == ["default", "1", "0", "0", "0", "0"]
    assert lines[4][:6] == ["mail", "0", "0", "0", "1", "1"]
    assert "no worker is alive; start one: qtasks -A shop:app run" in done.stdout


def test_only_the_named_queues_are_shown(shop: Shop) -> None:
    shop.add("resize", "cat.jpg")

    document = shop.json("stats", "mail")

    assert [queue["queue"] for queue in document["queues"]] == ["mail"]


def test_living_workers_are_listed(shop: Shop) -> None:
    report(shop)

    done, document = shop.run("stats"), shop.json("stats")

    assert "here-1" in done.stdout
    assert "no worker" not in done.stdout
    assert document["workers"][0]["running"] == 2
