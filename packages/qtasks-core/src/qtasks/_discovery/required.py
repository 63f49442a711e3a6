"""Plugins without which an app must not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks._config import CODE
from qtasks._discovery.entries import canonical
from qtasks._discovery.requirements import parse_requirement
from qtasks._discovery.selection import package_of
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from packaging.requirements import Requirement

    from qtasks._config import Source
    from qtasks.schemas import PluginReport

__all__ = ["check_required"]


def check_required(
    code: Sequence[str],
    settings: tuple[tuple[str, ...], Source] | None,
    reports: Iterable[PluginReport],
    replaced: Collection[str] = (),
) -> None:
    """Refuses to go on without what is required; code and settings add up.

    Args:
        code: what the app requires, as ``sentry>=1.0``; names of plugins or distributions.
        settings: what environment or file require.
        reports: what became of the plugins.
        replaced: the names of those for which one of the same class is used.

    Raises:
        ConfigError: one is not there, is not used, or has another version.
    """
    listed = [(text, CODE) for text in code]
    if settings is not None:
        listed += [(text, settings[1]) for text in settings[0]]
    known = list(reports)
    missing = [
        found for text, source in listed if (found := _missing(text, source, known, replaced))
    ]
    if missing:
        raise ConfigError("; ".join(missing))


def _missing(
    text: str, source: Source, reports: Sequence[PluginReport], replaced: Collection[str]
) -> str:
    requirement = parse_requirement(text)
    said = f"required_plugins (from {source.phrase})"
    if requirement is None:
        return f"{said}: {text!r} is no requirement; write for example 'sentry>=1.0'"
    found = [report for report in reports if _is_meant(requirement, report)]
    used = [report for report in found if report.state == "active" or report.name in replaced]
    if any(requirement.specifier.contains(r.version, prereleases=True) for r in used if r.version):
        return ""
    if used and not requirement.specifier:
        return ""
    wanted = f"plugin {text} is required by {said}"
    if used:
        return f"{wanted}, and {used[0].version or 'no version'} is installed: {_pip(requirement)}"
    if found:
        return f"{wanted}, and it is {found[0].state}: {found[0].reason}: {found[0].fix}"
    return f"{wanted}, and it is not installed: {_pip(requirement)}"


def _is_meant(requirement: Requirement, report: PluginReport) -> bool:
    name = canonical(requirement.name)
    return name in {canonical(report.name), canonical(report.distribution)}


def _pip(requirement: Requirement) -> str:
    needed = f"{package_of(requirement.name)}{requirement.specifier}"
    return f"pip install '{needed}'" if requirement.specifier else f"pip install {needed}"
