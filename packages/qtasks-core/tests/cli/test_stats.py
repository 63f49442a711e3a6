"""``qtasks stats``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from conftest import Shop


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


def test_what_is_no_queue_is_refused(shop: Shop) -> None:
    done = shop.run("stats", "a:b")

    assert done.exit_code == 2
    assert "error: QUEUE: 'a:b' is not a queue name: use letters" in done.stderr


def test_a_narrow_terminal_shows_the_numbers(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    lines = shop.run("stats").stdout.splitlines()

    assert lines[2].split() == [
        "queue",
        "ready",
        "delayed",
        "running",
        "dead",
        "finished",
        "oldest",
    ]


def test_living_workers_are_listed(shop: Shop) -> None:
    shop.report()

    done, document = shop.run("stats"), shop.json("stats")

    assert "here-1" in done.stdout
    assert "no worker" not in done.stdout
    assert document["workers"][0]["running"] == 2


def test_an_unknown_queue_is_refused(shop: Shop) -> None:
    done = shop.run("stats", "maill")

    assert (done.exit_code, done.stdout) == (2, "")
    assert f"there is no queue 'maill' in {shop.queue.broker.url}. Did you mean 'mail'?" in (
        done.stderr
    )


def test_a_queue_that_only_the_broker_knows_is_shown(shop: Shop) -> None:
    shop.queue.add_task("resize", "cat.jpg", queue="slow")

    document = shop.json("stats", "slow")

    assert [queue["ready"] for queue in document["queues"]] == [1]
