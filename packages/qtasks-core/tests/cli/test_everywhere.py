"""What holds for every command: ``--json`` before and behind it, and any width of a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.cli.commands import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Shop
    from typer.testing import Result

#: Every command with arguments that let it succeed; DEAD, NEW and OVER stand for ids.
COMMANDS = {
    "run": "--burst --queues mail",
    "call": 'resize --args ["cat.jpg"]',
    "stats": "",
    "inspect": "",
    "doctor": "",
    "bench": "--tasks 10 --rounds 1",
    "plugins list": "",
    "plugins doctor": "",
    "plugins trace": 'resize --args ["cat.jpg"]',
    "triggers": "",
    "tasks list": "",
    "tasks show": "DEAD",
    "tasks cancel": "NEW",
    "tasks stream": "DEAD",
    "dead list": "",
    "dead show": "DEAD",
    "dead requeue": "DEAD",
    "dead discard": "DEAD",
    "dead export": "",
    "queues list": "",
    "queues pause": "default mail",
    "queues resume": "default mail",
    "queues purge": "default --yes",
}
#: `call` does not take a queue in memory.
pytestmark = pytest.mark.usefixtures("shop_in_a_file")

#: Exit codes other than 0; the doctor does not like a queue in memory, and a dead task failed.
CODES = {"doctor": 1, "tasks stream": 1}


def named() -> Iterator[str]:
    """Yields the names of all commands, with their group."""
    for command in cli.registered_commands:
        if command.callback:
            yield command.name or command.callback.__name__
    for group in cli.registered_groups:
        assert group.typer_instance
        for command in group.typer_instance.registered_commands:
            if command.callback:
                yield f"{group.name} {command.name or command.callback.__name__}"


#: Commands of others, which have tests of their own.
ELSEWHERE = {"config", "plugins new", "plugins show"}
#: Commands that have nothing to do with an app.
WITHOUT_APP = {"plugins new"}


def test_every_command_is_tried() -> None:
    assert set(named()) - ELSEWHERE == COMMANDS.keys()


@pytest.fixture
def ids(shop: Shop) -> dict[str, str]:
    """A dead letter and a waiting task, by the words that stand for them."""
    dead = shop.add("send", "an-address-that-is-quite-long-and-has-no-sign-in-it")
    shop.work()
    return {"DEAD": dead, "NEW": shop.add("resize", "cat.jpg")}


@pytest.mark.parametrize("command", COMMANDS)
def test_json_stands_before_or_behind(shop: Shop, ids: dict[str, str], command: str) -> None:
    def arguments() -> list[str]:
        return [ids.get(word, word) for word in f"{command} {COMMANDS[command]}".split()]

    code = CODES.get(command, 0)

    behind = shop.run(*arguments(), "--json")
    prepare_again(shop, ids, command)
    before = shop.run("--json", *arguments())

    assert (behind.exit_code, before.exit_code) == (code, code), behind.output + before.output
    assert shape(behind) == shape(before)


def prepare_again(shop: Shop, ids: dict[str, str], command: str) -> None:
    """Sees to it that a command can be run once more with the same success."""
    if command == "dead requeue":
        shop.work()
    elif command == "dead discard":
        shop.queue.add_task("send", "me", queue="mail", task_id=ids["DEAD"])
        shop.work()
    elif command == "tasks cancel":
        ids["NEW"] = shop.add("resize", "dog.jpg")


def shape(done: Result) -> Any:
    """Returns the document without its values."""

    def outline(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                "ID" if len(key) == ID_LENGTH else key: outline(item) for key, item in value.items()
            }
        if isinstance(value, list):
            return [outline(item) for item in value[:1]]
        return None

    return outline(json.loads(done.stdout))


#: Characters of an id, which is no field of a document.
ID_LENGTH = 36
WIDTHS = [40, 60, 80, 120]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "command", ["stats", "tasks list", "tasks cancel NEW", "dead list", "queues list", "doctor"]
)
def test_lines_fit_the_terminal(
    shop: Shop, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shop.report()

    done = shop.run(*(ids.get(word, word) for word in command.split()))

    place = shop.queue.broker.url
    texts = [line for line in done.stdout.splitlines() if place not in line and "/" not in line]
    assert texts
    assert max(map(len, texts)) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_queues_have_name_and_state_in_any_terminal(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shop.add("send", "a@b")

    head, *lines = [line.split() for line in shop.run("queues", "list").stdout.splitlines()]

    assert head[:3] == ["queue", "state", "ready"]
    assert [line[:3] for line in lines] == [["default", "idle", "0"], ["mail", "waits", "1"]]
    assert all("…" not in word for line in lines for word in line)


@pytest.mark.parametrize("width", WIDTHS)
def test_ids_of_cancelled_tasks_can_be_copied(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    task_id = shop.add("send", "a@b")

    line = shop.run("tasks", "cancel", task_id).stdout.splitlines()[1]

    assert task_id.endswith(line.split()[0])
    assert len(line.split()[0]) in {8, 36}


@pytest.mark.parametrize("name", sorted(named()))
def test_every_help_has_an_example_and_names_json(shop: Shop, name: str) -> None:
    done = shop.run(*name.split(), "--help")

    assert done.exit_code == 0
    assert f"qtasks {'' if name in WITHOUT_APP else '-A shop:app '}{name}" in done.stdout
    assert "--json" in done.stdout
