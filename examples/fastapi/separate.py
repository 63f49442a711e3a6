"""A web application that only adds tasks; ``qtasks -A shop:app run`` runs them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from routes import router
from shop import app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Closes the connections of the queue when the application ends."""
    async with app:
        yield


api = FastAPI(lifespan=lifespan)
api.include_router(router)
