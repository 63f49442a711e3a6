"""The plugin that writes down what it hears."""

from __future__ import annotations

from typing import Any

import pytest

from qtasks.plugins import BasePlugin
from qtasks.testing import Call, TriggerRecorder, make_app, run_task


class Doubling(BasePlugin):
    def start(self, *args: Any, **kwargs: Any) -> None: ...

    def stop(self, *args: Any, **kwargs: Any) -> None: ...

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "task_executor_args_replace":
            return {"args": (2 * kwargs["args"][0],)}
        return None


@pytest.fixture
def recorder() -> TriggerRecorder:
    return TriggerRecorder()


def ran(*plugins: BasePlugin) -> object:
    app = make_app(plugins=plugins)
    app.task(name="echo")(lambda x: x)
    return run_task(app, "echo", 21).returning


def test_triggers_are_written_down_in_order(recorder: TriggerRecorder) -> None:
    assert ran(recorder) == 21
    names = recorder.names()
    assert names.index("qtasks_add_task_before_broker") < names.index("worker_execute_before")
    assert recorder.calls("task_executor_run_task")[0]["result"] == 21
    assert recorder.calls("worker_lease_lost") == []
    assert {call.plugin for call in recorder.heard} == {"recorder"}


def test_recorders_around_a_plugin_show_what_it_changes(recorder: TriggerRecorder) -> None:
    assert ran(recorder, Doubling(), recorder.beside("after")) == 42
    heard = [call for call in recorder.heard if call.name == "task_executor_args_replace"]
    assert [(call.plugin, call.kwargs["args"]) for call in heard] == [
        ("recorder", (21,)),
        ("after", (42,)),
    ]


def test_what_was_heard_can_be_forgotten(recorder: TriggerRecorder) -> None:
    recorder.trigger("one")
    recorder.clear()
    assert recorder.heard == []


def test_a_sequence_has_gaps_and_arguments(recorder: TriggerRecorder) -> None:
    ran(recorder)
    recorder.assert_sequence([])
    recorder.assert_sequence(
        ["worker_start", ("task_executor_run_task", {"result": 21}), "worker_stop"]
    )


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (["b", "a"], "trigger 2 of the sequence, a, did not fire after b (number 2 below)"),
        (["c"], "trigger 1 of the sequence, c, did not fire"),
        (["a", "a"], "trigger 2 of the sequence, a, did not fire after a (number 1 below)"),
        ([("a", {"x": 2})], "trigger 1 of the sequence, a with {'x': 2}, did not fire"),
        ([("a", {"y": None})], "trigger 1 of the sequence, a with {'y': None}, did not fire"),
    ],
)
def test_a_wrong_sequence_shows_what_was_heard(
    recorder: TriggerRecorder, expected: list[str], message: str
) -> None:
    recorder.trigger("a", x=1)
    recorder.trigger("b")
    with pytest.raises(AssertionError) as caught:
        recorder.assert_sequence(expected)
    assert str(caught.value) == f"{message}\n  1. a\n  2. b"


def test_silence_is_named(recorder: TriggerRecorder) -> None:
    with pytest.raises(AssertionError, match="nothing was heard"):
        recorder.assert_sequence(["a"])


def test_a_call_is_a_tuple() -> None:
    assert Call("a", {"x": 1}, "recorder") == ("a", {"x": 1}, "recorder")
