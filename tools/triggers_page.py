"""Writes docs/triggers.md, the reference of all triggers, from their declarations.

Run it after every change of a trigger::

    python tools/triggers_page.py

A test fails while the page says something else than the code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtasks.contracts.triggers import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtasks.contracts.triggers import TriggerSpec

PAGE: Final = Path(__file__).parents[1] / "docs" / "triggers.md"

_HEAD: Final = """\
# Triggers

Every moment in the life of a task, a worker or an app that a plugin can listen to.
How plugins are written and added is on [its own page](plugins.md).

This page is made from the declarations of the triggers, by `python tools/triggers_page.py`.
Its examples share these imports:

```python
from contextlib import contextmanager
from time import perf_counter

from msgspec import structs

from qtasks.exc import Snooze
from qtasks.plugins import Plugin, on
from qtasks.schemas import Fail, Verdict
```

"""

_FOOT: Final = """\
## All at once

The examples of this page get along with each other, and with a task:

```python
from qtasks import QueueTasks

app = QueueTasks(broker_url="memory://", plugins=[], strict_plugins=True)
examples = [plugin for plugin in Plugin.__subclasses__() if plugin.__module__ == __name__]
for plugin in examples:
    app.add_plugin(plugin())
assert len(examples) == COUNT


@app.task
def add(x: int, y: int) -> int:
    return x + y


task = add.add_task(1, y=2)
app.run_forever(burst=True)
assert task.wait(timeout=30).returning == 3
```
"""

_WHERE: Final = {
    "client": "code that adds tasks and asks for them",
    "worker": "workers",
    "supervisor": "supervisors of worker processes",
}

_KINDS: Final = {
    "notify": "Answers are ignored.",
    "filter": "Each plugin sees the values as the one before left them.",
    "first": "The first answer ends the round.",
    "last": "All are asked, and the last answer counts.",
    "around": "Answers are context managers, entered around the step.",
}

_TITLES: Final = {
    "qtasks": "The app",
    "stats": "Statistics",
    "broker": "The broker",
    "storage": "The storage",
    "global_config": "The shared configuration",
    "starter": "The starter",
    "worker": "The worker",
    "task_executor": "The task executor",
    "plugin": "Plugins",
}


def render() -> str:
    """Returns the page."""
    parts = [_HEAD, *_table(), "\n"]
    for component, title in _TITLES.items():
        specs = [spec for spec in CATALOGUE.values() if spec.component == component]
        parts.append(f"## {title}\n\n")
        for spec in specs:
            parts += _section(spec)
    return "".join([*parts, _FOOT.replace("COUNT", str(len(CATALOGUE)))])


def _table() -> Iterable[str]:
    yield "| trigger | kind | arguments | replaces |\n|---|---|---|---|\n"
    for spec in CATALOGUE.values():
        link = f"[`{spec.name}`](#{spec.name})"
        yield f"| {link} | {spec.kind} | {_names(spec.arguments)} | {_names(spec.returns)} |\n"


def _section(spec: TriggerSpec) -> Iterable[str]:
    where = " and ".join(_WHERE[role] for role in spec.roles)
    yield f"### {spec.name}\n\n{_prose(spec.section(''))}\n\n"
    yield f"*{str(spec.kind).capitalize()}*, in {where}, since {spec.since}.\n"
    yield f"{_KINDS[spec.kind]}\n"
    if spec.per_task:
        yield "Plugins that do not apply to the task are not asked.\n"
    yield "\n| argument | |\n|---|---|\n"
    for name, text in _arguments(spec):
        yield f"| `{name}` | {_plain(text)} |\n"
    yield "\n"
    if text := spec.section("Returns"):
        yield f"**Replaces** {_names(spec.returns)}.\n{_prose(text)}\n\n"
    if text := spec.section("Changed"):
        yield f"**Changed** since QTasks 1.7.\n{_prose(text)}\n\n"
    yield f"```python\n{spec.section('Example')}\n```\n\n"


def _arguments(spec: TriggerSpec) -> list[tuple[str, str]]:
    """Returns what is said of each argument."""
    entries = re.split(r"^(\w+): ", spec.section("Args"), flags=re.MULTILINE)[1:]
    return list(zip(entries[::2], entries[1::2], strict=True))


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def _prose(text: str) -> str:
    """Returns paragraphs with one sentence on a line."""
    paragraphs = [_plain(part) for part in text.split("\n\n")]
    return "\n\n".join(re.sub(r"(?<=[.!?]) (?=[A-Z`])", "\n", part) for part in paragraphs)


def _plain(text: str) -> str:
    """Returns text of a docstring as Markdown, on one line."""
    text = re.sub(r":\w+:`~?([\w.]+)`", lambda match: f"`{match[1]}`", text)
    return " ".join(text.replace("``", "`").split())


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
