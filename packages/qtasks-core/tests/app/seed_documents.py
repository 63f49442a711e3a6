"""The code of the users' documents on plugins as it stands there, and close relatives of it."""
# It is not ours to style or to type:
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN204, E402, EM101, T201, TC001, TRY003
# mypy: disable-error-code="no-untyped-def,no-untyped-call,safe-super,attr-defined"

from __future__ import annotations

from typing import Any

# The plugin of "Пример пользовательского плагина": it answers None.
from qtasks.plugins.base import BasePlugin


class TestPlugin(BasePlugin):
    __test__ = False  # it is a plugin, and pytest collects by name

    def __init__(self, name=None):
        super().__init__(name)
        self.handlers = {"task_executor_run_task_trigger_error": self.task_trigger_error}

    async def start(self, *args, **kwargs):
        return super().start(*args, **kwargs)

    async def stop(self, *args, **kwargs):
        return super().stop(*args, **kwargs)

    async def trigger(self, name, **kwargs):
        handler = self.handlers.get(name)
        if handler:
            return handler(**kwargs)
        return None

    def task_trigger_error(self, **kwargs):
        print(kwargs)


class Answering(TestPlugin):
    """The one of "Обработка в плагине": the same, but it answers."""

    answer: Any = 123

    def task_trigger_error(self, **kwargs):
        print(kwargs)
        return self.answer


class PlainTrigger(Answering):
    """S4: plain methods throughout."""

    def start(self, *args, **kwargs):
        return super(TestPlugin, self).start(*args, **kwargs)

    def stop(self, *args, **kwargs):
        return super(TestPlugin, self).stop(*args, **kwargs)

    def trigger(self, name, **kwargs):
        handler = self.handlers.get(name)
        return handler(**kwargs) if handler else None


class AsyncHandler(Answering):
    """S7: the handler's answer is an awaitable, and trigger() only hands it on."""

    async def task_trigger_error(self, **kwargs):
        return super().task_trigger_error(**kwargs)


class PlainTriggerAsyncHandler(PlainTrigger):
    """S7: trigger() is plain and returns what an async handler gave it."""

    async def task_trigger_error(self, **kwargs):
        return super().task_trigger_error(**kwargs)


class PlainStartThatReturnsAnAwaitable(Answering):
    def start(self, *args, **kwargs):
        return super().start(*args, **kwargs)

    def stop(self, *args, **kwargs):
        return super().stop(*args, **kwargs)


PLUGINS = [
    Answering,
    PlainTrigger,
    AsyncHandler,
    PlainTriggerAsyncHandler,
    PlainStartThatReturnsAnAwaitable,
]

# The tasks of the documents, and their plain twins.

from qtasks import AsyncTask, SyncTask
from qtasks.exc import TaskPluginTriggerError


async def test_task(self: AsyncTask):
    self.ctx.plugin_error(message="Нестандартная ситуация")


async def context_with_text(self: AsyncTask):
    self.ctx.plugin_error("Нестандартная ситуация")


async def context_with_nothing(self: AsyncTask):
    self.ctx.plugin_error()


async def raising(self: AsyncTask):
    raise TaskPluginTriggerError("Нестандартная ситуация")


def plain_context(self: SyncTask):
    self.ctx.plugin_error(message="Нестандартная ситуация")


def plain_raising(self: SyncTask):
    raise TaskPluginTriggerError("Нестандартная ситуация")


async def generating(self: AsyncTask):
    yield 1
    self.ctx.plugin_error(message="Нестандартная ситуация")


def plain_generating(self: SyncTask):
    yield 1
    raise TaskPluginTriggerError("Нестандартная ситуация")


TASKS = [
    test_task,
    context_with_text,
    context_with_nothing,
    raising,
    plain_context,
    plain_raising,
    generating,
    plain_generating,
]
