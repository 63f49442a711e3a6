"""An environment in which no plugin is installed but those that a test names."""

from __future__ import annotations

import difflib
import os
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, Final

from qtasks._discovery.entries import GROUP, Entry, installed, seen
from qtasks._discovery.switches import Switches, switched
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["plugin_sandbox"]

#: What the environment says in a sandbox, so that neither it nor the settings file takes part; a
#: comma is a list of nothing.
_NEUTRAL: Final = {
    "QTASKS_DISABLE_PLUGINS": ",",
    "QTASKS_REQUIRED_PLUGINS": ",",
    "QTASKS_STRICT_PLUGINS": "0",
}


class _Given(Entry):
    """An entry point that leads to an object."""

    def __init__(self, name: str, plugin: Any) -> None:
        kind = plugin if isinstance(plugin, type) else type(plugin)
        super().__init__(EntryPoint(name, f"{kind.__module__}:{kind.__qualname__}", GROUP))
        self._plugin = plugin

    def load(self) -> Any:
        """Returns the object."""
        return self._plugin


@contextmanager
def plugin_sandbox(*names: str, **plugins: Any) -> Iterator[None]:
    """Hides all installed plugins but those that are named, until the block ends.

    Apps that look for plugins in the block find these and no others; what environment and file
    say of plugins does not count. It holds for the whole process, and not for its children.

    Args:
        *names: installed plugins that stay visible.
        **plugins: what is there as if it were installed under that name: a class, a function
            that makes a plugin, or an instance.

    Raises:
        ConfigError: no plugin of a name is installed.
    """
    entries = [_installed(name) for name in names]
    entries += [_Given(name, plugin) for name, plugin in plugins.items()]
    said = {**_NEUTRAL, "QTASKS_PLUGINS": ",".join(entry.name for entry in entries)}
    with _environment(said), seen(entries), switched(Switches()):
        yield


@contextmanager
def _environment(said: dict[str, str]) -> Iterator[None]:
    before = {variable: os.environ.get(variable) for variable in said}
    os.environ.update(said)
    try:
        yield
    finally:
        for variable, value in before.items():
            os.environ.pop(variable, None)
            if value is not None:
                os.environ[variable] = value


def _installed(name: str) -> Entry:
    found = {entry.name: entry for entry in installed()}
    if name in found:
        return found[name]
    close = difflib.get_close_matches(name, found, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    msg = (
        f"plugin_sandbox({name!r}): no such plugin is installed.{guess} Installed are:"
        f" {', '.join(found) or 'none'}; a class is given by name: plugin_sandbox(mine=MyPlugin)"
    )
    raise ConfigError(msg)
