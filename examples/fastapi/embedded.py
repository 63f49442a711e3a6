"""A web application with a worker in its own process and loop: nothing else is to be started."""

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
    """Runs the worker as long as the application."""
    async with app, app.worker():
        yield


api = FastAPI(lifespan=lifespan)
api.include_router(router)
