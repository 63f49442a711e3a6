"""A plugin among others."""

from __future__ import annotations

from typing import Any

from qtasks.contracts.triggers import CATALOGUE, Kind
from qtasks.testing.conformance.passage import Watched
from qtasks.testing.conformance.plugging import MakePlugin, Plugging
from qtasks.testing.troublemakers import ON_PURPOSE, RaisingPlugin

__all__ = ["Neighbours"]

_NEIGHBOURS = ("failing-neighbour-before", "failing-neighbour-after")


class _Failing(Watched):
    """Stands in for a plugin all of whose triggers fail."""

    async def trigger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        await super().trigger(name, *args, **kwargs)
        msg = f"{ON_PURPOSE} in {name}"
        raise RuntimeError(msg)


class Neighbours(Plugging):
    """Rules of living together."""

    def test_it_bears_with_a_neighbour_that_fails(self, plugin: MakePlugin, colour: str) -> None:
        """It goes on when plugins before and after it raise, and tasks end all the same.

        If this fails: it depends on what another plugin does, or gives up at the first sign of
        an error.
        """
        before, after = (RaisingPlugin(name=name) for name in _NEIGHBOURS)
        watched = self.watch(plugin)
        passage = self.pass_through(colour, before, watched, after)
        assert watched.errors == []
        foreign = [line for line in passage.complaints if not any(n in line for n in _NEIGHBOURS)]
        assert foreign == []
        if not self.MODIFIES:
            assert passage.ends == self.pass_through(colour, before, after).ends

    def test_its_failures_bear_its_name(self, plugin: MakePlugin, colour: str) -> None:
        """If it fails the log names it, as ``app.plugins`` and its users do.

        If this fails: let ``name`` be the same all the time.
        """
        failing = _Failing(self.make(plugin))
        name = failing.name
        passage = self.pass_through(colour, failing)
        assert passage.plugins == [name]
        assert passage.complaints != []
        assert [line for line in passage.complaints if name not in line] == []
        assert failing.name == name

    def test_two_of_it_live_side_by_side(self, plugin: MakePlugin, colour: str) -> None:
        """Two of it in one app, under two names, hear the same and do not disturb each other.

        If this fails: keep everything in the instance and nothing in the class or module, and
        let ``name`` be assigned.
        """
        first, second = self.watch(plugin), self.watch(plugin)
        if first.name == second.name:
            second.plugin.name = f"{first.name}-2"
        passage = self.pass_through(colour, first, second)
        assert (first.errors, second.errors) == ([], [])
        assert passage.plugins == [first.name, second.name]
        assert told(first) == told(second)

    def test_two_apps_may_have_one_each(self, plugin: MakePlugin, colour: str) -> None:
        """Two of it in two apps of one process do not disturb each other.

        If this fails: keep everything in the instance and nothing in the class or module.
        """
        first, second = (self.pass_through(colour, self.make(plugin)) for _ in range(2))
        assert (first.complaints, second.complaints) == ([], [])
        assert first.ends == second.ends


def told(plugin: Watched) -> list[str]:
    """Returns the triggers that tell something, in the order in which it heard them."""
    names = [one.trigger for one in plugin.asked]
    # Others may have an answer of the first that keeps them from the second.
    return [n for n in names if n in CATALOGUE and CATALOGUE[n].kind is Kind.NOTIFY]
