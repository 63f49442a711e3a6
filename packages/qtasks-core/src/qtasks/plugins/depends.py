"""``Depends``, its scopes, and what tests put in the place of dependencies."""

from qtasks._builtin.depends.dependency import Depends, ScopeEnum
from qtasks._builtin.depends.plugin import DependsPlugin, overrides

__all__ = ["Depends", "DependsPlugin", "ScopeEnum", "overrides"]


def __dir__() -> list[str]:
    return __all__
