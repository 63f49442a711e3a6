"""The tables of the documentation say what the code says."""

from __future__ import annotations

import inspect
import re
import runpy
import textwrap
from pathlib import Path
from typing import get_args

import pytest

import qtasks.exc
from qtasks import QueueTasks
from qtasks._config import SETTINGS, Setting, show
from qtasks._config.names import FORMER
from qtasks._core.decisions.history import FIRST, LAST
from qtasks.adapters.redis.url import _OPTIONS
from qtasks.app.events import EVENTS
from qtasks.cli.commands import cli
from qtasks.contracts.triggers import CATALOGUE, Kind
from qtasks.executors import BaseTaskExecutor, SyncTaskExecutor
from qtasks.schemas import CallOptions, CancelAnswer, Delivery, Message

DOCS = Path(__file__).parents[2] / "docs"
CORE = Path(__file__).parents[2] / "packages" / "qtasks-core"

#: How a setting that has no value by default is shown.
NO_VALUE = "none"


def page(name: str) -> str:
    """Returns the text of a page."""
    return (DOCS / name).read_text(encoding="utf-8")


def table(text: str, first_header: str) -> list[list[str]]:
    """Returns the rows of the table whose first column has this header."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {first_header} |"):
            break
    else:
        pytest.fail(f"there is no table whose first column is {first_header!r}")
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def names(texts: tuple[str, ...]) -> str:
    """Returns names as a cell shows them."""
    return ", ".join(f"`{text}`" for text in texts) or "–"


def test_the_page_of_triggers_is_made_from_what_is_declared_now() -> None:
    tool = runpy.run_path(str(DOCS.parent / "tools" / "triggers_page.py"))

    assert page("triggers.md") == tool["render"](), "run: python tools/triggers_page.py"


def test_every_trigger_has_a_section_of_its_own() -> None:
    sections = re.findall(r"^### (\w+)$", page("triggers.md"), flags=re.MULTILINE)

    assert sorted(sections) == sorted(CATALOGUE)


def test_every_event_is_on_its_page() -> None:
    documented = [(row[0], row[2]) for row in table(page("events.md"), "event")]
    arguments = {row[0] for row in table(page("events.md"), "argument")}

    assert documented == [(f"`{name}`", names(words)) for name, words in EVENTS.items()]
    assert arguments == {f"`{word}`" for words in EVENTS.values() for word in words}


def test_every_kind_of_trigger_is_explained() -> None:
    explained = [row[0] for row in table(page("plugins.md"), "kind")]

    assert explained == [f"`{kind}`" for kind in Kind]


def default_text(setting: Setting) -> str:
    """Returns a default as the table shows it."""
    return NO_VALUE if setting.default is None else f"`{show(setting.default)}`"


@pytest.mark.parametrize(
    "text", [page("configuration.md"), (CORE / "README.md").read_text("utf-8")]
)
def test_every_setting_is_in_the_tables_with_its_default(text: str) -> None:
    settings = [(f"`{name}`", default_text(setting)) for name, setting in SETTINGS.items()]

    assert [(row[0], row[1]) for row in table(text, "setting")] == settings


def test_every_setting_is_shown_with_its_unit_its_variable_and_when_it_applies() -> None:
    declared = [
        [setting.unit, f"`{setting.variable}`", setting.applies] for setting in SETTINGS.values()
    ]

    assert [row[2:5] for row in table(page("configuration.md"), "setting")] == declared


def test_every_setting_of_the_predecessor_that_is_gone_is_on_the_page() -> None:
    rows = table(page("configuration.md").partition("## Settings of QTasks 1.7")[2], "setting")

    assert rows == [[f"`{name}`", instead] for name, instead in FORMER.items()]


def test_every_option_of_a_call_is_explained() -> None:
    rows = table(page("tasks.md"), "option") + table(
        page("tasks.md").partition("## Adding")[2], "option"
    )
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}

    assert explained >= set(CallOptions.__struct_fields__)


def test_every_answer_to_a_cancel_is_explained() -> None:
    explained = [row[0].strip("`") for row in table(page("tasks.md"), "answer")]

    assert explained == list(get_args(CancelAnswer))


def test_every_reason_of_the_page_is_one_of_the_code() -> None:
    source = "".join(path.read_text("utf-8") for path in (CORE / "src").rglob("*.py"))
    reasons = set(re.findall(r'\breason(?:: str)? ?= ?"(\w+)"', source))

    explained = [row[0].strip("`") for row in table(page("tasks.md"), "reason")]

    assert reasons.issuperset(explained)


def test_the_bounds_of_the_history_are_those_of_the_code() -> None:
    assert f"keeps the first {FIRST} and the last {LAST} of them" in page("tasks.md")


def test_every_attribute_of_an_executor_is_explained() -> None:
    task = QueueTasks(broker_url="memory://").task("name")(len)
    delivery = Delivery(Message("id", "name", "queue", b""), 1)
    executor = SyncTaskExecutor(task.definition, delivery)

    rows = table(page("executors.md"), "attribute")
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}

    of_a_run = BaseTaskExecutor.__annotations__.keys() - {"STEPS"}
    assert explained == vars(executor).keys() | of_a_run


def test_every_step_of_an_executor_is_explained() -> None:
    rows = table(page("executors.md"), "step")

    assert tuple(row[0].strip("`()") for row in rows) == BaseTaskExecutor.STEPS


def test_the_tree_of_exceptions_is_that_of_the_module() -> None:
    tree = (inspect.getdoc(qtasks.exc) or "").partition("::\n\n")[2]

    assert textwrap.dedent(tree).strip() in page("errors.md")


def test_the_tree_of_exceptions_is_complete() -> None:
    tree = inspect.getdoc(qtasks.exc) or ""

    assert not [name for name in qtasks.exc.__all__ if not re.search(rf"\b{name}\b", tree)]


def test_every_command_has_a_section() -> None:
    groups = [group.name for group in cli.registered_groups]
    commands = [
        command.name or command.callback.__name__
        for command in cli.registered_commands
        if command.callback
    ]

    text = page("cli.md")
    assert not [name for name in [*commands, *groups] if f"\n## {name}\n" not in text]


def test_every_option_of_a_redis_url_is_explained() -> None:
    assert table(page("brokers.md"), "option") == [
        [f"`{name}`", meaning] for name, meaning in _OPTIONS.items()
    ]


def test_every_key_on_redis_is_explained() -> None:
    scripts = (CORE / "src" / "qtasks" / "adapters" / "redis" / "scripts").glob("*.lua")
    source = "".join(path.read_text("utf-8") for path in scripts)
    used = set(re.findall(r"P \.\. '(\w+:?)", source))

    rows = table(page("brokers.md"), "key")
    explained = {name for row in rows for name in re.findall(r"`([a-z]+:?)", row[0])}

    assert explained == used
