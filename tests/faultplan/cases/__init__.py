"""The cases; importing this registers them all."""

from __future__ import annotations

import importlib
import pkgutil

__all__ = sorted(module.name for module in pkgutil.iter_modules(__path__))

for name in __all__:
    importlib.import_module(f"{__name__}.{name}")
