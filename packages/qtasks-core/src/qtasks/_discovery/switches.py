"""What the command line says about plugins, for every app of the process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Switches", "current_switches", "switched"]


class Switches(msgspec.Struct, frozen=True):
    """Plugins that are switched on and off for one command.

    Attributes:
        on: those that are used although something else leaves them out.
        off: those that are not used.
        options: options by the name of the plugin, as text.
    """

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    options: dict[str, dict[str, str]] = {}

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Switches:
        """Reads values of ``-p``; the last one about a plugin counts.

        Args:
            texts: ``NAME`` or ``no:NAME`` each.

        Raises:
            ConfigError: one names no plugin.
        """
        wanted: dict[str, bool] = {}
        for text in texts:
            name = text.removeprefix("no:").strip()
            if not name:
                msg = f"-p {text!r}: write -p NAME, or -p no:NAME to switch it off"
                raise ConfigError(msg)
            wanted[name] = not text.startswith("no:")
        return cls(
            on=tuple(name for name, on in wanted.items() if on),
            off=tuple(name for name, on in wanted.items() if not on),
        )

    def with_options(self, options: Mapping[str, Mapping[str, str]]) -> Switches:
        """Returns these switches with more options of plugins."""
        names = {*self.options, *options}
        merged = {n: {**self.options.get(n, {}), **options.get(n, {})} for n in sorted(names)}
        return Switches(self.on, self.off, merged)


_current = Switches()


def current_switches() -> Switches:
    """Returns what the command line of this process says."""
    return _current


@contextmanager
def switched(switches: Switches) -> Iterator[None]:
    """Has these switches hold for every app, until the block ends.

    Args:
        switches: what the command line says.
    """
    global _current  # noqa: PLW0603 - the command line is one for the process
    before, _current = _current, switches
    try:
        yield
    finally:
        _current = before
