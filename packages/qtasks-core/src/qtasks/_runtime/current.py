"""Which delivery the running code belongs to; follows into threads."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from qtasks.schemas import Delivery

__all__ = ["current_app", "current_delivery", "loads_main", "refuse_while_main_loads"]

#: The delivery whose task is running here, or None outside of tasks.
current_delivery: ContextVar[Delivery | None] = ContextVar("qtasks_delivery", default=None)

#: The app whose worker runs the task that runs here, or None outside of tasks.
current_app: ContextVar[object] = ContextVar("qtasks_app", default=None)

#: Set in a child process while it loads the main file to find the app or a function there.
loads_main: ContextVar[bool] = ContextVar("qtasks_loads_main", default=False)


def refuse_while_main_loads() -> None:
    """Refuses to add tasks or run workers from a main file that a child process only loads.

    Raises:
        RegistrationError: the file lacks the guard that tells running from loading.
    """
    if loads_main.get():
        msg = (
            "the main file adds tasks or runs a worker while a child process loads it to find its"
            " tasks: put that part under  if __name__ == '__main__':"
        )
        raise RegistrationError(msg)
