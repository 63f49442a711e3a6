"""Who is asked before whom."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from qtasks._triggers.registry import TriggerRegistry
from qtasks.exc import RegistrationError
from qtasks.plugins import BasePlugin, Plugin, on


class Seed(BasePlugin):
    def start(self, *args: Any, **kwargs: Any) -> None: ...

    def stop(self, *args: Any, **kwargs: Any) -> None: ...

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> None: ...


def marked(name: str, **options: Any) -> Plugin:
    def method(self: Any) -> None: ...

    kind: Any = type("Marked", (Plugin,), {"method": on("worker_start", **options)(method)})
    plugin: Plugin = kind(name)
    return plugin


def order(registry: TriggerRegistry) -> str:
    return " ".join(one.plugin for one in registry.table.worker_start)


def in_both_spellings(**plugins: dict[str, Any]) -> set[str]:
    """The orders that come out for plugins, added by name and with marks."""
    found = set()
    for spelling in itertools.product([True, False], repeat=len(plugins)):
        registry = TriggerRegistry()
        for (name, options), typed in zip(plugins.items(), spelling, strict=True):
            if typed:
                registry.add(marked(name, **options))
            else:
                registry.add(Seed(name), trigger_names=["worker_start"], **options)
        found.add(order(registry))
    return found


@pytest.mark.parametrize(
    ("plugins", "expected"),
    [
        ({"a": {}, "b": {}, "c": {}}, "a b c"),
        ({"a": {}, "b": {"order": "first"}, "c": {}}, "b a c"),
        ({"a": {"order": "last"}, "b": {}, "c": {}}, "b c a"),
        ({"a": {"order": "first"}, "b": {"order": "first"}, "c": {}}, "a b c"),
        ({"a": {}, "b": {}, "c": {"before": "a"}}, "c a b"),
        ({"a": {}, "b": {}, "c": {"before": ["b", "a"]}}, "c a b"),
        ({"a": {"after": "c"}, "b": {}, "c": {}}, "b c a"),
        ({"a": {"after": "b"}, "b": {}, "c": {}}, "b a c"),
        # who names another moves, and the other stays
        ({"f": {"order": "first"}, "b": {}, "c": {"before": "f"}}, "c f b"),
        ({"a": {"after": "z"}, "b": {}, "z": {"order": "last"}}, "b z a"),
        ({"a": {}, "b": {}, "c": {"before": "b"}, "d": {"before": "c"}}, "a d c b"),
        ({"a": {"after": "b"}, "b": {"after": "c"}, "c": {}, "d": {}}, "c b a d"),
        ({"a": {}, "b": {"before": "nobody", "after": "nobody"}}, "a b"),
    ],
)
def test_one_rule_holds_for_both_spellings(
    plugins: dict[str, dict[str, Any]], expected: str
) -> None:
    assert in_both_spellings(**plugins) == {expected}


def test_who_asked_for_a_trigger_comes_before_who_gets_all() -> None:
    registry = TriggerRegistry()
    registry.add(Seed("global"))
    registry.add(Seed("part"), component="worker")
    registry.add(marked("marked"))
    registry.add(Seed("named"), trigger_names=["worker_start"])
    registry.add(Seed("last"), order="last")
    registry.add(Seed("first"), order="first")
    assert order(registry) == "first marked named global part last"


def test_a_name_counts_as_soon_as_it_is_there() -> None:
    registry = TriggerRegistry()
    registry.add(marked("a", after="c"))
    registry.add(marked("b"))
    assert order(registry) == "a b"
    registry.add(marked("c"))
    assert order(registry) == "b c a"


def test_what_add_plugin_says_wins_over_the_mark() -> None:
    registry = TriggerRegistry()
    registry.add(marked("a"))
    registry.add(marked("b", order="last"), order="first")
    assert order(registry) == "b a"


@pytest.mark.parametrize(
    ("plugins", "message"),
    [
        (
            {"a": {"before": "b"}, "b": {"before": "a"}},
            "'a' says before='b'; 'b' says before='a'",
        ),
        ({"a": {"after": "b"}, "b": {"after": "a"}}, "'a' says after='b'"),
        ({"a": {"before": "a"}}, "'a' wants to be asked before or after itself"),
    ],
)
def test_a_circle_is_refused_and_names_both(
    plugins: dict[str, dict[str, Any]], message: str
) -> None:
    registry = TriggerRegistry()
    *good, (name, options) = plugins.items()
    for other, its in good:
        registry.add(marked(other, **its))
    before = order(registry)
    with pytest.raises(RegistrationError) as caught:
        registry.add(marked(name, **options))
    assert "worker_start" in str(caught.value)
    if len(plugins) > 1:
        assert all(f"{name!r} says" in str(caught.value) for name in plugins)
    else:
        assert message in str(caught.value)
    assert order(registry) == before


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(RegistrationError, match="order='frist' is unknown: use 'first'"):
        TriggerRegistry().add(Seed("a"), order="frist")  # type: ignore[arg-type]  # the mistake
