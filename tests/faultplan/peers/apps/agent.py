"""Adds tasks to a peer and asks after them, for a driver in another process.

    python agent.py APP

APP is a module beside this one with a class `Client`.
Each line of the input is a request, and is answered by one line of the output; both are JSON.

====================================  ==============================================
``{"add": [[number, seconds], …]}``   ``{"ids": [id, …]}``
``{"ends": [id, …]}``                 ``{"ends": [null or [status, result], …]}``
====================================  ==============================================

Once it is connected it says ``{"ready": true}``; what fails is answered by ``{"error": "…"}``.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from typing import Any


async def answer(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    if "add" in request:
        return {"ids": [await client.add(number, seconds) for number, seconds in request["add"]]}
    return {"ends": [await client.end(task_id) for task_id in request["ends"]]}


async def serve(name: str, output: Any) -> None:
    def say(message: dict[str, Any]) -> None:
        output.write(f"{json.dumps(message)}\n")
        output.flush()

    async with importlib.import_module(name).Client() as client:
        say({"ready": True})
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                say(await answer(client, json.loads(line)))
            except Exception as error:  # noqa: BLE001 - peers raise what they like; the driver judges
                say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    # What libraries print must not get between the answers.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    asyncio.run(serve(sys.argv[1], channel))
