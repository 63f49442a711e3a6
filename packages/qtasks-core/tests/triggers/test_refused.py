"""What an answer may not replace stays as it was: the answer is the plugin's error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.schemas import Cancel, Success, Verdict

if TYPE_CHECKING:
    from conftest import Answering, Stage


def in_memory(test: Any) -> Any:
    """Has a test run on the queue in memory alone."""
    return pytest.mark.parametrize("url", ["memory"], indirect=True)(test)


def renamed(struct: Any) -> Any:
    return msgspec.structs.replace(struct, id="another")


def unreadable(struct: Any) -> Any:
    """A message or a delivery whose arguments nobody can read."""
    if hasattr(struct, "payload"):
        return msgspec.structs.replace(struct, payload=b"\xff\xff")
    return msgspec.structs.replace(struct, message=unreadable(struct.message))


def moved(delivery: Any) -> Any:
    return msgspec.structs.replace(delivery, token=delivery.token + 1)


#: Answers that are a plugin's error: the id, the token and the status are the engine's.
REFUSED: list[tuple[str, Any]] = [
    ("qtasks_add_task_before_broker", {"priority": "high"}),
    ("qtasks_add_task_before_broker", {"headers": {"number": 1}}),
    ("qtasks_add_task_before_broker", {"task_name": "no name"}),
    ("broker_add_before", lambda model, **_: renamed(model)),
    ("broker_add_before", lambda model, **_: msgspec.structs.replace(model, queue="a b")),
    ("broker_add_before", lambda model, **_: msgspec.structs.replace(model, payload="text")),
    ("broker_add_before", lambda model, **_: msgspec.structs.replace(model, delay=-1.0)),
    ("storage_add", {"uuid": "another"}),
    ("storage_add", lambda task_status, **_: renamed(task_status)),
    ("broker_add_worker", {"uuid": "another"}),
    ("broker_add_worker", {"args": 5}),
    ("broker_add_worker", {"kw": {1: 2}}),
    ("broker_add_worker", {"args": (object(),)}),
    ("worker_add", {"name": "other"}),
    ("worker_add", {"created_at": "now"}),
    ("storage_add_process", {"priority": 1000}),
    ("storage_add_process", lambda task_data, **_: {"task_data": moved(task_data)}),
    ("worker_run_task_before", {"task_func": "other"}),
    ("worker_run_task_before", lambda task_broker, **_: {"task_broker": moved(task_broker)}),
    ("worker_execute_before", "nonsense"),
    ("worker_execute_before", lambda model, **_: moved(model)),
    ("worker_remove_finished_task", lambda model, **_: {"model": moved(model)}),
    (
        "worker_remove_finished_task",
        lambda model, **_: {"model": msgspec.structs.replace(model, outcome=Cancel("no"))},
    ),
    ("broker_remove_finished_task", lambda model, **_: renamed(model)),
    (
        "broker_remove_finished_task",
        lambda model, **_: msgspec.structs.replace(model, outcome=Success("text")),  # type: ignore[arg-type]  # the mistake under test
    ),
    ("broker_update", {"kw": {"uuid": "another"}}),
    ("broker_update", {"kw": {"status": "cancel"}}),
    ("broker_update", {"kw": {"ttl": -1}}),
    ("storage_update", {"kw": {"headers": "text"}}),
    ("storage_update", 5),
    ("task_executor_args_replace", {"args": 5}),
    ("storage_update", {"kw": {"headers": {"long": "x" * 20_000}}}),
    ("qtasks_add_task_before_broker", {"headers": {"long": "x" * 20_000}}),
    ("qtasks_add_task_before_broker", {"args": (object(),)}),
    ("qtasks_add_task_before_broker", {"kw": {"x": "x" * 2_000_000}}),
    ("broker_add_before", lambda model, **_: unreadable(model)),
    ("storage_add", lambda task_status, **_: unreadable(task_status)),
    ("storage_add_process", lambda task_data, **_: {"task_data": unreadable(task_data)}),
    ("worker_run_task_before", lambda task_broker, **_: {"task_broker": unreadable(task_broker)}),
    ("worker_execute_before", lambda model, **_: unreadable(model)),
    (
        "worker_remove_finished_task",
        lambda model, **_: {"model": msgspec.structs.replace(model, outcome=Success(b"\xc1"))},
    ),
    ("storage_update", {"kw": {"outcome": Success(b"\xc1")}}),
    ("task_executor_decode", {"result": object()}),
]


@in_memory
@pytest.mark.parametrize(("name", "answer"), REFUSED)
def test_a_nonsensical_answer_changes_nothing(
    answering: type[Answering],
    stage: Stage,
    name: str,
    answer: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage.app.add_plugin(answering("nonsense", **{name: answer}), trigger_names=[name])

    handle = stage.run()

    assert (handle.status, handle.returning, handle.headers) == ("success", "x", {})
    assert "nonsense" in caplog.text
    assert stage.app.plugin_errors == {("nonsense", name): 1}


@in_memory
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("storage_get", lambda result, **_: renamed(result)),
        ("storage_get", 5),
        ("broker_get", lambda task, **_: msgspec.structs.replace(task, status="cancel")),
        ("storage_get_all", {"results": [5]}),
        ("storage_get_all", 5),
    ],
)
def test_a_nonsensical_record_is_not_shown(
    answering: type[Answering],
    stage: Stage,
    name: str,
    answer: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage.app.add_plugin(answering("nonsense", **{name: answer}), trigger_names=[name])
    handle = stage.do(stage.same.add_task("x"))

    found = stage.do(stage.app.get(handle.id))
    listed, _ = stage.do(stage.app.list_tasks())

    assert (found.id, found.status) == (handle.id, "new")
    assert [one.id for one in listed] == [handle.id]
    assert "nonsense" in caplog.text


@in_memory
@pytest.mark.parametrize(
    "verdict",
    [
        "retry please",
        Verdict("again"),  # type: ignore[arg-type]  # the mistake under test
        Verdict("retry", delay=-1.0),
        Verdict("retry", headers={"number": 1}),  # type: ignore[dict-item]  # likewise
    ],
)
def test_a_nonsensical_verdict_is_none(
    answering: type[Answering], stage: Stage, verdict: Any, caplog: pytest.LogCaptureFixture
) -> None:
    plugin = answering("nonsense", worker_task_error_retry=verdict)
    stage.app.add_plugin(plugin, ["worker_task_error_retry"])

    handle = stage.run(stage.fail)

    assert (handle.status, handle.reason, handle.headers) == ("error", "exhausted", {})
    assert "nonsense" in caplog.text


@in_memory
def test_what_the_caller_gave_stays_the_callers(answering: type[Answering], stage: Stage) -> None:
    def scribble(headers: Any, kw: Any, **_: Any) -> None:
        headers["by"] = kw["x"] = "plugin"

    plugin = answering(qtasks_add_task_before_broker=scribble)
    stage.app.add_plugin(plugin, ["qtasks_add_task_before_broker"])
    headers = {"mine": "yes"}
    call = stage.same.options(headers=headers).build(x="x")

    stage.do(stage.app.add_tasks([call]))

    assert headers == {"mine": "yes"}
    assert call.kwargs == {"x": "x"}
