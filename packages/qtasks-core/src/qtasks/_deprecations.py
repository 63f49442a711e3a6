"""How QTasks says that something will be gone.

What is deprecated goes on as it did, for the rest of its major version at least, and warns. The
version that is to be without it cannot be released with it: a test reads the calls in this
package, which is why their arguments are literals::

    def add_later(self, seconds):
        deprecated("add_later", since="1.4", removal="2.0", instead="options(delay=...)")
"""

from __future__ import annotations

import warnings

from qtasks.exc import QTasksDeprecationWarning

__all__ = ["deprecated"]


def deprecated(name: str, *, since: str, removal: str, instead: str, stacklevel: int = 1) -> None:
    """Warns that what was just called, read or passed will be gone.

    To be called first of all in there, so that the warning names the line of the caller.

    Args:
        name: what is deprecated, as its users write it.
        since: the version that deprecated it.
        removal: the version that is to be without it.
        instead: what to write in its place.
        stacklevel: how many calls lie between the line that is to be named and the caller of
            this function.
    """
    message = f"{name} is deprecated since {since} and will be gone in {removal}: use {instead}"
    warnings.warn(message, QTasksDeprecationWarning, stacklevel=stacklevel + 2)
