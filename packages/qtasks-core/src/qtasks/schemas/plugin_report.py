"""What became of a plugin."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["PluginReport", "PluginState"]

#: ``active``: it is used. ``disabled``: nobody wants it. ``refused``: it does not fit, so its code
#: is not used. ``failed``: its code raised.
PluginState = Literal["active", "disabled", "refused", "failed"]


class PluginReport(msgspec.Struct, frozen=True):
    """One plugin of an app, and whether it is used; ``qtasks plugins list`` shows them.

    Attributes:
        name: its name.
        state: whether it is used.
        origin: ``installed`` if it was found, ``code`` if it was added by hand, ``built-in`` if it
            comes with QTasks.
        distribution: the package that brings it; empty if that is not known.
        version: the version of that package; likewise.
        api: the version of the plugin API that it says it was written for; empty if it says none,
            which counts as 1.0.
        source: where it is in Python, as ``module:name``.
        reason: why it is not used, or what else is to be known; one sentence or empty.
        fix: what to do or to type about it; one sentence or empty.
        order: its place among the plugins that are used, from 1; 0 if it is not used.
        triggers: the triggers it listens to, in the order of the catalogue.
        hooks: the start-up hooks that it implements.
        url: a page about it; empty if its package names none.
        trace: the traceback, if its code raised.
    """

    name: str
    state: PluginState
    origin: Literal["installed", "code", "built-in"] = "installed"
    distribution: str = ""
    version: str = ""
    api: str = ""
    source: str = ""
    reason: str = ""
    fix: str = ""
    order: int = 0
    triggers: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    url: str = ""
    trace: str = ""
