"""``qtasks queues``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks._runtime.bridge import drive
from qtasks.schemas import Claim

if TYPE_CHECKING:
    from conftest import Shop


def rows(shop: Shop) -> dict[str, list[str]]:
    """Returns the lines of the list by queue."""
    done = shop.run("queues", "list")
    assert done.exit_code == 0, done.output
    return {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}


def test_queues_are_listed_with_their_state(shop: Shop) -> None:
    shop.add("resize", "cat.jpg")
    shop.report()

    listed = rows(shop)

    assert list(listed) == ["queue", "default", "mail"]  # mail has no task yet: the app names it
    assert listed["queue"] == [
        *("state", "ready", "delayed", "running", "dead", "finished", "oldest", "workers")
    ]
    assert listed["default"][:6] == ["waits", "1", "0", "0", "0", "0"]
    assert listed["mail"] == ["idle", "0", "0", "0", "0", "0", "1"]


def test_queues_are_listed_for_programs(shop: Shop) -> None:
    shop.add("send", "a@b")
    shop.report()

    document = {queue["queue"]: queue for queue in shop.json("queues", "list")}

    assert document["mail"]["ready"] == 1
    assert document["mail"]["paused"] is False
    assert (document["default"]["workers"], document["mail"]["workers"]) == (0, 1)


def test_a_queue_is_paused_and_resumed(shop: Shop) -> None:
    task_id = shop.add("send", "a@b")

    paused = shop.run("queues", "pause", "mail")
    shop.work()
    held = shop.queue.get(task_id)
    state = rows(shop)["mail"][0]
    resumed = shop.run("queues", "resume", "mail")
    shop.work()
    done = shop.queue.get(task_id)

    place = shop.queue.broker.url
    assert paused.stdout == f"paused mail in {place}\n"
    assert resumed.stdout == f"resumed mail in {place}\n"
    assert held
    assert done
    assert (held.status, state, done.status) == ("new", "paused", "success")


def test_what_was_so_before_is_said(shop: Shop) -> None:
    shop.run("queues", "pause", "mail")

    again = shop.run("queues", "pause", "mail")
    document = shop.json("queues", "resume", "mail", "default")
    resumed = shop.run("queues", "resume", "mail")

    assert again.stdout == f"mail was paused in {shop.queue.broker.url}\n"
    assert resumed.stdout == f"mail was not paused in {shop.queue.broker.url}\n"
    assert document == [
        {"queue": "mail", "paused": False, "changed": True},
        {"queue": "default", "paused": False, "changed": False},
    ]


@pytest.mark.parametrize("command", ["pause", "resume", "purge"])
def test_an_unknown_queue_is_refused(shop: Shop, command: str) -> None:
    done = shop.run("queues", command, "default", "mai")

    assert done.exit_code == 2
    assert done.stderr.startswith(
        f"error: there is no queue 'mai' in {shop.queue.broker.url}. Did you mean 'mail'?"
        " Its queues: default, mail."
    )
    assert ("--new" in done.stderr) is (command == "pause")
    assert rows(shop)["default"][0] == "idle"


def test_a_new_queue_may_be_paused_and_resumed(shop: Shop) -> None:
    paused = shop.run("queues", "pause", "--new", "later")
    resumed = shop.run("queues", "resume", "later")

    assert (paused.exit_code, resumed.exit_code) == (0, 0)
    assert resumed.stdout == f"resumed later in {shop.queue.broker.url}\n"


@pytest.mark.parametrize("command", ["pause", "resume", "purge"])
def test_what_cannot_be_a_queue_is_refused(shop: Shop, command: str) -> None:
    done = shop.run("queues", command, "a:b")

    assert done.exit_code == 2
    assert "error: NAME: 'a:b' is not a queue name" in done.stderr


def test_a_queue_is_emptied(shop: Shop) -> None:
    for number in range(3):
        shop.add("send", str(number))
    kept = shop.add("resize", "cat.jpg")

    done = shop.run("queues", "purge", "mail", "--yes")
    document = shop.json("queues", "purge", "mail", "--yes")

    assert done.stdout == f"removed 3 from mail in {shop.queue.broker.url}\n"
    assert document == [{"queue": "mail", "removed": 0}]
    assert shop.queue.get(kept)


def test_a_purge_needs_a_yes(shop: Shop) -> None:
    task_id = shop.add("send", "a@b")

    done = shop.run("queues", "purge", "mail")

    assert done.exit_code == 2
    assert done.stderr == "error: purge removes waiting tasks for good: add --yes\n"
    assert shop.queue.get(task_id)


def test_running_tasks_are_said_to_work(shop: Shop) -> None:
    shop.add("resize", "cat.jpg")
    twin = shop.queue.broker.client()
    assert twin is not None
    drive(twin.claim(Claim(("default",), 1, 60.0, "here-1")))

    assert rows(shop)["default"][:4] == ["works", "0", "0", "1"]
