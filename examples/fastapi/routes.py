"""What the web application answers: it adds tasks, and tells how they are."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID  # noqa: TC003 - FastAPI reads annotations when it runs

from fastapi import APIRouter, HTTPException, Query
from shop import app, thumbnail

from qtasks.exc import WaitTimeoutError

router = APIRouter()


@router.post("/thumbnails", status_code=202)
async def order(path: str, width: Annotated[int, Query(gt=0)] = 256) -> dict[str, Any]:
    """Adds a task and answers at once."""
    task = await thumbnail.add_task(path, width=width)
    return {"id": task.uuid, "status": task.status}


@router.get("/thumbnails/{task_id}")
async def look(task_id: UUID, wait: Annotated[float, Query(ge=0, le=30)] = 0.0) -> dict[str, Any]:
    """Tells how a task is; with ``wait`` it waits that many seconds for its end."""
    task = await app.get(task_id)
    if task is None:
        raise HTTPException(404, f"no such task: {task_id}")
    if wait and not task.finished:
        with suppress(WaitTimeoutError):  # then the answer says that it still runs
            await task.wait(timeout=wait)
    return {
        "id": task.uuid,
        "status": task.status,
        "result": task.returning,
        "error": task.error and task.error.message,
    }
