"""What the tests of the command line share: a shop with a few tasks, and a way to run commands."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from qtasks import QueueTasks
from qtasks._runtime.bridge import drive
from qtasks.cli.commands import cli
from qtasks.schemas import Presence

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOP = """
from qtasks.exc import Discard
from {module} import QueueTasks

app = QueueTasks("shop", broker_url="{url}")


@app.task
def resize(path: str, width: int = 256) -> dict:
    return {{"path": path, "size": (width, width)}}


@app.task(queue="mail")
def send(to: str) -> None:
    if "@" not in to:
        raise ValueError(f"{{to!r}} is no address")


@app.task
def skip() -> None:
    raise Discard("not today")


@app.task(echo=True)
def scan(self, done: int, total: int | None) -> None:
    self.ctx.progress(done, total, "looking at shelves")
"""


class Shop:
    """A program that adds tasks, and the commands that are run beside it."""

    def __init__(self, url: str) -> None:
        self.queue = QueueTasks("producer", broker_url=url)

    def extend(self, text: str) -> None:
        """Adds lines to the module of the app, which is in the working directory."""
        with Path("shop.py").open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")

    def run(self, *arguments: str, **options: Any) -> Result:
        """Runs ``qtasks -A shop:app ...`` in this process."""
        return CliRunner().invoke(cli, ["-A", "shop:app", *arguments], **options)

    def json(self, *arguments: str) -> Any:
        """Runs a command with ``--json`` and returns the document; it must have succeeded."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def work(self) -> None:
        """Runs everything that is queued."""
        done = self.run("run", "--burst", "--queues", "default,mail")
        assert done.exit_code == 0, done.output

    def report(self) -> None:
        """Makes a worker known."""
        twin = self.queue.broker.client()
        assert twin is not None
        drive(twin.start())
        drive(twin.report(Presence("here-1", "here", 1, ("mail",), slots=8, running=2), 60))
        drive(twin.stop())

    def add(self, name: str, *args: Any) -> str:
        """Adds a task and returns its id."""
        queue = "mail" if name == "send" else "default"
        return self.queue.add_task(name, *args, queue=queue).id


@pytest.fixture(params=["qtasks", "qtasks.asyncio"])
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """A shop whose app is of either kind."""
    in_file = "shop_in_a_file" in request.fixturenames
    url = f"sqlite:///{tmp_path}/shop.db" if in_file else f"memory://{uuid4().hex}"
    text = SHOP.format(module=request.param, url=url)
    (tmp_path / "shop.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    made = Shop(url)
    yield made
    made.queue.close()


@pytest.fixture
def shop_in_a_file(shop: Shop) -> Shop:
    """The same shop, whose queue is a file that several processes can share."""
    return shop


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undoes what a command does to its process."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "120")
    modules, level = set(sys.modules), logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)
    for name in set(sys.modules) - modules:
        if not name.startswith(("qtasks", "rich", "typer")) and name in CREATED:
            del sys.modules[name]


#: The modules that tests write and import.
CREATED = {"shop", "factory", "broken", "needs", "exits", "plain", "warehouse"}
