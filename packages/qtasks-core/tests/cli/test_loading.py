"""``-A``: what it finds, and what it says when it finds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks
from qtasks.cli.loading import load_app
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


FACTORY = """
from qtasks import QueueTasks

number = 3
backlog = QueueTasks(broker_url="memory://")

def make():
    return QueueTasks("made", broker_url="memory://")

def wrong():
    return number

async def slow():
    return backlog

def fails():
    return 1 / 0

@backlog.task
def task():
    pass
"""


def refusal(path: str | None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_app(path)
    return str(caught.value)


def test_an_app_is_found_by_its_name(here: Path) -> None:
    (here / "factory.py").write_text(FACTORY)

    assert isinstance(load_app("factory:backlog"), QueueTasks)


def test_the_name_app_may_be_left_out(here: Path) -> None:
    (here / "plain.py").write_text(
        "from qtasks import QueueTasks\napp = QueueTasks('plain', broker_url='memory://')"
    )

    assert load_app("plain").name == "plain"
    assert load_app("plain:").name == "plain"


def test_a_function_may_make_the_app(here: Path) -> None:
    (here / "factory.py").write_text(FACTORY)

    assert load_app("factory:make").name == "made"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (None, "no app was given"),
        ("", "no app was given"),
        ("factori:make", "no module 'factori' in {here} or among the installed packages. Did you "),
        ("factori:make", "Did you mean 'factory'?"),
        ("factory.more:app", "no module 'factory.more'"),
        ("factory.py:make", "perhaps -A factory:make"),
        ("./factory.py", "perhaps -A factory:app"),
        ("of/factory.py:make", "perhaps -A of.factory:make"),
        (":make", "'' is not the name of a module"),
        ("factory", "factory.py has no 'app'. Apps there: factory:backlog."),
        ("factory:backlock", "Did you mean factory:backlog?"),
        ("factory:number", "number is an int, not a QueueTasks app. Apps there: factory:backlog."),
        ("factory:task", "task is a SyncTask, not a QueueTasks app."),
        ("factory:wrong", "the function returned an int"),
        ("factory:slow", "the function returned a coroutine"),
        ("plain:mak", "There is no app at the top level of plain."),
        ("plain:mak", "Did you mean plain:make?"),
    ],
)
def test_what_is_no_app_is_explained(here: Path, path: str | None, said: str) -> None:
    (here / "factory.py").write_text(FACTORY)
    (here / "plain.py").write_text("def make():\n    pass")

    assert said.format(here=here) in refusal(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("broken:app", "importing broken failed, see above"),
        ("needs:app", "importing needs failed, see above"),
        ("exits:app", "importing exits failed, see above"),
        ("factory:fails", "calling fails() failed, see above"),
    ],
)
def test_an_app_that_fails_shows_where(
    here: Path, path: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "factory.py").write_text(FACTORY)
    (here / "broken.py").write_text(
        "from qtasks import QueueTasks\n"
        "app = QueueTasks(broker_url='memory://')\n"
        "try:\n"
        "    1 / 0\n"
        "except ZeroDivisionError as error:\n"
        "    raise ExceptionGroup('both', [error, app.task('no name')]) from error\n"
    )
    (here / "needs.py").write_text("import no_such_module_anywhere")
    (here / "exits.py").write_text("import sys\nsys.exit('bye')")

    message = refusal(path)

    traceback = capsys.readouterr().err
    assert said in message
    assert f'File "{here / path.partition(":")[0]}.py", line' in traceback
    assert "importlib" not in traceback
    assert "qtasks/app" not in traceback
