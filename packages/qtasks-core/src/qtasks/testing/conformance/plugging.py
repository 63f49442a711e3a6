"""What the tests of plugins stand on: fresh plugins, both colours, limits of time."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import pytest

from qtasks.contracts.on import choose
from qtasks.plugins import BasePlugin
from qtasks.testing.conformance.base import CONTRACT, suite_tests, untouched, version
from qtasks.testing.conformance.passage import Passage, Watched, pass_through

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

__all__ = ["MakePlugin", "Plugging", "finished", "life"]

T = TypeVar("T")

#: A class of plugins, or a function without arguments that makes one.
MakePlugin: TypeAlias = Callable[[], Any]


async def finished(value: Any) -> Any:
    """Returns a value, awaited if it has to be."""
    return await value if inspect.isawaitable(value) else value


def life(plugin: Any, step: str, **arguments: Any) -> Any:
    """Calls ``start`` or ``stop`` as an app does: with what it takes of the arguments."""
    method = getattr(plugin, step)
    return method(**choose(method, {"role": "worker", **arguments}))


class Plugging:
    """The frame of the suite for plugins.

    Attributes:
        CONTRACT: the version of the contract that the plugin under test was written for; tests
            of later rules are skipped.
        MODIFIES: whether the plugin changes results on purpose.
        TRIGGER_NAMES: with which ``trigger_names`` its users add it; None for all triggers, and
            for a plugin that says itself what it listens to.
        COMPONENT: with which ``component`` its users add it.
        PATIENCE: real seconds after which a call that should have ended is called a hang.
    """

    CONTRACT: ClassVar[str] = CONTRACT
    MODIFIES: ClassVar[bool] = False
    TRIGGER_NAMES: ClassVar[tuple[str, ...] | None] = None
    COMPONENT: ClassVar[str | None] = None
    PATIENCE: ClassVar[float] = 20.0

    @pytest.fixture
    def plugin(self) -> MakePlugin:
        """What makes the plugin under test; to be overridden."""
        msg = (
            "define a fixture named 'plugin' that returns the plugin's class, or a function"
            " without arguments that makes a plugin"
        )
        raise NotImplementedError(msg)

    @pytest.fixture(params=["sync", "async"])
    def colour(self, request: pytest.FixtureRequest) -> str:
        """The colour of the app."""
        colour: str = request.param
        return colour

    @pytest.fixture(autouse=True)
    def _gate(self, request: pytest.FixtureRequest) -> None:
        if version(getattr(request.function, "since", CONTRACT)) > version(self.CONTRACT):
            pytest.skip(f"newer than version {self.CONTRACT} of the contract")

    def make(self, plugin: MakePlugin) -> Any:
        """Makes a plugin, with options as an app would give it, and says so if that cannot be."""
        if not callable(plugin):
            pytest.fail(
                f"the fixture 'plugin' returned {plugin!r}: return the class, or a function that"
                " makes a plugin, because the tests need new ones"
            )
        made = plugin()
        declared = getattr(made, "Options", None)
        if declared is not None and getattr(made, "options", None) is None:
            made.options = declared()
        return made

    def watch(self, plugin: MakePlugin, **more: Any) -> Watched:
        """Makes a plugin and watches it.

        Args:
            plugin: what makes it.
            **more: arguments that every trigger gets beside its own.
        """
        made = self.make(plugin)
        assert isinstance(made, BasePlugin), f"{made!r} is no BasePlugin"
        return Watched(made, **more)

    def pass_through(self, colour: str, *plugins: BasePlugin) -> Passage:
        """Runs a task of each kind in an app with these plugins, in limited time."""
        return self.in_time(
            lambda: pass_through(colour, plugins, self.TRIGGER_NAMES, self.COMPONENT),
            "an app with the plugin",
        )

    def play(self, calls: Iterable[tuple[str, Callable[[], Any]]]) -> None:
        """Makes calls one after the other on one loop, in limited time.

        Args:
            calls: what each is called, and the call.
        """
        steps = list(calls)
        doing = [steps[0][0]]

        async def run() -> None:
            for name, call in steps:
                doing[:] = [name]
                await finished(call())

        self.in_time_of(run, doing)

    def in_time(self, call: Callable[[], T], doing: str) -> T:
        """Makes a blocking call in a thread of its own; a hang becomes a failure.

        Args:
            call: the call.
            doing: what hangs if it does not end.
        """
        return self._in_thread(call, [doing])

    def in_time_of(self, make: Callable[[], Coroutine[Any, Any, T]], doing: list[str]) -> T:
        """Runs a coroutine on a loop of its own, as :meth:`in_time` does.

        Args:
            make: returns the coroutine.
            doing: holds what it does at the moment.
        """
        return self._in_thread(lambda: asyncio.run(make()), doing)

    def _in_thread(self, call: Callable[[], T], doing: list[str]) -> T:
        answers: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                answers.append(call())
            except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
                errors.append(error)

        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(run,), daemon=True, name="conformance")
        thread.start()
        thread.join(self.PATIENCE)
        if thread.is_alive():
            pytest.fail(f"{doing[0]} did not end within {self.PATIENCE:g} s")
        if errors:
            raise errors[0]
        return answers[0]

    # The rule of the suites

    def test_no_test_is_overridden(self) -> None:
        """A suite is passed as it stands.

        If this fails: a test of the suite is overridden or deleted in the subclass. Mark the
        override with ``pytest.mark.xfail(reason=...)`` to own up to a gap.
        """
        replaced = [name for name in suite_tests(type(self)) if not untouched(type(self), name)]
        assert replaced == []
