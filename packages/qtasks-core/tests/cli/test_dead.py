"""``qtasks dead``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from qtasks._core.ids import new_id
from qtasks._runtime.bridge import drive
from qtasks.exc import PartlyDoneError
from qtasks.schemas import Claim, Fail, Message, Retention, Settlement
from qtasks.schemas.error import TaskError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shop


def statuses(shop: Shop, *ids: str) -> list[str]:
    """Returns where the tasks stand; ``gone`` for those without a record."""
    found = [shop.queue.get(task_id) for task_id in ids]
    return ["gone" if task is None else str(task.status) for task in found]


@pytest.fixture
def two(shop: Shop) -> list[str]:
    """Two dead letters: of ``send``, and of ``resize``, called badly, which died after it."""
    ids = []
    for call in (("send", "me"), ("resize", "cat.jpg", 1, 2)):
        ids.append(shop.add(*call))
        shop.work()
    assert statuses(shop, *ids) == ["error", "error"]
    return ids


def test_dead_letters_are_listed(shop: Shop, two: list[str]) -> None:
    shop.add("resize", "fine.jpg")

    document = shop.json("dead", "list")

    assert {task["id"] for task in document} == set(two)


@pytest.mark.parametrize(
    "options",
    [
        ["--task", "send"],
        ["--error", "ValueError"],
        ["--queue", "mail", "--since", "1h"],
        ["--queue", "mail", "--reason", "exhausted"],
    ],
)
def test_filters(shop: Shop, two: list[str], options: list[str]) -> None:
    document = shop.json("dead", "list", *options)

    assert [task["id"] for task in document] == two[:1]


def test_a_dead_letter_is_shown(shop: Shop, two: list[str]) -> None:
    done, document = shop.run("dead", "show", two[0]), shop.json("dead", "show", two[0])

    assert "'me' is no address" in done.stdout
    assert document["dead"] is True


def test_other_tasks_are_not_dead_letters(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")

    done = shop.run("dead", "show", task_id)

    assert done.exit_code == 2
    assert f"{task_id} is not a dead letter: its status is new" in done.stderr


def test_dead_letters_go_back_by_id(shop: Shop, two: list[str]) -> None:
    done = shop.run("dead", "requeue", two[0])

    assert done.stdout == f"requeued 1 in {shop.queue.broker.url}\n"
    assert statuses(shop, *two) == ["new", "error"]


def test_dead_letters_go_back_with_a_filter(shop: Shop, two: list[str]) -> None:
    document = shop.json("dead", "requeue", "--all", "--task", "send")

    assert document == {"requeued": 1, "not_dead": []}
    assert statuses(shop, *two) == ["new", "error"]


def test_attempts_start_anew_unless_they_are_kept(shop: Shop, two: list[str]) -> None:
    shop.run("dead", "requeue", two[0], "--keep-attempts")
    shop.run("dead", "requeue", two[1])

    kept, reset = (shop.queue.get(task_id) for task_id in two)
    assert kept is not None
    assert reset is not None
    assert (kept.attempts, reset.attempts) == (1, 0)


def test_they_can_be_spread(shop: Shop, two: list[str]) -> None:
    shop.run("dead", "requeue", "--all", "--spread", "1h")

    due = [task.record.due_at for task in map(shop.queue.get, two) if task]
    assert max(due) - min(due) > 60


def test_thousands_go_back_page_by_page(shop: Shop) -> None:
    for number in range(1203):
        shop.add("send", str(number))
    shop.work()

    done = shop.run("dead", "requeue", "--all")

    assert done.stdout.startswith("requeued 1,203 in ")
    assert shop.json("dead", "list") == []


@pytest.fixture
def hollow(shop: Shop) -> str:
    """A dead letter that stands for a message which nobody could read."""
    twin = shop.queue.broker.client()
    assert twin is not None
    drive(twin.start())
    message = Message(new_id(0.0), "", "default", b"")
    drive(twin.publish([message]))
    (delivery,) = drive(twin.claim(Claim(("default",), 1, 60.0, "w")))
    end = Fail(TaskError("DecodeError", "it cannot be read"), reason="malformed")
    drive(twin.settle([Settlement(delivery.id, delivery.token, end, receipt=delivery.receipt)]))
    drive(twin.stop())
    return message.id


def test_what_holds_no_task_is_not_sent_back(shop: Shop, hollow: str, two: list[str]) -> None:
    done = shop.run("dead", "requeue", "--all")

    assert done.exit_code == 0
    assert done.stdout.startswith("requeued 2 in ")
    assert f"not requeued, as it could not be read and holds no task: {hollow}" in done.stderr
    assert statuses(shop, hollow, *two) == ["error", "new", "new"]

    done = shop.run("dead", "requeue", hollow, "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"requeued": 0, "not_dead": [], "without_task": [hollow]}
    assert shop.json("dead", "discard", hollow) == {"discarded": 1, "not_dead": []}


def test_code_that_sends_such_letters_back_finds_them_in_the_log(
    shop: Shop, hollow: str, two: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert sorted(shop.queue.requeue("all")) == sorted(two)
    assert f"without a task were not sent back: {hollow}" in caplog.text


def test_an_id_that_is_not_dead_is_exit_code_1(shop: Shop, two: list[str]) -> None:
    fine = shop.add("resize", "cat.jpg")

    done = shop.run("dead", "requeue", fine, two[0])

    assert done.exit_code == 1
    assert done.stdout.startswith("requeued 1 in ")
    assert f"not a dead letter: {fine}" in done.stderr


def test_dead_letters_are_discarded_by_id(shop: Shop, two: list[str]) -> None:
    document = shop.json("dead", "discard", two[0])

    assert document == {"discarded": 1, "not_dead": []}
    assert statuses(shop, *two) == ["gone", "error"]


def test_discarding_all_needs_a_yes(shop: Shop, two: list[str]) -> None:
    refused = shop.run("dead", "discard", "--all")
    done = shop.run("dead", "discard", "--all", "--yes")

    assert refused.exit_code == 2
    assert "add --yes" in refused.stderr
    assert done.stdout.startswith("discarded 2 in ")


@pytest.mark.parametrize("command", ["requeue", "discard"])
@pytest.mark.parametrize("ids", [[], ["6a0b7a5e-7c1b-4b43-8d5e-3f6a0f0e9c11"]])
def test_filters_need_all(shop: Shop, command: str, ids: list[str]) -> None:
    one = shop.run("dead", command, *ids, "--task", "add")
    two = shop.run("dead", command, *ids, "--task", "add", "--since", "1h")

    assert (one.exit_code, two.exit_code) == (2, 2)
    assert "error: --task needs --all, of which filters leave a part; or name ids" in one.stderr
    assert "error: --task and --since need --all" in two.stderr


def test_ids_may_be_shortened(shop: Shop, two: list[str]) -> None:
    shown = shop.json("dead", "show", two[0][-6:])
    requeued = shop.json("dead", "requeue", two[0][-8:], two[1])

    assert shown["id"] == two[0]
    assert requeued == {"requeued": 2, "not_dead": []}


def test_all_lists_all(shop: Shop, two: list[str]) -> None:
    document = shop.json("dead", "list", "--limit", "1", "--all")

    assert {task["id"] for task in document} == set(two)


@pytest.mark.parametrize("arguments", [[], ["--all", "6a0b7a5e-7c1b-4b43-8d5e-3f6a0f0e9c11"]])
def test_ids_or_all(shop: Shop, arguments: list[str]) -> None:
    done = shop.run("dead", "requeue", *arguments)

    assert done.exit_code == 2
    assert "name the ids of dead letters, or say --all; not both" in done.stderr


def test_filters_by_text_and_age(shop: Shop, two: list[str]) -> None:
    by_text = shop.json("dead", "list", "--error", "is no address")
    old = shop.json("dead", "list", "--until", "1h")
    young = shop.json("dead", "list", "--since", "1h", "--until", "0s")

    assert [task["id"] for task in by_text] == two[:1]
    assert old == []
    assert {task["id"] for task in young} == set(two)


@pytest.mark.parametrize("command", ["requeue", "discard"])
def test_a_dry_run_changes_nothing(shop: Shop, two: list[str], command: str) -> None:
    done = shop.run("dead", command, "--all", "--dry-run")
    by_id = shop.json("dead", command, two[0], "--dry-run")

    assert done.stdout.startswith(f"2 would be {command}{'d' if command == 'requeue' else 'ed'} in")
    assert by_id["would_be"] == 1
    assert statuses(shop, *two) == ["error", "error"]


def test_a_limit_needs_all(shop: Shop, two: list[str]) -> None:
    refused = shop.run("dead", "requeue", two[0], "--limit", "1")
    done = shop.json("dead", "requeue", "--all", "--limit", "1")

    assert refused.exit_code == 2
    assert "--limit needs --all" in refused.stderr
    assert done == {"requeued": 1, "not_dead": []}
    assert statuses(shop, *two) == ["error", "new"]  # the newest


def test_who_fails_in_between_says_how_far_it_got(
    shop: Shop, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any, **__: Any) -> list[str]:
        msg = "1 of 2 dead letters were sent back, then the server failed"
        raise PartlyDoneError(msg, (two[0],))

    monkeypatch.setattr("qtasks._core.dead_letters.DeadLetters.requeue", fails)

    done = shop.run("dead", "requeue", "--all")
    as_json = shop.run("dead", "requeue", "--all", "--json")

    assert (done.exit_code, as_json.exit_code) == (1, 1)
    assert done.stdout.startswith("requeued 1 in ")
    assert "error: 1 of 2 dead letters" in done.stderr
    assert json.loads(as_json.stdout)["failed"].startswith("1 of 2")


def test_dead_letters_are_exported_as_lines(shop: Shop, two: list[str]) -> None:
    done = shop.run("dead", "export")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["id"] for line in lines] == two[::-1]
    assert lines[1]["args"] == ["me"]
    assert "no address" in lines[1]["traceback"]
    assert statuses(shop, *two) == ["error", "error"]


def test_an_export_may_be_a_file(shop: Shop, two: list[str], tmp_path: Path) -> None:
    target = tmp_path / "dead.jsonl"
    target.write_text("before", encoding="utf-8")

    done = shop.run("dead", "export", "--task", "send", "-o", str(target))
    told = shop.json("dead", "export", "-o", str(target), "--limit", "1")

    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("exported 1 from ")
    assert told == {"exported": 1, "file": str(target)}
    (line,) = target.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["id"] == two[1]
    assert target.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir() if "dead" in path.name] == ["dead.jsonl"]


def test_a_failed_export_leaves_the_file_as_it_was(
    shop: Shop, two: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "dead.jsonl"
    target.write_text("before", encoding="utf-8")
    monkeypatch.setattr("qtasks.cli.dead_export.document", lambda *_, **__: 1 / 0)

    done = shop.run("dead", "export", "-o", str(target))

    assert isinstance(done.exception, ZeroDivisionError)
    assert target.read_text(encoding="utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir() if "dead" in path.name] == ["dead.jsonl"]


def test_an_export_to_a_directory_is_refused(shop: Shop, two: list[str], tmp_path: Path) -> None:
    done = shop.run("dead", "export", "-o", str(tmp_path))
    nowhere = shop.run("dead", "export", "-o", str(tmp_path / "no" / "dead.jsonl"))

    assert (done.exit_code, nowhere.exit_code) == (2, 2)
    assert "that is a directory; name a file in it" in done.stderr
    assert f"there is no directory {tmp_path / 'no'}; make it first" in " ".join(
        nowhere.stderr.split()
    )


def test_nothing_to_export_is_said(shop: Shop) -> None:
    done = shop.run("dead", "export")

    assert (done.exit_code, done.stdout) == (0, "")
    assert "no dead letters match" in done.stderr


def test_what_was_dropped_is_shown(shop: Shop, two: list[str]) -> None:
    twin = shop.queue.broker.client()
    assert twin is not None
    twin.retention = Retention(dead_limit=1)
    before = shop.run("stats").stdout
    shop.add("send", "you")
    shop.work()
    drive(twin.start())
    drive(twin.sweep())
    drive(twin.stop())

    table, document = shop.run("stats").stdout, shop.json("stats", "mail")
    doctor = shop.run("doctor", "--json").stdout

    assert "dropped" not in before
    assert "dropped" in table
    assert document["queues"][0]["dropped"] == 1
    (finding,) = (one for one in json.loads(doctor)["findings"] if one["subject"] == "dead letters")
    assert finding["message"] == "2 are kept; 1 was dropped, too old or too many."


def test_the_doctor_warns_before_letters_are_dropped(shop: Shop) -> None:
    shop.extend("app.config.dead_limit = 1")
    shop.add("send", "me")
    shop.work()

    done = shop.run("doctor", "--json")

    findings = {one["subject"]: one for one in json.loads(done.stdout)["findings"]}
    finding = findings["dead letters of mail"]
    assert finding["level"] == "warning"
    assert finding["message"] == "1 of 1 that are kept: beyond, the oldest go unseen."
    assert "dead list --queue mail" in finding["fix"]


@pytest.mark.parametrize("option", ["--task", "--queue", "--error", "--reason"])
@pytest.mark.parametrize("text", ["", " ", "\udcff"])
def test_a_filter_that_says_nothing_is_refused(
    shop: Shop, two: list[str], option: str, text: str
) -> None:
    """A variable of the shell that is not set must not stand for all letters."""
    done = shop.run("dead", "discard", "--all", option, text, "--yes")

    assert done.exit_code == 2
    assert option in done.stderr
    assert statuses(shop, *two) == ["error", "error"]
