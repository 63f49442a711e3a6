"""What a plugin answers, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qtasks.contracts.triggers import CATALOGUE, Kind
from qtasks.schemas import Verdict
from qtasks.testing.conformance.plugging import MakePlugin, Plugging, finished, life

if TYPE_CHECKING:
    from qtasks.contracts.triggers import TriggerSpec
    from qtasks.testing.conformance.passage import Asked

__all__ = ["Answering"]


class Answering(Plugging):
    """Rules of ``trigger``."""

    def test_it_ignores_triggers_that_it_does_not_know(self, plugin: MakePlugin) -> None:
        """An unknown trigger gets None: it may come from a later core, or another plugin.

        If this fails: look the name up with ``.get``, and return None for others.
        """
        made = self.make(plugin)

        async def ask() -> Any:
            await finished(life(made, "start"))
            try:
                return await finished(made.trigger("a_trigger_of_tomorrow", anything=1))
            finally:
                await finished(life(made, "stop"))

        assert self.in_time_of(ask, ["trigger"]) is None

    def test_it_ignores_arguments_that_it_does_not_know(self, plugin: MakePlugin) -> None:
        """A trigger may bring more arguments than it has today.

        If this fails: let every handler take ``**kwargs``.
        """
        watched = self.watch(plugin, argument_of_tomorrow=None)
        self.pass_through("sync", watched)
        assert watched.errors == []

    def test_it_answers_as_the_triggers_want_it(self, plugin: MakePlugin) -> None:
        """What it answers is what the page of the trigger says.

        If this fails: return None where an answer means nothing; a dictionary has only the keys
        that the trigger replaces; a verdict is a ``Verdict``; what goes around a step is a
        context manager.
        """
        watched = self.watch(plugin)
        self.pass_through("sync", watched)
        wrong = [
            f"{asked.trigger}: {asked.answer!r:.200}"
            for asked in watched.asked
            if asked.trigger in CATALOGUE and not fits(CATALOGUE[asked.trigger], asked)
        ]
        assert wrong == []

    def test_it_raises_nothing(self, plugin: MakePlugin, colour: str) -> None:
        """Tasks pass, in both kinds of app, and nothing is wrong with the plugin.

        If this fails: the message names the trigger. A trigger is fired on the loop of a worker,
        and in a synchronous client by the thread that adds tasks.
        """
        passage = self.pass_through(colour, self.make(plugin))
        assert passage.complaints == []

    def test_a_result_is_the_same_without_it(self, plugin: MakePlugin, colour: str) -> None:
        """Tasks end as they would without the plugin.

        If this fails: answer None, or say ``MODIFIES = True`` in the class of the tests if it is
        there to change results.
        """
        if self.MODIFIES:
            pytest.skip("it changes results on purpose")
        with_it = self.pass_through(colour, self.make(plugin))
        without = self.pass_through(colour)
        assert with_it.ends == without.ends


def fits(spec: TriggerSpec, asked: Asked) -> bool:
    """Tells whether an answer is one that the trigger wants."""
    answer = asked.answer
    if answer is None:
        return True
    if spec.kind is Kind.NOTIFY:
        return False
    if spec.kind is Kind.AROUND:
        return any(hasattr(answer, f"__{prefix}enter__") for prefix in ("", "a"))
    if isinstance(answer, dict) and answer and answer.keys() <= set(spec.returns):
        values = list(answer.values())
    elif len(spec.returns) == 1:
        values = [answer]
    else:
        return False
    return spec.returns != ("verdict",) or isinstance(values[0], Verdict)
