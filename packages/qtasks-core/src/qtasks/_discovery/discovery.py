"""The plugins of one app: those added by hand, and those that are installed."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pluggy

from qtasks._config import read_plugin_settings
from qtasks._discovery.attempt import Attempt, attempt, report_of
from qtasks._discovery.entries import Entry, canonical, installed
from qtasks._discovery.required import check_required
from qtasks._discovery.selection import Selection
from qtasks._discovery.switches import current_switches
from qtasks._runtime.errors import safe_text, trace_of_import
from qtasks._triggers.hooks import answers, holder_of, implementations
from qtasks._version import __version__
from qtasks.contracts import hookspecs
from qtasks.contracts.plugin import BasePlugin
from qtasks.exc import ConfigError, QTasksError
from qtasks.schemas import PluginReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qtasks._triggers.registry import TriggerRegistry

__all__ = ["Discovery"]

log = logging.getLogger("qtasks.plugins")


class Discovery:
    """Finds the installed plugins when they are needed, and registers those that are wanted.

    It goes in two steps. :meth:`look` imports and makes them, so that their hooks can be asked
    while tasks are still being declared. :meth:`register` has them listen, in the order of their
    names, behind those that were added by hand; from then on nothing changes.

    Args:
        registry: the plugins of the app.
        names: the installed plugins that the code wants; None for all.
        required: what the code cannot do without, as ``sentry>=1.0``.

    Attributes:
        registered: whether the plugins listen.
        problem: why the app must not run: something required is missing.
        builtin: the plugins that come with QTasks; they are added when a task needs them.
    """

    def __init__(
        self,
        registry: TriggerRegistry,
        names: Sequence[str] | None = None,
        required: Sequence[str] = (),
    ) -> None:
        self.registered = False
        self.problem: ConfigError | None = None
        self.builtin: Mapping[str, BasePlugin] = {}
        self._registry = registry
        self._names = names
        self._required = tuple(required)
        self._lock = threading.RLock()
        self._manager = _manager()
        self._attempts: list[Attempt] | None = None
        self._looking = False
        self._left_out: list[PluginReport] = []
        self._replaced: set[str] = set()
        self._reports: tuple[PluginReport, ...] = ()

    def look(self) -> None:
        """Imports and makes the installed plugins that are wanted; once.

        Raises:
            ConfigError: what the environment or the settings file says cannot be used.
        """
        with self._lock:
            if self._attempts is not None or self._looking:
                return
            self._looking = True  # a plugin may import the app while it is imported itself
            try:
                self._attempts = self._attempted(installed())
            finally:
                self._looking = False

    def register(self) -> None:
        """Has the plugins listen; once.

        Raises:
            ConfigError: a required plugin is not there, or, in strict mode, one is not used
                because of a mistake; also what :meth:`look` raises.
        """
        if self.registered:
            return
        with self._lock:
            if self.problem is not None:
                raise self.problem
            self.look()
            if self._attempts is None or self.registered:
                return
            self._declare_triggers()
            added = self._registry.plugins
            settled = [self._settled(each, added) for each in self._attempts]
            settled += self._needless(settled, added)
            try:
                known = [*settled, *(_by_hand(name, plugin) for name, plugin in added.items())]
                check_required(self._required, self._settings.required, known, self._replaced)
                if self._registry.policy.strict:
                    _refuse_mistakes(settled)
                _refuse_unheard({r.name for r in known if r.state == "active"})
            except ConfigError as error:
                self.problem = error
                raise
            finally:
                self._reports = tuple(settled)
            self.registered = True

    def _needless(
        self, settled: Sequence[PluginReport], added: Iterable[str]
    ) -> list[PluginReport]:
        """Reports names that somebody switches off, and that are nobody's; most are mistyped."""
        there = {name for r in (*settled, *self._left_out) for name in (r.name, r.distribution)}
        known = {*there, *added, *self.builtin}
        selection = Selection(self._names, self._settings, current_switches())
        found = [
            PluginReport(name, "disabled", reason=why.reason, fix=why.fix)
            for name, why in selection.needless(known).items()
        ]
        for report in found:
            log.warning("Plugin %s: %s: %s", report.name, report.reason, report.fix)
        return found

    def _declare_triggers(self) -> None:
        """Adds the triggers that the plugins bring, so that all of them can listen to each."""
        for _, declare in implementations(self._manager, "qtasks_add_triggers"):
            # Whoever brings one that cannot be added is refused when it is its turn.
            with contextlib.suppress(Exception):
                self._registry.declare(declare())

    def implementations(self, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        """Returns who implements a hook: those added by hand, then those that were found.

        Args:
            hook: its name.
        """
        self.look()
        found = implementations(self._registry.manager, hook)
        if not self.registered:
            mine = set(self._registry.plugins)
            found += [each for each in implementations(self._manager, hook) if each[0] not in mine]
        return found

    def ask(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Asks all of them; one that raises is logged and left out.

        Args:
            hook: the name of a hook.
            **arguments: its arguments.

        Returns:
            The names of the plugins, and their answers other than None.
        """
        return answers(self.implementations(hook), hook, **arguments)

    def ask_added(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Asks those that were added by hand alone, so that nothing is looked for.

        Args:
            hook: the name of a hook.
            **arguments: its arguments.

        Returns:
            The names of the plugins, and their answers other than None.
        """
        return answers(implementations(self._registry.manager, hook), hook, **arguments)

    def obtain(self, package: str) -> str:
        """Says what to do to have a plugin used that is not.

        Args:
            package: the package that brings it.

        Returns:
            The line to type if it is not installed; else why it is not used, and what to do.
        """
        self.look()
        for made in self._attempts or ():
            report = made.report
            if canonical(report.distribution) == package and report.reason:
                return (
                    f"{package} is installed, and its plugin {report.name} is {report.state}:"
                    f" {report.reason}: {report.fix}"
                )
        return f"pip install {package}"

    def reports(self) -> list[PluginReport]:
        """Tells what became of every plugin: first those in use, in their order.

        Raises:
            ConfigError: as :meth:`look` does; that something required is missing is no reason.
        """
        try:
            self.register()
        except ConfigError:
            if self.problem is None:
                raise
        found = {report.name: report for report in self._reports if report.state == "active"}
        order = list(self._registry.plugins)
        order += [name for name in found if name not in order]  # those that have hooks alone
        used = [self._in_use(name, place, found) for place, name in enumerate(order, start=1)]
        unused = [report for report in self._reports if report.state != "active"]
        return [*used, *self._left_out, *unused]

    def warn_of_unused(self) -> None:
        """Logs which installed plugins cannot be used, and why."""
        self.look()
        for each in self._attempts or ():
            if each.report.state in ("refused", "failed"):
                _log(each.report)

    def wants(self, plugin: BasePlugin, name: str) -> bool:
        """Tells whether a plugin that is added by hand is to be used.

        Args:
            plugin: the plugin.
            name: its name.

        Returns:
            False if somebody switches it off; its report says who.
        """
        settings = read_plugin_settings(os.environ)
        selection = Selection(None, settings, current_switches())
        unwanted = selection.unwanted(name, added=True)
        if unwanted is not None:
            fields = {"state": "disabled", "reason": unwanted.reason, "fix": unwanted.fix}
            self._left_out.append(msgspec.structs.replace(self._added(name, plugin), **fields))
        return unwanted is None

    def _attempted(self, entries: Sequence[Entry]) -> list[Attempt]:
        self._settings = read_plugin_settings(os.environ)
        self._registry.policy.strict |= self._settings.strict
        switches = current_switches()
        selection = Selection(self._names, self._settings, switches)
        attempts: list[Attempt] = []
        taken: dict[str, Entry] = {}
        for entry in entries:
            if entry.name in taken:
                made = _duplicate(entry, taken[entry.name])
            elif unwanted := selection.unwanted(entry.name, entry.distribution):
                fields = {"reason": unwanted.reason, "fix": unwanted.fix}
                made = Attempt(report_of(entry, state="disabled", **fields))
            elif entry.name in self._registry.plugins:
                made = Attempt(report_of(entry, state="disabled"))
            else:
                taken[entry.name] = entry
                made = attempt(entry, self._settings, switches)
                if made.plugin is not None:
                    self._manager.register(holder_of(made.plugin), entry.name)
            attempts.append(made)
        for name, why in selection.absent(entries).items():
            report = PluginReport(name, "failed", reason=why.reason, fix=why.fix)
            attempts.append(Attempt(report))
        return attempts

    def _settled(self, made: Attempt, added: Mapping[str, BasePlugin]) -> PluginReport:
        """Registers a plugin unless one of its name or class was added by hand."""
        report, plugin = made.report, made.plugin
        if report.name in added:
            reason = "an instance that was added in code is used"
            return msgspec.structs.replace(
                report, state="active", origin="code", reason=reason, fix=""
            )
        if plugin is None:
            if report.state in ("refused", "failed"):
                _log(report)
            return report
        for name, other in added.items():
            if type(other) is type(plugin):
                self._replaced.add(report.name)
                reason = f"{name}, which was added in code, is used instead"
                return msgspec.structs.replace(report, state="disabled", reason=reason, fix="")
        try:
            self._add(plugin, report)
        except Exception as error:  # noqa: BLE001 - whatever a plugin is like, others go on
            unfit = _unfit(report, error)
            _log(unfit)
            return unfit
        if report.fix:
            log.warning("Plugin %s: %s: %s", report.name, report.reason, report.fix)
        return report

    def _add(self, plugin: Any, report: PluginReport) -> None:
        if isinstance(plugin, BasePlugin):
            triggers = getattr(plugin, "TRIGGERS", None)
            origin = f"{report.distribution} {report.version}".strip() or None
            self._registry.add(plugin, triggers, origin=origin)
        else:
            hooks = holder_of(plugin)
            self._registry.declare(getattr(hooks, "qtasks_add_triggers", tuple)())
            self._registry.manager.register(hooks, report.name)

    def _added(self, name: str, plugin: Any) -> PluginReport:
        report = _by_hand(name, plugin)
        if self.builtin.get(name) is not plugin:
            return report
        fields = {"origin": "built-in", "distribution": "qtasks-core", "version": __version__}
        return msgspec.structs.replace(report, **fields)

    def _in_use(self, name: str, place: int, found: dict[str, PluginReport]) -> PluginReport:
        plugin = self._registry.plugins.get(name)
        table = self._registry.table
        triggers = tuple(
            trigger
            for trigger in self._registry.catalogue
            if any(subscription.plugin == name for subscription in getattr(table, trigger, ()))
        )
        hooks = tuple(
            caller.name
            for caller in self._registry.manager.get_hookcallers(
                self._registry.manager.get_plugin(name)
            )
            or ()
        )
        report = found.get(name) or self._added(name, plugin)
        return msgspec.structs.replace(report, order=place, triggers=triggers, hooks=hooks)


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("qtasks")
    manager.add_hookspecs(hookspecs)
    return manager


def _duplicate(entry: Entry, first: Entry) -> Attempt:
    reason = (
        f"{first.distribution} {first.version} and {entry.distribution} {entry.version} both bring"
        f" a plugin named {entry.name}; that of {first.distribution} is used"
    )
    fix = f"pip uninstall {entry.distribution}, or pip uninstall {first.distribution}"
    return Attempt(report_of(entry, state="refused", reason=reason, fix=fix))


def _by_hand(name: str, plugin: Any) -> PluginReport:
    kind = type(plugin)
    api = getattr(plugin, "plugin_api", None)
    source = f"{kind.__module__}:{kind.__qualname__}"
    return PluginReport(name, "active", "code", api=str(api or ""), source=source)


def _unfit(report: PluginReport, error: Exception) -> PluginReport:
    """Returns the report of a plugin that cannot be registered."""
    fix = f"pip install --upgrade qtasks-core {report.distribution}".rstrip()
    if isinstance(error, QTasksError):
        return msgspec.structs.replace(report, state="refused", reason=str(error), fix=fix)
    reason = f"registering it failed: {type(error).__name__}: {safe_text(error)}"
    trace = trace_of_import(error)
    return msgspec.structs.replace(report, state="failed", reason=reason, fix=fix, trace=trace)


def _log(report: PluginReport) -> None:
    package = f" ({report.distribution} {report.version})" if report.distribution else ""
    log.warning("Plugin %s%s is not used: %s: %s", report.name, package, report.reason, report.fix)


def _refuse_mistakes(reports: Iterable[PluginReport]) -> None:
    bad = [report for report in reports if report.state in ("refused", "failed")]
    if bad:
        lines = "".join(f"\n- {each.name}: {each.reason}: {each.fix}" for each in bad)
        msg = f"strict mode (QTASKS_STRICT_PLUGINS) allows no plugin that is not used:{lines}"
        raise ConfigError(msg)


def _refuse_unheard(used: set[str]) -> None:
    """Refuses options that somebody has just typed and that reach no plugin."""
    for name, options in current_switches().options.items():
        if name not in used:
            msg = (
                f"the command line gives {', '.join(options)} to the plugin {name}, which is not"
                " used: qtasks plugins list says why"
            )
            raise ConfigError(msg)
