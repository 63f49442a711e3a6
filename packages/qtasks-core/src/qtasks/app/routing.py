"""What routers of all colours are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.app.groups import Adoption, Group
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qtasks.schemas import TaskDefinition

__all__ = ["BaseRouter", "group_of"]


class BaseRouter:
    """Tasks without an app, which apps take by ``app.include_router(router)``."""

    def __init__(self) -> None:
        self._group = Group()

    @property
    def tasks(self) -> Mapping[str, TaskDefinition]:
        """Its own tasks by name, as they are known without an app."""
        return self._group.definitions

    def include_router(
        self,
        router: BaseRouter,
        *,
        prefix: str = "",
        queue: str | None = None,
        tags: Iterable[str] = (),
    ) -> None:
        """Takes the tasks of another router, also those that are added to it later.

        Args:
            router: the other router.
            prefix: stands before the names of its tasks.
            queue: the queue of those that name none; None for that of whoever takes this router.
            tags: are added to theirs.

        Raises:
            RegistrationError: it is no router, includes this one, or a task does not fit.
        """
        self._group.include(group_of(router, "include_router"), Adoption(prefix, queue, tags))

    def __repr__(self) -> str:
        """Shows the names of its tasks."""
        return f"<{type(self).__name__} of {', '.join(self.tasks) or 'no tasks'}>"


def group_of(router: Any, where: str) -> Group:
    """Returns the tasks of a router.

    Raises:
        RegistrationError: it is none.
    """
    if not isinstance(router, BaseRouter):
        called = " (call the class)" if isinstance(router, type) else ""
        msg = f"{where}({router!r}): expected a router{called}, such as qtasks.Router()"
        raise RegistrationError(msg)
    return router._group  # noqa: SLF001 - one concept in two places
