"""Which delivery the running code belongs to; follows into threads."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtasks.schemas import Delivery

__all__ = ["current_delivery"]

#: The delivery whose task is running here, or None outside of tasks.
current_delivery: ContextVar[Delivery | None] = ContextVar("qtasks_delivery", default=None)
