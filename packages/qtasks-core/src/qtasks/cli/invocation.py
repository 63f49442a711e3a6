"""One invocation: the app it is about, and how questions reach the app's servers.

Both kinds of app share the engine's client, whose methods are coroutines. The commands run those
in a loop of their own, so no command has to know which kind of app it was given.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, TypeVar

import typer

from qtasks._core.client import Client
from qtasks.app.base import BaseQueueTasks
from qtasks.cli.loading import load_app
from qtasks.cli.output import Output
from qtasks.cli.places import place_of, without_secrets

__all__ = ["AsJson", "Invocation", "invocation"]

T = TypeVar("T")

#: The option that every command has.
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


@dataclass
class Invocation:
    """What stood before the command.

    Attributes:
        app_path: the value of ``-A``.
        as_json: whether the answer is JSON.
    """

    app_path: str | None = None
    as_json: bool = False

    @cached_property
    def app(self) -> BaseQueueTasks:
        """The app, loaded on first use."""
        with self.alone():
            return load_app(self.app_path)

    @cached_property
    def output(self) -> Output:
        """Where the answer goes."""
        return Output(as_json=self.as_json)

    @property
    def place(self) -> str:
        """Where the app's tasks are, as one line."""
        return place_of(self.app)

    @property
    def nobody_works(self) -> str:
        """What is said where no worker is alive."""
        return f"no worker is alive; start one: {self.command('run')}"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Has what the app's code prints go to standard error, so that a document stands alone."""
        with redirect_stdout(sys.stderr) if self.as_json else nullcontext():
            yield

    def clean(self, text: str) -> str:
        """Hides the passwords of the app's servers, and what looks like one, in a text."""
        # The app is not loaded for this: it may be what failed.
        app: BaseQueueTasks | None = self.__dict__.get("app")
        return without_secrets(text, () if app is None else (app.broker.url, app.storage.url))

    def ask(self, question: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Connects, runs a coroutine over the app's client, disconnects, and returns its answer.

        Raises:
            QTasksError: what the client raises.
        """
        app = self.app
        app._discovery.register()  # noqa: SLF001 - as below

        async def run() -> T:
            client = app._client(app._connection)  # noqa: SLF001 - the one door for both kinds of app
            try:
                return await question(client)
            finally:
                await client.stop()

        return asyncio.run(run())

    def command(self, arguments: str) -> str:
        """Returns the line that runs another command on the same app."""
        return f"qtasks -A {self.app_path} {arguments}"


def invocation(ctx: typer.Context, *, as_json: bool) -> Invocation:
    """Returns what stood before the command, with the command's own ``--json`` added."""
    found: Invocation = ctx.obj
    found.as_json = found.as_json or as_json
    return found
