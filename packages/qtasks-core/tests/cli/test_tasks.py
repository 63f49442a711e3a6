"""``qtasks tasks``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from qtasks.exc import DecodeError
from qtasks.schemas import TaskCall

if TYPE_CHECKING:
    from conftest import Shop


def test_tasks_are_listed_newest_first(shop: Shop) -> None:
    first, second = shop.add("resize", "a.jpg"), shop.add("send", "me")

    done = shop.run("tasks", "list")

    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["id", second, first]
    assert rows[1][1:4] == ["send", "new", "mail"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["skip", "send", "resize"]),
        (["--status", "error"], ["send"]),
        (["--queue", "mail"], ["send"]),
        (["--task", "resize"], ["resize"]),
        (["--since", "1h"], ["skip", "send", "resize"]),
        (["--limit", "2"], ["skip", "send"]),
        (["--limit", "1", "--all"], ["skip", "send", "resize"]),
    ],
)
def test_filters(shop: Shop, options: list[str], names: list[str]) -> None:
    shop.add("resize", "a.jpg")
    shop.add("send", "me")
    shop.add("skip")
    shop.work()

    document = shop.json("tasks", "list", *options)

    assert [task["task"] for task in document] == names


def test_a_list_that_goes_on_says_so(shop: Shop) -> None:
    for number in range(3):
        shop.add("resize", f"{number}.jpg")

    done = shop.run("tasks", "list", "--limit", "2")

    assert "there are more than these 2" in done.stderr


def test_all_reads_page_after_page(shop: Shop) -> None:
    shop.queue.add_tasks(TaskCall("resize", (str(number),)) for number in range(1201))

    document = shop.json("tasks", "list", "--all")

    assert len({task["id"] for task in document}) == 1201


@pytest.mark.parametrize("width", [60, 120, None])
def test_a_long_list_is_written_page_by_page(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, width: int | None
) -> None:
    """The longest name stands on the second page, so the columns grow there."""
    if width is None:
        monkeypatch.delenv("COLUMNS")
    else:
        monkeypatch.setenv("COLUMNS", str(width))
    failed = shop.add("send", "who is not an address")
    shop.work()
    late = shop.queue.add_task("a_longer_name").id
    shop.queue.add_tasks(TaskCall("resize", (str(number),)) for number in range(600))

    done = shop.run("tasks", "list", "--all")

    lines = done.stdout.splitlines()
    rows = [line.split() for line in lines]
    short = slice(-8, None) if width == 60 else slice(None)
    assert rows[0][:3] == ["id", "task", "status"]
    assert [row[1:3] for row in rows[1:601]] == [["resize", "new"]] * 600
    assert rows[601][:3] == [late[short], "a_longer_name", "new"]
    assert rows[602][:3] == [failed[short], "send", "error"]
    start = lines[602].index("ValueError")
    why = " ".join(line[start:] for line in lines[602:])
    whole = "ValueError: 'who is not an address' is no address"
    assert why == whole or (why.endswith("…") and whole.startswith(why[:-1]))
    assert [line for line in lines if line != line.rstrip()] == []
    assert max(map(len, lines)) <= (width or 10_000)


def test_an_empty_list_says_where_it_looked(shop: Shop) -> None:
    done = shop.run("tasks", "list")

    assert done.stdout == ""
    assert f"no tasks match in {shop.queue.broker.url}" in done.stderr


@pytest.mark.parametrize(
    ("width", "headers"),
    [
        (60, ["id", "task", "status", "age", "why"]),
        (80, ["id", "task", "status", "queue", "age", "ran", "why"]),
    ],
)
def test_a_narrow_terminal_shows_short_ids_and_the_whole_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, width: int, headers: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    task_id = shop.add("send", "who is not an address")
    shop.work()

    lines = shop.run("tasks", "list").stdout.splitlines()

    start = lines[0].index("why")
    assert lines[0].split() == headers
    assert lines[1].startswith(f"{task_id[-8:]}  send  error")
    assert max(map(len, lines)) <= width
    why = " ".join(line[start:] for line in lines[1:])
    assert why == "ValueError: 'who is not an address' is no address"


def test_ids_stay_whole_where_there_is_room(shop: Shop) -> None:
    task_id = shop.add("send", "me")
    shop.work()

    done = shop.run("tasks", "list")

    assert task_id in done.stdout


def test_an_endless_error_is_cut_in_a_list(shop: Shop) -> None:
    shop.add("send", "x" * 2000)
    shop.work()

    lines = shop.run("tasks", "list").stdout.splitlines()

    assert 3 < len(lines) < 9
    assert lines[-1].endswith("…")


def test_no_line_ends_with_spaces(shop: Shop) -> None:
    shop.add("resize", "cat.jpg")
    shop.add("send", "me")
    shop.work()

    shown = shop.run("tasks", "list").stdout + shop.run("stats").stdout

    assert [line for line in shown.splitlines() if line != line.rstrip()] == []


def test_a_task_is_found_by_the_end_of_its_id(shop: Shop) -> None:
    ids = [digit + "0000000-0000-4000-8000-0000abcdef12" for digit in "12"]
    for task_id in ids:
        shop.queue.add_task("skip", task_id=task_id)
    other = shop.add("skip")

    found = shop.json("tasks", "show", other[-6:].upper())
    several = shop.run("tasks", "show", "abcdef12")
    none = shop.run("tasks", "show", "34abcdef12")

    assert found["id"] == other
    assert (several.exit_code, none.exit_code) == (2, 2)
    assert "'abcdef12' is the end of several ids: " in several.stderr
    assert "none of the newest 10,000 tasks in memory://" in none.stderr
    assert "ends with '34abcdef12': write the whole id" in none.stderr


@pytest.mark.parametrize("text", ["abcde", "cat.jpg", ""])
def test_what_cannot_be_an_id_is_refused(shop: Shop, text: str) -> None:
    done = shop.run("tasks", "show", text)

    assert done.exit_code == 2
    assert f"{text!r} is not the id of a task" in done.stderr
    assert "the last six characters or more are enough" in done.stderr


def test_it_is_said_how_long_a_task_waited_and_ran(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")
    shop.work()

    shown = shop.run("tasks", "show", task_id).stdout

    assert re.search(r"^started  .*, waited \d+\S+$", shown, re.MULTILINE)
    assert re.search(r"^finished  ?.*, ran \d+\S+$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--status", "done"], "--status 'done': write one of new, process, retry, success"),
        (["--limit", "0"], "--limit '0': write a whole number of 1 or more"),
        (["--limit", "all"], "--limit 'all': write a whole number of 1 or more"),
    ],
)
def test_a_bad_value_is_shown_with_what_is_allowed(
    shop: Shop, arguments: list[str], said: str
) -> None:
    done = shop.run("tasks", "list", *arguments)

    assert done.exit_code == 2
    assert said in done.stderr


def test_nothing_is_cut_where_there_is_no_terminal(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    shop.add("send", "x" * 200)
    shop.work()

    done = shop.run("tasks", "list")

    assert f"ValueError: '{'x' * 200}' is no address" in done.stdout


def test_a_task_is_shown_with_its_traceback(shop: Shop) -> None:
    task_id = shop.add("send", "me")
    shop.work()

    done = shop.run("tasks", "show", task_id)

    assert "error, a dead letter" in done.stdout
    assert "args      ('me',)" in done.stdout
    assert "result" not in done.stdout
    assert 'raise ValueError(f"{to!r} is no address")' in done.stdout
    assert "ValueError: 'me' is no address" in done.stdout


def test_a_task_is_shown_with_its_result(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")
    shop.work()

    done = shop.run("tasks", "show", task_id)

    assert "{'path': 'cat.jpg', 'size': (256, 256)}" in done.stdout


def test_long_arguments_are_cut_for_people_only(shop: Shop) -> None:
    task_id = shop.add("resize", "x" * 5000)

    done, document = shop.run("tasks", "show", task_id), shop.json("tasks", "show", task_id)

    assert "... (5,005 characters in all; --json has the rest)" in done.stdout
    assert document["args"] == ["x" * 5000]


def test_a_task_as_json(shop: Shop) -> None:
    task_id = shop.add("send", "me")
    shop.work()

    document = shop.json("tasks", "show", task_id)

    assert document["status"] == "error"
    assert document["reason"] == "exhausted"
    assert document["history"][-1]["outcome"] == "fail"
    assert document["traceback"].startswith("Traceback")
    assert document["finished_at"].endswith("+00:00")


def test_arguments_that_cannot_be_read_do_not_hide_the_rest(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = shop.add("resize", "cat.jpg")

    def unreadable(data: bytes) -> None:
        msg = "cannot decode"
        raise DecodeError(msg)

    monkeypatch.setattr("qtasks.app.view.decode_arguments", unreadable)

    document = shop.json("tasks", "show", task_id)

    assert document["args"] == "<cannot decode>"


def test_a_task_that_is_not_there(shop: Shop) -> None:
    done = shop.run("tasks", "show", str(uuid4()))

    assert done.exit_code == 2
    assert "error: no record of task" in done.stderr


def test_what_a_task_says_cannot_steer_the_terminal(shop: Shop) -> None:
    task_id = shop.add("send", "\x1b[2Jme\r")
    shop.work()

    shown = shop.run("tasks", "show", task_id).stdout + shop.run("tasks", "list").stdout

    assert "\x1b" not in shown
    assert "\r" not in shown


def test_json_may_stand_before_the_command(shop: Shop) -> None:
    shop.add("resize", "cat.jpg")

    done = shop.run("--json", "tasks", "list")

    assert json.loads(done.stdout)[0]["task"] == "resize"


def test_progress_is_shown_where_a_task_told_it(shop: Shop) -> None:
    half, some, silent = shop.add("scan", 1000, 2000), shop.add("scan", 7, None), shop.add("skip")
    bare = shop.run("tasks", "list").stdout
    shop.work()

    listed = shop.run("tasks", "list").stdout.splitlines()
    shown = shop.run("tasks", "show", half).stdout
    document = {task["id"]: task["progress"] for task in shop.json("tasks", "list")}
    one = shop.json("tasks", "show", half)["progress"]

    assert "progress" not in bare
    assert "progress" in listed[0]
    assert ["1,000 of 2,000 (50%)" in line for line in listed[1:]] == [False, False, True]
    assert "1,000 of 2,000 (50%), looking at shelves, at " in shown
    assert (one["done"], one["total"], one["note"]) == (1000, 2000, "looking at shelves")
    assert (document[some]["done"], document[some]["total"]) == (7, None)
    assert document[silent] is None
    assert "progress" not in shop.run("tasks", "show", silent).stdout
