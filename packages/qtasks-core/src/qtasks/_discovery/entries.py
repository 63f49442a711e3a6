"""What is installed: the entry points of the group ``qtasks``, read once in a process.

``importlib.metadata.entry_points`` fails as a whole if one distribution is damaged, so
distributions are looked through one by one here.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["GROUP", "Entry", "canonical", "forget", "installed", "seen"]

#: The entry-point group of plugins.
GROUP: Final = "qtasks"

_LINKS: Final = ("documentation", "homepage", "repository", "source")


class Entry:
    """One entry point, and the distribution that brings it.

    Args:
        point: the entry point.
        distribution: the distribution; None for one that exists in tests alone.
        damage: why nothing can be loaded from it, if so.

    Attributes:
        name: its name, which is that of the plugin.
        source: where it leads, as ``module:name``.
        damage: likewise.
    """

    def __init__(
        self,
        point: metadata.EntryPoint,
        distribution: metadata.Distribution | None = None,
        damage: str = "",
    ) -> None:
        self._point = point
        self._distribution = distribution
        self.name = point.name
        self.source = point.value
        self.damage = damage

    @cached_property
    def distribution(self) -> str:
        """The name of the distribution."""
        return self._field("Name")

    @cached_property
    def version(self) -> str:
        """The version of the distribution."""
        return self._field("Version")

    @cached_property
    def requires(self) -> tuple[str, ...]:
        """What the distribution requires, as its metadata has it."""
        try:
            return tuple((self._distribution and self._distribution.requires) or ())
        except Exception:  # noqa: BLE001 - metadata may be damaged in any way
            return ()

    @cached_property
    def url(self) -> str:
        """A page about the distribution."""
        links = {}
        for text in self._fields("Project-URL"):
            label, _, link = text.partition(",")
            links[label.strip().lower()] = link.strip()
        found = next((links[label] for label in _LINKS if label in links), "")
        return found or self._field("Home-page") or next(iter(links.values()), "")

    @property
    def module(self) -> str:
        """The module it leads to."""
        return self.source.partition(":")[0].strip()

    @property
    def package(self) -> str:
        """The package of that module."""
        return self.module.partition(".")[0]

    def load(self) -> Any:
        """Imports it.

        Raises:
            Exception: whatever importing it raises.
        """
        return self._point.load()

    def __repr__(self) -> str:
        """Shows the name, and where it comes from."""
        return f"<Entry {self.name} = {self.source} of {self.distribution} {self.version}>"

    def _field(self, name: str) -> str:
        return next(iter(self._fields(name)), "")

    def _fields(self, name: str) -> list[str]:
        try:
            found = self._distribution and self._distribution.metadata.get_all(name)
        except Exception:  # noqa: BLE001 - as above
            return []
        return [str(text) for text in found or ()]


def installed() -> tuple[Entry, ...]:
    """Returns the plugins that are installed, sorted by name and distribution.

    The first call of a process looks, which takes some milliseconds; later ones remember.
    """
    global _found  # noqa: PLW0603 - what is installed is a fact of the process
    with _lock:
        if _found is None:
            _found = _look()
        return _found


def forget() -> None:
    """Has the next call look again, for programs that install packages while they run."""
    global _found  # noqa: PLW0603 - as above
    with _lock:
        _found = None


@contextmanager
def seen(entries: Iterable[Entry]) -> Iterator[None]:
    """Has nothing but these be installed, in all threads, until the block ends.

    Args:
        entries: what counts as installed.
    """
    global _found  # noqa: PLW0603 - as above
    listed = tuple(sorted(entries, key=_key))
    with _lock:
        before, _found = _found, listed
    try:
        yield
    finally:
        with _lock:
            _found = before


_lock = threading.Lock()
_found: tuple[Entry, ...] | None = None


def _look() -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for distribution in metadata.distributions():
        text = _text_of(distribution)
        if f"[{GROUP}]" in text and _comes_first(distribution):
            entries += _entries_of(distribution)
    return tuple(sorted(entries, key=_key))


def _text_of(distribution: metadata.Distribution) -> str:
    try:
        return distribution.read_text("entry_points.txt") or ""
    except Exception:  # noqa: BLE001 - a finder of others, or a damaged installation
        return ""


def _comes_first(distribution: metadata.Distribution) -> bool:
    """Tells whether it is the one that is imported, of those with its name on the path."""
    try:
        first = metadata.distribution(distribution.metadata["Name"])
    except Exception:  # noqa: BLE001 - its metadata is damaged; it is reported as it is
        return True
    return first.read_text("entry_points.txt") == distribution.read_text("entry_points.txt") and (
        first.version == distribution.version
    )


def _entries_of(distribution: metadata.Distribution) -> list[Entry]:
    try:
        points = distribution.entry_points
        return [Entry(point, distribution) for point in points if point.group == GROUP]
    except Exception as error:  # noqa: BLE001 - other installations must not suffer
        entry = Entry(metadata.EntryPoint("", "", GROUP), distribution)
        entry.name = entry.distribution or "?"
        entry.damage = f"its entry_points.txt cannot be read: {error}"
        return [entry]


def canonical(name: str) -> str:
    """Returns the name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _key(entry: Entry) -> tuple[str, str]:
    return entry.name, canonical(entry.distribution)
