"""Finds the modules of a Django project that declare tasks."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["autodiscover_tasks"]


def autodiscover_tasks(
    app: Any = None,
    *,
    related_name: str | Iterable[str] = "tasks",
    packages: Iterable[str] | None = None,
) -> list[str]:
    """Imports ``<installed app>.tasks`` of every Django app that has it, so that its tasks exist.

    Call it in ``AppConfig.ready()``, or after ``django.setup()``. Apps stand in the order of
    ``INSTALLED_APPS``; calling it again does no harm.

    Args:
        app: the QTasks app, as QTasks 1.7 had it; it may be left out, because tasks find their
            app by their decorator.
        related_name: the name of the modules, or several; a dotted one such as ``jobs.mail`` lies
            deeper.
        packages: names of packages to look in instead of the installed apps; Django is not needed
            then.

    Returns:
        The names of the modules that were imported.

    Raises:
        ConfigError: Django is missing or not set up, or an argument does not fit.
        ImportError: a module exists and cannot be imported; the message names it, its Django app
            and the cause. What is no ``Exception``, such as Ctrl-C, passes as it is.
    """
    _check_app(app)
    names = _check_names(related_name)
    places = _installed() if packages is None else _named(packages)
    modules = [(f"{package}.{name}", package) for package in places for name in names]
    return [module for module, package in modules if _load(module, package, places[package])]


def _installed() -> dict[str, str]:
    """Returns the packages of the installed apps, and words for each."""
    try:
        from django.apps import apps
    except ModuleNotFoundError as error:
        if error.name not in ("django", "django.apps"):
            raise
        msg = "autodiscover_tasks() needs Django: pip install django, or name packages=[...]"
        raise ConfigError(msg) from None
    # Not `ready`, which is False in AppConfig.ready(): there everything that tasks need is loaded.
    if not apps.models_ready:
        msg = (
            "autodiscover_tasks() was called before Django has loaded its apps: call it in"
            " AppConfig.ready(), or after django.setup(), which needs DJANGO_SETTINGS_MODULE"
        )
        raise ConfigError(msg)
    return {
        config.name: f"of the Django app {config.label!r} ({config.name})"
        for config in apps.get_app_configs()
    }


def _load(module: str, package: str, whose: str) -> bool:
    """Imports a module, and tells whether there is one.

    Args:
        module: its name.
        package: where it is looked for, which must exist.
        whose: words for that.
    """
    try:
        import_module(package)
        if not _exists(module, package):
            return False
        import_module(module)
    except Exception as error:
        msg = f"module {module!r} {whose} cannot be imported: {type(error).__name__}: {error}"
        raise ImportError(msg, name=module) from error
    return True


def _exists(module: str, package: str) -> bool:
    """Tells a module that is not there from one that fails.

    For a dotted name the packages on the way are imported; one that fails raises.
    """
    way = package
    for part in module.removeprefix(f"{package}.").split("."):
        if not hasattr(import_module(way), "__path__"):
            return False  # a module has no modules in it
        way = f"{way}.{part}"
        if find_spec(way) is None:
            return False
    return True


def _check_app(app: Any) -> None:
    if app is not None and not (hasattr(app, "tasks") and hasattr(app, "include_router")):
        msg = (
            f"autodiscover_tasks({app!r}): the first argument is the QTasks app; names of modules"
            " are given as related_name=..., and packages as packages=[...]"
        )
        raise ConfigError(msg)


def _check_names(related_name: Any) -> tuple[str, ...]:
    names = (related_name,) if isinstance(related_name, str) else tuple(related_name)
    for name in names:
        if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
            msg = (
                f"autodiscover_tasks(related_name={related_name!r}): {name!r} is no name of a"
                " module below an app; write related_name='tasks'"
            )
            raise ConfigError(msg)
    return names


def _named(packages: Any) -> dict[str, str]:
    """Returns packages as they were given, and words for each."""
    if isinstance(packages, str):
        msg = f"autodiscover_tasks(packages={packages!r}): write packages=[{packages!r}]"
        raise ConfigError(msg)
    return {package: f"of package {package!r}" for package in packages}
