"""Start-up hooks, called through pluggy; they are cold, so pluggy's own call is right for them.

Triggers, which are hot, are declared in ``qtasks.contracts.triggers``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from qtasks.contracts.broker import BaseBroker
    from qtasks.contracts.storage import BaseStorage

__all__ = ["hookimpl", "hookspec", "qtasks_make_broker", "qtasks_make_storage"]

hookspec = pluggy.HookspecMarker("qtasks")
hookimpl = pluggy.HookimplMarker("qtasks")


@hookspec(firstresult=True)
def qtasks_make_broker(scheme: str, url: str) -> BaseBroker | None:
    """Makes the broker of a URL, or returns None to leave it to the next.

    Args:
        scheme: the part before ``://``, lower case.
        url: the whole URL.
    """


@hookspec(firstresult=True)
def qtasks_make_storage(scheme: str, url: str) -> BaseStorage | None:
    """Makes the storage of a URL, or returns None to leave it to the next.

    Args:
        scheme: the part before ``://``, lower case.
        url: the whole URL.
    """
