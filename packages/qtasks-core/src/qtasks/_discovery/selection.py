"""Which of the installed plugins are wanted, and who says so."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

import msgspec

from qtasks._config import CODE
from qtasks._discovery.entries import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qtasks._config import PluginSettings, Source
    from qtasks._discovery.entries import Entry
    from qtasks._discovery.switches import Switches

__all__ = ["Selection", "Unwanted", "package_of"]

#: How the packages of plugins are called by convention; ours are.
_PREFIX: Final = "qtasks-plugin-"


class Unwanted(msgspec.Struct, frozen=True):
    """Why a plugin is not used.

    Attributes:
        reason: one sentence.
        fix: what to do to use it.
    """

    reason: str
    fix: str


class Selection:
    """What code, command line, environment and file say about which plugins are used.

    Who switches a plugin off wins over who wants it, except that ``-p NAME`` of the command line
    wins over everybody. Plugins go by their names, or by those of their distributions.

    Args:
        names: the installed plugins that the code wants; None for all of them.
        settings: what environment and file say.
        switches: what the command line says.
    """

    def __init__(
        self, names: Sequence[str] | None, settings: PluginSettings, switches: Switches
    ) -> None:
        self._switches = switches
        self._disabled = settings.disabled
        #: The only installed plugins that are used and who says so; None for all of them.
        self.use: tuple[tuple[str, ...], Source] | None = settings.use
        if names is not None:
            self.use = tuple(names), CODE

    def unwanted(
        self, name: str, distribution: str = "", *, added: bool = False
    ) -> Unwanted | None:
        """Returns why a plugin is not used; None if it is wanted.

        Args:
            name: its name.
            distribution: the distribution that brings it.
            added: whether it was added by hand, so that nobody needs to name it.
        """
        known = {name, canonical(distribution)} - {""}
        if known & _both(self._switches.on):
            return None
        if known & _both(self._switches.off):
            return Unwanted(f"-p no:{name} switches it off", f"leave -p no:{name} out")
        if self._disabled is not None and known & _both(self._disabled[0]):
            where = _where("disable_plugins", self._disabled[1])
            return Unwanted(f"{where} switches it off", f"take {name} out of {where}, or -p {name}")
        if self.use is None or added or known & _both(self.use[0]):
            return None
        where = _where("plugins", self.use[1])
        listed = ", ".join(self.use[0]) or "none"
        return Unwanted(
            f"{where} names those that are used: {listed}", f"add {name} to {where}, or -p {name}"
        )

    def absent(self, entries: Iterable[Entry]) -> dict[str, Unwanted]:
        """Returns the names that somebody wants and nobody has installed, with what to type.

        Args:
            entries: what is installed.
        """
        there = {e.name for e in entries} | {canonical(e.distribution) for e in entries}
        wanted = dict.fromkeys(self._switches.on, "-p")
        if self.use is not None:
            where = _where("plugins", self.use[1])
            wanted |= dict.fromkeys(self.use[0], where)
        return {
            name: Unwanted(f"{where} names it, and it is not installed", _fix(name, there))
            for name, where in wanted.items()
            if not there & _both([name])
        }

    def needless(self, known: Iterable[str]) -> dict[str, Unwanted]:
        """Returns the names that somebody switches off and no plugin has, with what to do.

        Args:
            known: names of plugins, and of the distributions that bring them.
        """
        there = {*known, *map(canonical, known)} - {""}
        off = {}
        if self._disabled is not None:
            off = dict.fromkeys(self._disabled[0], _where("disable_plugins", self._disabled[1]))
        off |= {name: f"-p no:{name}" for name in self._switches.off}
        return {
            name: Unwanted(
                f"{where} switches it off, and there is no such plugin", _known(name, there)
            )
            for name, where in off.items()
            if not there & _both([name])
        }


def package_of(name: str) -> str:
    """Returns the package that most likely brings a plugin, for the line to type."""
    name = canonical(name)
    return name if name.startswith("qtasks-") else f"{_PREFIX}{name}"


def _fix(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    guess = f"did you mean {close[0]}? Else " if close else ""
    return f"{guess}pip install {package_of(name)}"


def _known(name: str, there: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(there), n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"the plugins are {', '.join(sorted(there)) or 'none'}"


def _both(names: Iterable[str]) -> set[str]:
    """Returns names as they are, and as names of distributions."""
    listed = list(names)
    return {*listed, *map(canonical, listed)}


def _where(key: str, source: Source) -> str:
    match source.kind:
        case "environment":
            return source.where
        case "code":
            return f"{key}= of the app"
        case _:
            return f"{key} in {source.phrase}"
