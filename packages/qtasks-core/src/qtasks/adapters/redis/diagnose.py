"""What a look at the server says about its fitness as a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtasks.schemas import Finding

if TYPE_CHECKING:
    from qtasks.adapters.redis.engine import Engine

__all__ = ["diagnose"]


async def diagnose(engine: Engine) -> list[Finding]:
    """Looks at a server; reads only."""
    greeting = engine.greeting
    return [Finding("ok", "server", f"{greeting.server} {greeting.version}")]
