"""What the plugin does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from qtasks import QueueTasks
from qtasks.exc import RetryLater
from qtasks.testing import make_app, plugin_sandbox, run_task

from qtasks_plugin_audit import AuditPlugin, Options

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path) -> list[dict[str, Any]]:
    """Returns the lines of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a test."""
    return tmp_path / "audit.jsonl"


def test_every_end_is_a_line(path: Path) -> None:
    app = make_app("sync", plugins=[AuditPlugin(options=Options(path=str(path)))])

    @app.task
    def divide(x: int, y: int) -> float:
        return x / y

    good = run_task(app, divide, 6, 3)
    bad = run_task(app, divide, 6, 0)

    first, second = written(path)
    assert (first["task"], first["id"], first["end"]) == ("divide", good.id, "success")
    assert (second["id"], second["end"], second["reason"]) == (bad.id, "fail", "exhausted")
    assert second["error"] == "builtins.ZeroDivisionError"
    assert first["final"]
    assert second["final"]


async def test_it_works_in_an_async_app(path: Path) -> None:
    app = make_app("async", plugins=[AuditPlugin(options=Options(path=str(path)))])

    @app.task
    async def double(x: int) -> int:
        return 2 * x

    assert (await run_task(app, double, 4)).returning == 8
    assert [line["end"] for line in written(path)] == ["success"]


def test_arguments_results_and_messages_are_not_written(path: Path) -> None:
    app = make_app("sync", plugins=[AuditPlugin(options=Options(path=str(path), runs=True))])

    @app.task
    def greet(name: str) -> str:
        if name == "hidden-first":
            return name
        raise LookupError(name)

    run_task(app, greet, "hidden-first")
    run_task(app, greet, "hidden-second")

    assert len(written(path)) == 2
    assert "hidden" not in path.read_text("utf-8")


@pytest.mark.parametrize(("runs", "ends"), [(False, ["success"]), (True, ["retry", "success"])])
def test_ends_that_are_not_the_last_are_written_on_request(
    path: Path, runs: bool, ends: list[str]
) -> None:
    app = make_app("sync", plugins=[AuditPlugin(options=Options(path=str(path), runs=runs))])
    begun: list[int] = []

    @app.task
    def stumble() -> None:
        begun.append(1)
        if len(begun) == 1:
            raise RetryLater(delay=60)

    run_task(app, stumble)

    assert [line["end"] for line in written(path)] == ends
    assert [line["run"] for line in written(path)][-1] == 2


def test_only_the_tasks_that_fit_are_written(path: Path) -> None:
    options = Options(path=str(path), tasks=["billing.*", "mail"])
    app = make_app("sync", plugins=[AuditPlugin(options=options)])
    for name in ("billing.charge", "mail", "mailing", "thumbnail"):
        app.task(name=name)(len)
        run_task(app, name, "x")

    assert [line["task"] for line in written(path)] == ["billing.charge", "mail"]


def test_lines_are_added_to_what_is_there(path: Path) -> None:
    path.write_text('{"end": "success"}\n', "utf-8")
    app = make_app("sync", plugins=[AuditPlugin(options=Options(path=str(path)))])
    app.task(name="size")(len)

    run_task(app, "size", "x")

    assert len(written(path)) == 2


def test_a_new_file_is_for_its_owner_alone(path: Path) -> None:
    app = make_app("sync", plugins=[AuditPlugin(options=Options(path=str(path)))])
    app.task(name="size")(len)

    run_task(app, "size", "x")

    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_cannot_be_written_is_told_and_tasks_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = str(tmp_path / "missing" / "audit.jsonl")
    app = make_app("sync", plugins=[AuditPlugin(options=Options(path=missing))])
    app.task(name="size")(len)

    assert run_task(app, "size", "x").returning == 1

    assert missing in caplog.text


@pytest.mark.parametrize(
    ("wrong", "message"), [({"path": ""}, "path = ''"), ({"tasks": []}, "tasks = []")]
)
def test_options_that_would_write_nothing_are_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match="leave") as caught:
        Options(**wrong)

    assert message in str(caught.value)


def test_it_is_found_once_it_is_installed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_AUDIT_PATH", str(path))
    monkeypatch.setenv("QTASKS_AUDIT_TASKS", "billing.*,mail")
    monkeypatch.setenv("QTASKS_AUDIT_RUNS", "yes")

    with plugin_sandbox("audit"):
        found = QueueTasks(broker_url="memory://").plugins["audit"]

    assert found.options == Options(path=str(path), tasks=["billing.*", "mail"], runs=True)
