"""The queue and its tasks; web application and workers import it."""

from __future__ import annotations

from qtasks.asyncio import QueueTasks

app = QueueTasks("shop")  # the queue is qtasks.db here; QTASKS_BROKER_URL moves it to a server


@app.task(max_time=30)
def thumbnail(path: str, width: int = 256) -> str:
    """Stands for work that takes its time."""
    return f"{path} at {width} pixels"
