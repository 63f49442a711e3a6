"""What a new package and its parts are called."""

from __future__ import annotations

import re
from importlib.metadata import entry_points, metadata
from typing import Final, Literal

import msgspec
from packaging.version import Version

from qtasks._discovery.entries import canonical, installed
from qtasks._version import __version__
from qtasks.contracts.plugin import PLUGIN_API_VERSION
from qtasks.exc import ConfigError

__all__ = ["Kind", "Names"]

Kind = Literal["plugin", "broker", "storage"]

#: Where the entry points of each kind are.
_GROUPS: Final[dict[str, str]] = {
    "plugin": "qtasks",
    "broker": "qtasks.brokers",
    "storage": "qtasks.storages",
}
_SUMMARIES: Final[dict[str, str]] = {
    "plugin": "A plugin for QTasks that counts how tasks end.",
    "broker": "A broker for QTasks, for URLs that begin with {name}://.",
    "storage": "A storage for QTasks, for URLs that begin with {name}://.",
}
_LONGEST: Final = 30
_ALLOWED: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PYTHON: Final = "Programming Language :: Python :: "


class Names(msgspec.Struct, frozen=True):
    """The names in a new package.

    Attributes:
        kind: what it is.
        name: the name of the plugin, or the scheme of the URLs.
    """

    kind: Kind
    name: str

    @classmethod
    def of(cls, text: str, kind: Kind) -> Names:
        """Reads a name; that of the whole package does as well.

        Args:
            text: what the user wrote.
            kind: what it is to be.

        Raises:
            ConfigError: it cannot be a name, or is taken in this environment.
        """
        name = text.removeprefix(f"qtasks-{kind}-")
        if not _ALLOWED.fullmatch(name) or len(name) > _LONGEST:
            guess = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:_LONGEST]
            hint = f": perhaps {guess.strip('-')}" if guess else ""
            msg = (
                f"{text!r} cannot be the name of a {kind}: use lower-case letters, digits and"
                f" single hyphens, a letter first, at most {_LONGEST} characters{hint}"
            )
            raise ConfigError(msg)
        made = cls(kind, name)
        made.refuse_if_taken()
        return made

    @property
    def distribution(self) -> str:
        """The name of the package where it is published."""
        return f"qtasks-{self.kind}-{self.name}"

    @property
    def package(self) -> str:
        """The name by which it is imported."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The name of its class."""
        title = "".join(part.capitalize() for part in self.name.split("-"))
        return f"{title}{self.kind.capitalize()}"

    def refuse_if_taken(self) -> None:
        """Refuses a name that something in this environment has.

        Raises:
            ConfigError: there is a plugin, broker or storage of that name.
        """
        for name, owner in _taken(self.kind):
            if canonical(name) == canonical(self.name):
                msg = (
                    f"there is a {self.kind} named {name!r} already, of {owner}:"
                    " choose another name"
                )
                raise ConfigError(msg)

    def values(self) -> dict[str, str]:
        """Returns what the templates are filled in with."""
        pythons = _pythons()
        return {
            "class_name": self.class_name,
            "core_oldest": _oldest(),
            "core_range": _range(),
            "distribution": self.distribution,
            "group": _GROUPS[self.kind],
            "kind": self.kind,
            "name": self.name,
            "package": self.package,
            "plugin_api": PLUGIN_API_VERSION,
            "python_oldest": pythons[0],
            "pythons": ", ".join(f'"{version}"' for version in pythons),
            "pythons_lines": f"\n{' ' * 12}".join(pythons),
            "summary": _SUMMARIES[self.kind].format(name=self.name),
            "title": self.name.replace("-", " ").title(),
        }


def _taken(kind: Kind) -> list[tuple[str, str]]:
    """Returns the names of a kind that are taken, and who has them."""
    if kind == "plugin":
        return [(entry.name, entry.distribution or entry.source) for entry in installed()]
    found = entry_points(group=_GROUPS[kind])
    return [(entry.name, entry.dist.name if entry.dist else entry.value) for entry in found]


def _pythons() -> list[str]:
    """Returns the Pythons that this core supports."""
    listed = metadata("qtasks-core").get_all("Classifier") or []
    versions = [text.removeprefix(_PYTHON) for text in listed if text.startswith(_PYTHON)]
    return [version for version in versions if re.fullmatch(r"\d\.\d+", version)]


def _range() -> str:
    """Returns the releases of core with which a package made today will work."""
    core = Version(__version__)
    lowest = core.public if core.is_prerelease else f"{core.major}.{core.minor}"
    below = f"{core.major + 1}" if core.major else f"0.{core.minor + 1}"
    return f">={lowest},<{below}"


def _oldest() -> str:
    """Returns the first of them."""
    core = Version(__version__)
    return f"=={core.public}" if core.is_prerelease else f"=={core.major}.{core.minor}.*"
