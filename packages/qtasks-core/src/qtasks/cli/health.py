"""How plugins are: what became of each, what it says itself, and whether it starts."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtasks._runtime.errors import safe_text
from qtasks.contracts.on import choose
from qtasks.contracts.triggers import CATALOGUE
from qtasks.schemas import Finding

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sized

    from qtasks.app.base import BaseQueueTasks
    from qtasks.contracts.plugin import BasePlugin
    from qtasks.schemas import PluginReport

__all__ = ["dry_run", "plugin_health", "plugin_states", "quiet"]

#: Seconds that one plugin may take to look at itself.
_PATIENCE: Final = 10.0
#: Seconds after which a plugin is slow to start and stop.
_SLOW: Final = 1.0


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps what plugins are reported for out of the log, where it is shown anyway."""
    log = logging.getLogger("qtasks.plugins")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def plugin_states(app: BaseQueueTasks) -> list[Finding]:
    """Returns a finding for each plugin: whether it is used, and if not, why."""
    found = [state_of(report) for report in app.plugin_reports()]
    problem = app._discovery.problem  # noqa: SLF001 - the command line shows what the app refuses
    if problem is not None:
        text = f"The app refuses to run: {safe_text(problem)}."
        fix = "Do what it says, or drop the requirement or strict mode."
        found.append(Finding("error", "plugins", text, fix))
    return found


def state_of(report: PluginReport) -> Finding:
    """Returns what a report means, as a finding."""
    subject = f"plugin {report.name}"
    package = f" {report.distribution} {report.version}".rstrip()
    match report.state:
        case "active" if report.fix:
            return Finding("warning", subject, f"It is used, but {report.reason}.", report.fix)
        case "active":
            where = package or f" {report.source}"
            heard = f"{_count(report.triggers, 'trigger')}, {_count(report.hooks, 'hook')}"
            return Finding("ok", subject, f"It is used:{where}, {heard}.", _hint(report))
        case "disabled":
            return Finding("ok", subject, f"It is off: {report.reason}.", report.fix)
        case _:
            message = f"It is {report.state}: {report.reason}."
            return Finding("error", subject, message, report.fix)


def _hint(report: PluginReport) -> str:
    """Says how a plugin that listens to everything can do with less."""
    if len(report.triggers) < len(CATALOGUE):
        return ""
    narrow = "TRIGGERS = (...) in its class" if report.origin == "installed" else "trigger_names="
    return f"It listens to everything, many times for each task: {narrow} narrows that."


def _count(names: Sized, noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def plugin_health(app: BaseQueueTasks) -> list[Finding]:
    """Asks the plugins for what they see themselves; one that cannot look is a finding too."""
    found: list[Finding] = []
    for name, check in app._discovery.implementations("qtasks_health_checks"):  # noqa: SLF001 - as above
        answer = _within(partial(_findings, check, app), _PATIENCE)
        if isinstance(answer, BaseException):
            found.append(_broken(name, f"Its health check failed: {_text(answer)}."))
            continue
        for each in answer:
            if isinstance(each, Finding):
                found.append(Finding(each.level, f"{name}: {each.subject}", each.message, each.fix))
            else:
                kind = type(each).__name__
                found.append(_broken(name, f"Its health check returned a {kind}, no Finding."))
    return found


def dry_run(plugins: Mapping[str, BasePlugin], patience: float) -> list[Finding]:
    """Starts and stops each plugin by itself; one that raises or hangs is an error.

    Args:
        plugins: by name.
        patience: seconds that one of them may take.
    """
    found = []
    for name, plugin in plugins.items():
        begun = time.perf_counter()
        error = _within(partial(_started_and_stopped, plugin), patience)
        took = time.perf_counter() - begun
        if isinstance(error, BaseException):
            found.append(_broken(name, f"It does not start and stop: {_text(error)}.", "error"))
        elif took > _SLOW:
            message = f"It took {took:.1f} s to start and stop, which every worker waits for."
            found.append(_broken(name, message))
    return found


def _started_and_stopped(plugin: BasePlugin) -> None:
    asyncio.run(_start_and_stop(plugin))


async def _start_and_stop(plugin: BasePlugin) -> None:
    for step in (plugin.start, plugin.stop):
        answer = step(**choose(step, {"role": "worker"}))
        if inspect.isawaitable(answer):
            await answer


def _findings(check: Callable[..., Any], app: BaseQueueTasks) -> list[Any]:
    answer = check(app=app)
    if inspect.isawaitable(answer):
        answer = asyncio.run(_wait_for(answer))
    return list(answer or ())


async def _wait_for(answer: Awaitable[Any]) -> Any:
    return await answer


def _within(call: Callable[[], Any], patience: float) -> Any:
    """Calls a plugin in a thread; returns what it returned or raised, and gives up at some time."""
    done: list[Any] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
            done.append(error)

    thread = threading.Thread(target=run, name="qtasks plugins doctor", daemon=True)
    thread.start()
    thread.join(patience)
    return done[0] if done else TimeoutError(f"nothing within {patience:g} seconds")


def _broken(name: str, message: str, level: Any = "warning") -> Finding:
    fix = f"Report it to the author of the plugin, or switch it off: -p no:{name}"
    return Finding(level, f"plugin {name}", message, fix)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {safe_text(error)}"
