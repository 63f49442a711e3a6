"""How an app is found again."""

from __future__ import annotations

import os
import sys
import types
from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks
from qtasks._runtime.channel import Channel
from qtasks._supervisor.child import Child
from qtasks._supervisor.loading import AppLoadError, find_app, load_app
from qtasks._supervisor.messages import Failed, Goodbye, Order, Stop
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def app() -> QueueTasks:
    return QueueTasks(broker_url="memory://")


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


def hold(monkeypatch: pytest.MonkeyPatch, module: str, app: object) -> None:
    made = types.ModuleType(module)
    made.queue = app  # type: ignore[attr-defined]  # it is made here
    monkeypatch.setitem(sys.modules, module, made)


def test_a_module_holds_it(app: QueueTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(monkeypatch, "some.shop", app)

    assert find_app(app) == ("some.shop:queue", None)


def test_the_main_file_comes_first_because_it_may_add_tasks(
    app: QueueTasks, monkeypatch: pytest.MonkeyPatch, main: types.ModuleType, tmp_path: Path
) -> None:
    hold(monkeypatch, "some.shop", app)
    script = tmp_path / "script.py"
    script.touch()
    main.__dict__.update(app=app, __file__=str(script))

    assert find_app(app) == ("__main__:app", str(script.resolve()))


def test_a_main_module_that_was_started_by_its_name_is_imported_by_it(
    app: QueueTasks, main: types.ModuleType
) -> None:
    from importlib.machinery import ModuleSpec

    main.__dict__.update(app=app, __spec__=ModuleSpec("shop.__main__", None))

    assert find_app(app) == ("shop.__main__:app", None)


def test_an_app_of_a_prompt_or_a_function_is_refused(
    app: QueueTasks, main: types.ModuleType
) -> None:
    main.__dict__.update(app=app, __file__="<stdin>")

    with pytest.raises(ConfigError, match="define it at the top level of a module"):
        find_app(app)
    with pytest.raises(ConfigError, match="define it at the top level of a module"):
        QueueTasks(broker_url="sqlite:///q.db").run_forever(processes=2)


def test_a_function_that_makes_the_app_is_called(
    app: QueueTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    hold(monkeypatch, "shop_of_a_factory", lambda: app)

    assert load_app(Order("shop_of_a_factory:queue", [*sys.path])) is app


@pytest.mark.parametrize("raised", ["raise SystemExit(3)", "import nothing_of_that_name"])
def test_an_app_that_cannot_be_imported_shows_the_users_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: str
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "shop_with_a_defect.py").write_text(f"{raised}\n", "utf-8")

    with pytest.raises(AppLoadError, match="shop_with_a_defect:app cannot be loaded") as caught:
        load_app(Order("shop_with_a_defect:app", [str(tmp_path), *sys.path]))

    first, file, line, *_ = caught.value.details.splitlines()
    assert first.startswith("Traceback")
    assert "shop_with_a_defect.py" in file
    assert line.strip() == raised
    assert "qtasks" not in caught.value.details


@pytest.mark.parametrize("processes", [0, -1, "2", 1.5])
def test_a_number_of_processes_that_is_none_is_refused(app: QueueTasks, processes: object) -> None:
    with pytest.raises(ConfigError, match=r"processes=.*use a whole number of 1 or more"):
        app.run_forever(processes=processes)  # type: ignore[arg-type]  # what is refused


def test_a_queue_that_lives_in_one_process_is_refused(
    app: QueueTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(monkeypatch, "some.shop", app)

    with pytest.raises(ConfigError, match="memory://: this queue lives in one process"):
        app.run_forever(processes=2)


@pytest.mark.parametrize("stopped", [False, True])
def test_who_is_asked_to_stop_while_it_loads_says_of_no_failure(
    stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ending a process may take time, as where coverage is measured, and imports break in it."""
    monkeypatch.setattr(os, "_exit", lambda _: None)
    requests, answers = os.pipe()
    child = Child(answers)
    order, said = Channel(child.channel.feed), Channel(lambda _: None)
    heard: list[object] = []
    for kind in (Failed, Goodbye):
        said.on(kind, heard.append)
    order.send(Order("nowhere:app", [*sys.path]))
    if stopped:
        order.send(Stop())

    code = child.serve()

    os.close(answers)
    with os.fdopen(requests, "rb") as pipe:
        said.feed(pipe.read())
    assert (code == 0) is stopped
    assert [type(message) for message in heard] == [Goodbye if stopped else Failed]
