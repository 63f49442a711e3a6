"""One entry point: whether it becomes a plugin, and if not, why and what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from qtasks._discovery.api import NEWER_FIX, api_mismatch, newer_api, shown_api
from qtasks._discovery.making import make_plugin
from qtasks._discovery.options import OptionSources
from qtasks._discovery.requirements import unmet
from qtasks._runtime.errors import safe_text, trace_of_import
from qtasks._triggers.hooks import hook_mistakes
from qtasks._triggers.steering import is_failure
from qtasks.exc import ConfigError
from qtasks.schemas import PluginReport

if TYPE_CHECKING:
    from qtasks._config import PluginSettings
    from qtasks._discovery.entries import Entry
    from qtasks._discovery.switches import Switches

__all__ = ["Attempt", "attempt", "report_of"]


class Attempt(msgspec.Struct, frozen=True):
    """What came of an entry point.

    Attributes:
        report: what is said about it.
        plugin: the plugin, or None if there is none.
    """

    report: PluginReport
    plugin: Any = None


def report_of(entry: Entry, **fields: Any) -> PluginReport:
    """Returns what is known about an entry without importing it.

    Args:
        entry: the entry.
        **fields: what is known besides.
    """
    known = {
        "distribution": entry.distribution,
        "version": entry.version,
        "source": entry.source,
        "url": entry.url,
    }
    return PluginReport(entry.name, **{**known, **fields})


def attempt(entry: Entry, settings: PluginSettings, switches: Switches) -> Attempt:
    """Makes a plugin of an entry point; whatever goes wrong is told in the report.

    Args:
        entry: the entry.
        settings: where its options are.
        switches: likewise.

    Raises:
        ConfigError: an option that the command line gives cannot be used.
    """
    if entry.damage:
        return _refused(entry, entry.damage, _reinstall(entry))
    if missing := unmet(entry.requires):
        needs = "; ".join(f"it needs {one}" for one in missing)
        wanted = " ".join(f"'{one.requirement}'" for one in missing)
        return _refused(entry, needs, f"pip install {wanted}")
    try:
        found = entry.load()
    except BaseException as error:
        if not is_failure(error):
            raise
        return _failed(entry, error, *_why_not_imported(entry, error))
    try:
        return _mismatch(entry, found) or _make(entry, found, settings, switches)
    except ConfigError as error:
        if switches.options.get(entry.name):
            raise  # to who has just typed it
        return _refused(entry, str(error), "correct or set that option")
    except BaseException as error:
        if not is_failure(error):
            raise
        return _failed(entry, error, f"making it failed: {_text(error)}", _report_it(entry))


def _mismatch(entry: Entry, found: Any) -> Attempt | None:
    """Refuses what speaks another version of the plugin API."""
    declared = getattr(found, "plugin_api", None)
    mismatch = api_mismatch(declared)
    if mismatch is None:
        return None
    reason, fix = mismatch
    return _refused(entry, reason, _upgrade(entry, fix), api=shown_api(declared))


def _make(entry: Entry, found: Any, settings: PluginSettings, switches: Switches) -> Attempt:
    sources = OptionSources.of(entry.name, settings, switches)
    plugin = make_plugin(found, entry.name, sources)
    if unfit := _mismatch(entry, plugin):  # a factory may declare nothing, and what it makes may
        return unfit
    declared = getattr(plugin, "plugin_api", None)
    api = shown_api(declared)
    if mistakes := hook_mistakes(plugin):
        fix = f"pip install --upgrade qtasks-core {entry.distribution}".rstrip()
        return _refused(entry, "; ".join(mistakes), fix, api=api)
    if note := newer_api(declared):
        report = report_of(entry, state="active", api=api, reason=note, fix=NEWER_FIX)
        return Attempt(report, plugin)
    return Attempt(report_of(entry, state="active", api=api), plugin)


def _refused(entry: Entry, reason: str, fix: str, **fields: Any) -> Attempt:
    return Attempt(report_of(entry, state="refused", reason=reason, fix=fix, **fields))


def _failed(entry: Entry, error: BaseException, reason: str, fix: str) -> Attempt:
    trace = trace_of_import(error)
    return Attempt(report_of(entry, state="failed", reason=reason, fix=fix, trace=trace))


def _why_not_imported(entry: Entry, error: BaseException) -> tuple[str, str]:
    fix = _report_it(entry)
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        fix = _reinstall(entry) if top == entry.package else f"perhaps pip install {top}"
    return f"importing it failed: {_text(error)}", fix


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {safe_text(error)}"


def _upgrade(entry: Entry, fix: str) -> str:
    if fix != "upgrade the plugin" or not entry.distribution:
        return fix
    return f"pip install --upgrade {entry.distribution}"


def _reinstall(entry: Entry) -> str:
    return f"pip install --force-reinstall {entry.distribution}".rstrip()


def _report_it(entry: Entry) -> str:
    name = entry.distribution or entry.module
    return f"pip install --upgrade {name}, or report it to its author"
