"""How an app is found again in another process: by the module and the name that hold it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtasks._runtime.errors import printable, trace_of_import
from qtasks._worker.child import load_main
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from types import ModuleType

    from qtasks._supervisor.messages import Order

__all__ = ["AppLoadError", "find_app", "load_app"]

_MAIN: Final = "__main__"


class AppLoadError(ConfigError):
    """An app cannot be loaded in a child.

    Args:
        message: one line that says what was tried.
        details: the traceback of the user's code.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


def find_app(app: object) -> tuple[str, str | None]:
    """Finds out how a child can load an app that exists here.

    Returns:
        ``MODULE:NAME``, and the main file if the module is the main one.

    Raises:
        ConfigError: no module holds it.
    """
    main = sys.modules.get(_MAIN)
    for module in filter(None, (main, *list(sys.modules.values()))):
        name = _name_in(module, app)
        if name is None:
            continue
        if module is not main:
            return f"{module.__name__}:{name}", None
        if main.__spec__ is not None:  # python -m: the module can be imported by its name
            return f"{main.__spec__.name}:{name}", None
        file = getattr(main, "__file__", None)
        if file is not None and Path(file).is_file():
            return f"{_MAIN}:{name}", str(Path(file).resolve())
    msg = (
        "worker processes load the app anew, and no module holds it: define it at the top level of"
        " a module, as in  app = QueueTasks(), or use one process"
    )
    raise ConfigError(msg)


def _name_in(module: ModuleType, app: object) -> str | None:
    names = getattr(module, "__dict__", {})
    return next((name for name, value in list(names.items()) if value is app), None)


def load_app(order: Order) -> Any:
    """Loads the app that a child was ordered to serve.

    Raises:
        AppLoadError: it cannot be imported, or is not there.
    """
    sys.path[:] = order.path
    module_name, _, name = order.app.partition(":")
    try:
        if order.main is not None:
            load_main(order.main)
        found = getattr(importlib.import_module(module_name), name)
        # What runs workers is an app; anything else was checked to be a function that makes one.
        return found if hasattr(found, "worker") and not isinstance(found, type) else found()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        msg = f"{order.app} cannot be loaded in a worker process: {type(error).__name__}: {error}"
        raise AppLoadError(printable(msg), trace_of_import(error)) from error
