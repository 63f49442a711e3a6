"""What an answer may replace is replaced, and seen by the task, its record or its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from qtasks.contracts.codec import decode, encode, encode_arguments
from qtasks.contracts.triggers import CATALOGUE
from qtasks.schemas import Success, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Answering, Stage


def in_memory(test: Any) -> Any:
    """Has a test run on the queue in memory alone."""
    return pytest.mark.parametrize("url", ["memory"], indirect=True)(test)


FORTY_TWO = encode_arguments(((42,), {}), "")


def with_headers(message: Any) -> Any:
    return msgspec.structs.replace(message, headers={"by": "plugin"})


def with_argument(delivery: Any) -> Any:
    message = msgspec.structs.replace(delivery.message, payload=FORTY_TWO)
    return msgspec.structs.replace(delivery, message=message)


def with_result(model: Any) -> Any:
    return msgspec.structs.replace(model, outcome=Success(encode(42)))


def first_headers(stage: Stage) -> Any:
    return stage.do(stage.same.add_task("x")).headers


def got_headers(stage: Stage) -> Any:
    return stage.do(stage.app.get(stage.do(stage.same.add_task("x")).id)).headers


def shared(stage: Stage) -> Any:
    stage.do(stage.app.global_config.set("mail", "host", "localhost"))
    return stage.do(stage.app.global_config.get_match("*"))


def shared_one(stage: Stage) -> Any:
    return stage.do(stage.app.global_config.get("mail", "host", "nothing"))


def shared_all(stage: Stage) -> Any:
    return stage.do(stage.app.global_config.get_all("mail"))


def wants_filled(filled: Any) -> Any:
    return filled


BY_PLUGIN = {"by": "plugin"}

#: For each trigger: an answer, what is looked at, and what must be seen there.
REPLACED: list[tuple[str, Any, Callable[[Stage], Any], Any]] = [
    ("qtasks_add_task_before_broker", {"args": (42,)}, lambda stage: stage.result(), 42),
    ("qtasks_add_task_before_broker", {"headers": BY_PLUGIN}, first_headers, BY_PLUGIN),
    (
        "qtasks_add_task_before_broker",
        {"task_name": "other"},
        lambda stage: stage.result(),
        ["other", "x"],
    ),
    (
        "qtasks_get",
        {"task": "another"},
        lambda stage: stage.do(stage.app.get(stage.do(stage.same.add_task("x")).id)),
        "another",
    ),
    ("broker_add_before", lambda model, **_: with_headers(model), first_headers, BY_PLUGIN),
    ("storage_add", lambda task_status, **_: with_headers(task_status), got_headers, BY_PLUGIN),
    ("storage_get", lambda result, **_: with_headers(result), got_headers, BY_PLUGIN),
    ("broker_get", lambda task, **_: {"task": with_headers(task)}, got_headers, BY_PLUGIN),
    (
        "storage_get_all",
        {"results": []},
        lambda stage: (first_headers(stage), stage.do(stage.app.list_tasks()))[1],
        ([], None),
    ),
    ("broker_add_worker", {"args": [42]}, lambda stage: stage.result(), 42),
    ("broker_add_worker", {"task_name": "other"}, lambda stage: stage.result(), ["other", "x"]),
    ("worker_add", {"args": (), "kw": {"x": 42}}, lambda stage: stage.result(), 42),
    ("worker_add", {"priority": 3, "created_at": 1.0}, lambda stage: stage.result(), "x"),
    (
        "storage_add_process",
        lambda task_data, **_: {"task_data": with_argument(task_data)},
        lambda stage: stage.result(),
        42,
    ),
    (
        "worker_run_task_before",
        lambda worker, **_: {"task_func": worker._tasks["other"]},
        lambda stage: stage.result(),
        ["other", "x"],
    ),
    (
        "worker_run_task_before",
        lambda task_broker, **_: {"task_broker": with_argument(task_broker)},
        lambda stage: stage.result(),
        42,
    ),
    (
        "worker_execute_before",
        lambda model, **_: with_argument(model),
        lambda stage: stage.result(),
        42,
    ),
    (
        "worker_task_error_retry",
        Verdict("discard", reason="enough"),
        lambda stage: stage.run(stage.fail).reason,
        "enough",
    ),
    (
        "worker_remove_finished_task",
        lambda model, **_: {"model": with_result(model)},
        lambda stage: stage.result(),
        42,
    ),
    (
        "broker_remove_finished_task",
        lambda model, **_: with_result(model),
        lambda stage: stage.result(),
        42,
    ),
    ("broker_update", {"kw": {"outcome": Success(encode(42))}}, lambda stage: stage.result(), 42),
    ("storage_update", {"outcome": Success(encode(42))}, lambda stage: stage.result(), 42),
    (
        "storage_update",
        {"kw": {"headers": BY_PLUGIN}},
        lambda stage: stage.run().headers,
        BY_PLUGIN,
    ),
    ("global_config_set", {"value": 42}, shared, {"mail:host": 42}),
    ("global_config_set", {"name_": "a", "key": "b"}, shared, {"a:b": "localhost"}),
    ("global_config_get", 42, shared_one, 42),
    ("global_config_get_all", {"get": {"a": 1}}, shared_all, {"a": 1}),
    ("global_config_get_match", {"b": 2}, shared, {"b": 2}),
    ("task_executor_args_replace", {"args": (42,)}, lambda stage: stage.result(), 42),
    (
        "task_executor_fill",
        {"filled": 42},
        lambda stage: stage.run(stage.app.task(wants_filled)).returning,
        42,
    ),
    (
        "task_executor_run_task_gen",
        {"results": [42]},
        lambda stage: stage.run(stage.give).returning,
        [42],
    ),
    (
        "task_executor_after_execute_result_replace",
        {"result": 42},
        lambda stage: stage.run(stage.give).returning,
        42,
    ),
    ("task_executor_decode", 42, lambda stage: stage.result(), 42),
    ("task_executor_run_task", 42, lambda stage: stage.result(), 42),
    (
        "task_executor_run_task_trigger_error",
        42,
        lambda stage: stage.run(stage.ask).returning,
        42,
    ),
]


def test_every_answer_that_counts_is_tried() -> None:
    counting = {name for name, spec in CATALOGUE.items() if spec.returns}

    assert {name for name, *_ in REPLACED} == counting
    for key in ("task_name", "args", "kw", "headers", "priority", "created_at"):
        assert any(isinstance(answer, dict) and key in answer for _, answer, *_ in REPLACED)


@in_memory
@pytest.mark.parametrize("row", REPLACED, ids=lambda row: row[0])
def test_an_answer_takes_effect(
    answering: type[Answering], stage: Stage, row: tuple[str, Any, Callable[[Stage], Any], Any]
) -> None:
    name, answer, look, expected = row
    stage.app.add_plugin(answering(**{name: answer}), trigger_names=[name])

    assert look(stage) == expected


@pytest.mark.parametrize(
    "name", ["broker_add_before", "storage_add", "broker_add_worker", "storage_update"]
)
def test_an_answer_takes_effect_on_every_server(
    answering: type[Answering], stage: Stage, name: str
) -> None:
    [(answer, look, expected), *_] = [row[1:] for row in REPLACED if row[0] == name]
    stage.app.add_plugin(answering(**{name: answer}), trigger_names=[name])

    assert look(stage) == expected


@in_memory
def test_a_model_goes_from_one_trigger_to_the_next(
    answering: type[Answering], stage: Stage
) -> None:
    def more(model: Any, **_: Any) -> Any:
        return msgspec.structs.replace(model, outcome=Success(encode(grow(model.outcome))))

    def grow(outcome: Success) -> int:
        assert outcome.result is not None
        return int(decode(outcome.result)) + 1

    def more_written(kw: Any, **_: Any) -> Any:
        return {"kw": {"outcome": Success(encode(grow(kw["outcome"])))}}

    for number in range(2):
        plugin = answering(
            f"p{number}",
            worker_remove_finished_task=lambda **kwargs: {"model": more(**kwargs)},
            broker_remove_finished_task=more,
            broker_update=more_written,
            storage_update=more_written,
        )
        stage.app.add_plugin(plugin, plugin.answers)

    assert stage.result(1) == 9


@in_memory
def test_a_verdict_may_patch_the_headers_that_the_next_attempt_sees(
    answering: type[Answering], stage: Stage
) -> None:
    def again(attempt: int, task_broker: Any, **_: Any) -> Verdict | None:
        seen.append(task_broker.message.headers)
        tried = {"tried": str(attempt)}
        return Verdict("retry", headers=tried) if attempt < 3 else Verdict("fail", headers=tried)

    seen: list[dict[str, str]] = []
    stage.app.add_plugin(answering(worker_task_error_retry=again), ["worker_task_error_retry"])

    handle = stage.do(stage.fail.options(headers={"by": "me"}).add_task())
    stage.harness.work()

    assert seen == [{"by": "me"}, {"by": "me", "tried": "1"}, {"by": "me", "tried": "2"}]
    assert stage.do(handle.wait(5)).headers == {"by": "me", "tried": "3"}


@in_memory
def test_another_definition_of_the_task_runs_as_it_says(
    answering: type[Answering], stage: Stage
) -> None:
    def double(x: int) -> int:
        return 2 * x

    def replaced(task_func: Any, **_: Any) -> Any:
        other = msgspec.structs.replace(
            task_func, func=double, colour="function", pool="thread", decode=str
        )
        return {"task_func": other}

    plugin = answering(worker_run_task_before=replaced)
    assert stage.result(1) == 1

    stage.app.add_plugin(plugin, ["worker_run_task_before"])
    assert stage.result(1) == "2"
