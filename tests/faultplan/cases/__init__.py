"""The cases; importing this registers them all."""

from __future__ import annotations

from faultplan.cases import workers

__all__ = ["workers"]
