"""A plugin that writes down what it hears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Call", "TriggerRecorder"]


class Call(NamedTuple):
    """A trigger that fired.

    Attributes:
        name: the trigger.
        kwargs: its arguments.
        plugin: the name of the recorder that heard it.
    """

    name: str
    kwargs: dict[str, Any]
    plugin: str


class TriggerRecorder(BasePlugin):
    """Writes down every trigger that it gets, in order, and answers none.

    Added before and after another plugin it shows what that one changes::

        before = TriggerRecorder()
        after = before.beside("after")
        app = make_app(plugins=[before, MyPlugin(), after])

    Args:
        name: its name.

    Attributes:
        heard: what it and the recorders beside it heard, in order.
    """

    plugin_api = "1.0"
    name: str

    def __init__(self, name: str = "recorder") -> None:
        super().__init__(name)
        self.heard: list[Call] = []

    def beside(self, name: str) -> TriggerRecorder:
        """Returns another one that writes into the same list.

        Args:
            name: its name.
        """
        other = TriggerRecorder(name)
        other.heard = self.heard
        return other

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing; what was heard stays."""

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002 - triggers have no positional ones
        """Writes the trigger down."""
        self.heard.append(Call(name, kwargs, self.name))

    def names(self) -> list[str]:
        """Returns the names of the triggers, in order."""
        return [call.name for call in self.heard]

    def calls(self, name: str) -> list[dict[str, Any]]:
        """Returns the arguments of each time that a trigger fired.

        Args:
            name: the trigger.
        """
        return [call.kwargs for call in self.heard if call.name == name]

    def clear(self) -> None:
        """Forgets what was heard."""
        self.heard.clear()

    def assert_sequence(self, expected: Iterable[str | tuple[str, Mapping[str, Any]]]) -> None:
        """Checks that these triggers fired in this order; others may have fired in between.

        Args:
            expected: names, or pairs of a name and some of the arguments.

        Raises:
            AssertionError: one of them did not fire, or not after the one before it.
        """
        place = 0
        for number, entry in enumerate(expected, start=1):
            name, wanted = (entry, {}) if isinstance(entry, str) else entry
            rest = self.heard[place:]
            found = next((i for i, call in enumerate(rest) if _fits(call, name, wanted)), None)
            if found is None:
                raise AssertionError(_missing(number, name, wanted, self.names(), place))
            place += found + 1


def _fits(call: Call, name: str, wanted: Mapping[str, Any]) -> bool:
    return call.name == name and all(
        key in call.kwargs and call.kwargs[key] == value for key, value in wanted.items()
    )


def _missing(
    number: int, name: str, wanted: Mapping[str, Any], heard: list[str], place: int
) -> str:
    with_what = f" with {dict(wanted)}" if wanted else ""
    lines = [f"trigger {number} of the sequence, {name}{with_what}, did not fire"]
    if place:
        lines[0] += f" after {heard[place - 1]} (number {place} below)"
    lines += [f"  {index}. {one}" for index, one in enumerate(heard, start=1)]
    return "\n".join(lines if heard else [*lines, "  nothing was heard"])
