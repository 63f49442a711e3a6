"""What a plugin says of itself, and how an app takes it."""

from __future__ import annotations

import inspect
import re
import warnings
from typing import Any

from qtasks.contracts.on import choose
from qtasks.contracts.triggers import CATALOGUE
from qtasks.plugins import PLUGIN_API_VERSION, BasePlugin
from qtasks.testing.app import make_app
from qtasks.testing.conformance.passage import listening
from qtasks.testing.conformance.plugging import MakePlugin, Plugging, life

__all__ = ["Registering"]

#: Characters of the longest text that still fits a line of a log.
_LINE = 500


class Registering(Plugging):
    """Rules of what a plugin is."""

    def test_it_can_be_made(self, plugin: MakePlugin) -> None:
        """What the fixture returns makes plugins, a new one each time.

        If this fails: let every argument of ``__init__`` have a default, or return a function
        that gives the arguments; derive the class from ``BasePlugin`` or ``Plugin``; keep no
        single instance.
        """
        first, second = self.make(plugin), self.make(plugin)
        assert isinstance(first, BasePlugin)
        assert first is not second

    def test_it_has_a_name(self, plugin: MakePlugin) -> None:
        """The name can stand in a list, in an option and in a log.

        If this fails: call ``super().__init__(name)``, and take a name of letters, digits and
        hyphens: colons, commas and spaces separate names elsewhere.
        """
        made = self.make(plugin)
        name = made.name or type(made).__name__
        assert isinstance(name, str)
        assert re.fullmatch(r"[\w.\-]{1,100}", name), f"name={name!r}"
        assert (made.name or type(made).__name__) == name, "the name changes by itself"

    def test_it_says_which_api_it_speaks(self, plugin: MakePlugin) -> None:
        """``plugin_api`` is the version of the contract that it was written for.

        If this fails: write ``plugin_api = "1.0"`` in the class, with the version that
        ``qtasks.plugins.PLUGIN_API_VERSION`` had when it was written.
        """
        api = getattr(self.make(plugin), "plugin_api", None)
        assert isinstance(api, str), f"plugin_api={api!r}"
        assert re.fullmatch(r"\d+\.\d+", api), f"plugin_api={api!r}"
        assert api.partition(".")[0] == PLUGIN_API_VERSION.partition(".")[0], (
            f"plugin_api={api!r}, and this core speaks {PLUGIN_API_VERSION}"
        )

    def test_it_registers_without_a_warning(self, plugin: MakePlugin, colour: Any) -> None:
        """Making it and adding it warns of nothing, in either kind of app.

        If this fails: the warning says what to change.
        """
        app = make_app(colour)
        with warnings.catch_warnings(), listening() as complaints:
            warnings.simplefilter("error")
            app.add_plugin(self.make(plugin), self.TRIGGER_NAMES, self.COMPONENT)
            app.task(name="conformance")(lambda: None)
        assert complaints == []

    def test_it_listens_to_triggers_that_exist(self, plugin: MakePlugin) -> None:
        """Every trigger that it names is one of this core.

        If this fails: the error says which trigger was probably meant; mark a trigger of a
        plugin that may be absent as optional.
        """
        unknown = set(self.TRIGGER_NAMES or ()) - CATALOGUE.keys()
        assert unknown == set()
        app = make_app()
        made = self.make(plugin)
        app.add_plugin(made, self.TRIGGER_NAMES, self.COMPONENT)
        assert made in app.plugins.values()

    def test_it_takes_the_arguments_of_every_trigger(self, plugin: MakePlugin) -> None:
        """``trigger`` takes a name and any keywords; ``start`` and ``stop`` need none but ``role``.

        If this fails: write ``def trigger(self, name, **kwargs)``, and give what ``start`` and
        ``stop`` need to ``__init__``.
        """
        made = self.make(plugin)
        for spec in CATALOGUE.values():
            arguments = dict.fromkeys((*spec.arguments, "argument_of_tomorrow"))
            inspect.signature(made.trigger).bind(spec.name, **arguments)
        for method in (made.start, made.stop):
            arguments = {"role": "worker", "argument_of_tomorrow": None}
            inspect.signature(method).bind(**choose(method, arguments))

    def test_it_can_be_shown(self, plugin: MakePlugin) -> None:
        """``repr`` is one short line, at any time: it stands in logs.

        If this fails: show the class and the name, and neither options nor what was collected.
        """
        made = self.make(plugin)
        shown: list[str] = []
        self.play(
            [
                ("repr", lambda: shown.append(repr(made))),
                ("start", lambda: life(made, "start")),
                ("repr", lambda: shown.append(repr(made))),
                ("stop", lambda: life(made, "stop")),
                ("repr", lambda: shown.append(repr(made))),
            ]
        )
        for text in shown:
            assert "\n" not in text, text
            assert 0 < len(text) <= _LINE, text
