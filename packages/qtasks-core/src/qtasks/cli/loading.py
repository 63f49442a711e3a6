"""From ``module:app`` to the app, or to an error that says what was tried."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtasks._runtime.errors import trace_of_import
from qtasks.app.base import BaseQueueTasks
from qtasks.app.task import BaseTask
from qtasks.cli.output import Output
from qtasks.cli.places import without_secrets
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["load_app"]

_HOW: Final = "write -A MODULE:APP, for example -A shop.tasks:app for `app` in shop/tasks.py"


def load_app(path: str | None) -> BaseQueueTasks:
    """Imports an app; the working directory is looked through first.

    Args:
        path: ``module:name``; the name may be left out if it is ``app``, and may be that of a
            function without arguments that returns the app.

    Raises:
        ConfigError: there is no such app. If the user's own code failed, its traceback was
            written to standard error before.
    """
    if not path:
        msg = f"no app was given: {_HOW}, or set QTASKS_APP"
        raise ConfigError(msg)
    module_name, _, name = path.partition(":")
    _check_module_name(path, module_name)
    directory = str(Path.cwd())
    if sys.path[:1] != [directory]:
        sys.path.insert(0, directory)
    module = _import(path, module_name)
    return _app_in(path, module, name or "app")


def _check_module_name(path: str, module_name: str) -> None:
    parts = module_name.split(".")
    if all(part.isidentifier() for part in parts) and parts[-1] != "py":
        return
    file, _, rest = path.partition(":")
    guess = ".".join(Path(file.removesuffix(".py")).parts).lstrip("./")
    hint = f", perhaps -A {guess}:{rest or 'app'}" if guess else ""
    msg = f"-A {path}: {module_name!r} is not the name of a module: {_HOW}{hint}"
    raise ConfigError(msg)


def _import(path: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name == missing or module_name.startswith(f"{missing}."):
            raise ConfigError(_no_module(path, missing)) from None
        _show(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
        _show(error)
    msg = f"-A {path}: importing {module_name} failed, see above"
    raise ConfigError(msg)


def _no_module(path: str, missing: str) -> str:
    here = sorted(
        found.stem if found.suffix else found.name
        for found in Path.cwd().iterdir()
        if found.suffix == ".py" or (found / "__init__.py").exists()
    )
    close = difflib.get_close_matches(missing, here, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"-A {path}: there is no module {missing!r} in {Path.cwd()} or among the installed"
        f" packages.{guess} {_HOW[0].upper()}{_HOW[1:]}"
    )


def _app_in(path: str, module: ModuleType, name: str) -> BaseQueueTasks:
    try:
        found = getattr(module, name)
    except AttributeError:
        raise ConfigError(_no_attribute(path, module, name)) from None
    if isinstance(found, BaseQueueTasks):
        return found
    if callable(found) and not isinstance(found, BaseTask):
        return _made_by(path, found)
    msg = f"-A {path}: {name} is {_what(found)}, not a QueueTasks app.{_candidates(module)}"
    raise ConfigError(msg)


def _made_by(path: str, factory: Any) -> BaseQueueTasks:
    try:
        made = factory()
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        _show(error)
        msg = f"-A {path}: calling {path.partition(':')[2] or 'app'}() failed, see above"
        raise ConfigError(msg) from None
    if isinstance(made, BaseQueueTasks):
        return made
    if inspect.iscoroutine(made):
        made.close()
    msg = (
        f"-A {path}: the function returned {_what(made)}, not a QueueTasks app;"
        " a factory is a plain function without arguments that returns the app"
    )
    raise ConfigError(msg)


def _no_attribute(path: str, module: ModuleType, name: str) -> str:
    apps = _apps(module)
    close = difflib.get_close_matches(name, apps or _functions(module), n=1)
    guess = f" Did you mean {module.__name__}:{close[0]}?" if close else ""
    file = getattr(module, "__file__", None) or "a namespace package"
    return f"-A {path}: {file} has no {name!r}.{guess}{_candidates(module)}"


def _candidates(module: ModuleType) -> str:
    apps = _apps(module)
    if not apps:
        return f" There is no app at the top level of {module.__name__}."
    return " Apps there: " + ", ".join(f"{module.__name__}:{name}" for name in apps) + "."


def _apps(module: ModuleType) -> list[str]:
    return sorted(name for name, it in vars(module).items() if isinstance(it, BaseQueueTasks))


def _functions(module: ModuleType) -> list[str]:
    return [
        name
        for name, it in vars(module).items()
        if inspect.isfunction(it) and it.__module__ == module.__name__
    ]


def _what(found: Any) -> str:
    kind = type(found).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def _show(error: BaseException) -> None:
    """Writes the traceback as far as it is about the user's code."""
    # The lines of the code are shown, and a URL with its password may stand in one.
    Output().note(without_secrets(trace_of_import(error)))
