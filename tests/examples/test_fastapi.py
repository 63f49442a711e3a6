"""The FastAPI example answers over HTTP, with a worker inside and with workers of their own."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

import qtasks
import qtasks.exc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi"
MODULES = ("shop", "routes", "embedded", "separate")
WAIT = 30  # seconds


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports an application of the example, whose queue is in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QTASKS_BROKER_URL", f"sqlite:///{tmp_path / 'shop.db'}")
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)

    yield lambda name: importlib.import_module(name).api

    for name in MODULES:
        sys.modules.pop(name, None)


def order(client: TestClient, **params: Any) -> str:
    """Orders a thumbnail, and returns where to look for it."""
    answer = client.post("/thumbnails", params=params)
    assert answer.status_code == 202
    assert answer.json()["status"] == "new"
    return f"/thumbnails/{answer.json()['id']}"


def test_the_worker_inside_runs_what_the_application_adds(load: Callable[[str], Any]) -> None:
    with TestClient(load("embedded")) as client:
        url = order(client, path="cat.jpg", width=128)
        answer = client.get(url, params={"wait": WAIT}).json()

    assert answer["status"] == "success"
    assert answer["result"] == "cat.jpg at 128 pixels"


def test_an_application_can_be_started_again(load: Callable[[str], Any]) -> None:
    api = load("embedded")
    for _ in range(2):
        with TestClient(api) as client:
            answer = client.get(order(client, path="cat.jpg"), params={"wait": WAIT}).json()
            assert answer["status"] == "success"


def test_a_worker_of_its_own_runs_what_the_application_adds(load: Callable[[str], Any]) -> None:
    with TestClient(load("separate")) as client:
        url = order(client, path="dog.jpg")
        assert client.get(url).json()["status"] == "new"
        waits = client.get(url, params={"wait": 0.01}).json()
        assert (waits["status"], waits["result"]) == ("new", None)

        command = [sys.executable, "-m", "qtasks", "-A", "shop:app", "run", "--burst"]
        subprocess.run(command, cwd=EXAMPLE, check=True, capture_output=True, timeout=120)

        assert client.get(url).json()["result"] == "dog.jpg at 256 pixels"


def test_bad_input_is_an_answer(load: Callable[[str], Any]) -> None:
    with TestClient(load("separate")) as client:
        assert client.get(f"/thumbnails/{uuid4()}").status_code == 404
        assert client.get("/thumbnails/none").status_code == 422
        assert client.post("/thumbnails", params={"path": "x", "width": 0}).status_code == 422


async def test_a_synchronous_wait_keeps_the_loop_of_the_worker_from_starting_the_task() -> None:
    app = qtasks.QueueTasks(broker_url="memory://", plugins=[])

    @app.task
    def work() -> str:
        return "done"

    async with app.worker():
        with pytest.raises(qtasks.exc.WaitTimeoutError) as caught:
            work.add_task(timeout=0.1)
        task = caught.value.task
        assert task.status == "new"

        ended = await asyncio.to_thread(task.wait, WAIT)

    assert ended.returning == "done"
