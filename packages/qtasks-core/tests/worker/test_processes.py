"""The process pool."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qtasks._runtime.errors import RemoteError, describe
from qtasks._worker import processes
from qtasks._worker.processes import ProcessPool
from qtasks.app.declare import declare
from qtasks.exc import (
    EncodeError,
    ProcessCrashedError,
    RegistrationError,
    Reject,
    RetryLater,
    TaskCancelError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import ModuleType


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("process_tasks")


@pytest.fixture
async def pool() -> AsyncIterator[ProcessPool]:
    pool = ProcessPool(2)
    yield pool
    pool.close()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def run(pool: ProcessPool, function: Any, *args: Any, **kwargs: Any) -> Any:
    return await pool.run(declare(function, None, {"pool": "process"}), args, kwargs)


async def test_the_function_runs_in_another_process_that_is_used_again(
    pool: ProcessPool, functions: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    first = await run(pool, functions.pid)
    assert first != os.getpid()
    assert await run(pool, functions.pid) == first
    assert await run(pool, functions.add, 2, y=3) == 5
    assert "this goes to standard error" in capfd.readouterr().err


async def test_two_run_at_once_and_no_more(pool: ProcessPool, functions: ModuleType) -> None:
    pids = await asyncio.gather(*(run(pool, functions.pid) for _ in range(6)))
    assert len(set(pids)) == 2


async def test_standard_input_is_empty(pool: ProcessPool, functions: ModuleType) -> None:
    assert await run(pool, functions.read_input) == ""


async def test_an_exception_comes_back_as_data(pool: ProcessPool, functions: ModuleType) -> None:
    with pytest.raises(RemoteError, match="in the child") as caught:
        await run(pool, functions.fail)
    error = describe(caught.value)
    assert error.type == "builtins.ValueError"
    assert "process_tasks.py" in error.traceback
    assert "child.py" not in error.traceback


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("retry", RetryLater, "busy"),
        ("reject", Reject, "bad"),
        ("cancel", TaskCancelError, "enough"),
    ],
)
async def test_control_exceptions_steer_the_run(
    pool: ProcessPool, functions: ModuleType, how: str, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text) as caught:
        await run(pool, functions.steer, how)
    assert getattr(caught.value, "delay", 7) == 7


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [("crash", (3,), "died with exit code 3"), ("segfault", (), "died by signal 11")],
)
async def test_a_crash_is_an_error_of_the_task_and_the_pool_goes_on(
    pool: ProcessPool, functions: ModuleType, name: str, args: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ProcessCrashedError, match=message):
        await run(pool, getattr(functions, name), *args)
    assert await run(pool, functions.add, 1) == 2


async def test_a_function_that_never_returns_is_killed(
    pool: ProcessPool, functions: ModuleType
) -> None:
    child = await run(pool, functions.pid)
    stuck = asyncio.ensure_future(run(pool, functions.forever))
    while not pool._busy:
        await asyncio.sleep(0)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    while _exists(child):
        await asyncio.sleep(0.001)
    assert await run(pool, functions.add, 1) == 2


async def test_the_start_of_a_child_is_no_time_of_the_task(
    pool: ProcessPool, functions: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = []
    loop, read = asyncio.get_running_loop(), processes._read

    async def reads() -> None:
        events.append("reads")

    def noted(child: Any) -> bytes:
        # What this thread has told the loop before comes before this.
        asyncio.run_coroutine_threadsafe(reads(), loop).result()
        return read(child)

    monkeypatch.setattr(processes, "_read", noted)
    task = declare(functions.add, None, {"pool": "process"})

    for _ in range(2):
        await pool.run(task, (1,), {}, lambda: events.append("begins"))

    assert events == ["reads", "begins", "reads", "begins", "reads"]


async def test_a_child_that_died_idle_costs_no_task(
    pool: ProcessPool, functions: ModuleType
) -> None:
    child = await run(pool, functions.pid)
    os.kill(child, 9)
    while pool._idle[0].poll() is None:
        await asyncio.sleep(0.001)
    assert await run(pool, functions.pid) != child


async def test_a_result_that_cannot_be_encoded_is_an_error(
    pool: ProcessPool, functions: ModuleType
) -> None:
    with pytest.raises(RemoteError, match=r"the result.*cannot be encoded"):
        await run(pool, functions.unencodable)
    with pytest.raises(EncodeError, match="the arguments of add"):
        await run(pool, functions.add, object())


def test_what_a_child_cannot_find_is_refused_at_registration() -> None:
    def local() -> None:
        """Does nothing."""

    async def coroutine() -> None:
        """Does nothing."""

    for function, message in (
        (local, "cannot be found by another process"),
        (lambda: None, "cannot be found by another process"),
        (coroutine, "a coroutine runs in 'loop'"),
    ):
        with pytest.raises(RegistrationError, match=message):
            declare(function, "name", {"pool": "process"})


async def test_a_main_file_without_a_guard_is_refused_in_the_child(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "from qtasks import QueueTasks\n"
        f"app = QueueTasks(broker_url='sqlite:///{tmp_path}/q.db')\n"
        "@app.task(pool='process')\n"
        "def work():\n"
        "    return 1\n"
        "handle = work.add_task()\n"
        "app.run_forever(burst=True)\n"
        "print(handle.wait(0).error.message)\n"
        "print(app.stats()[0].finished)\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await child.communicate()
    assert b"put that part under  if __name__ == '__main__':" in output
    assert output.splitlines()[-1] == b"1"


async def test_an_interrupt_of_the_terminal_does_not_reach_the_children(
    pool: ProcessPool, functions: ModuleType
) -> None:
    child = await run(pool, functions.pid)
    assert os.getpgid(child) != os.getpgid(0)


async def test_a_task_defined_in_the_main_file_is_found(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "from qtasks import QueueTasks\n"
        "import os\n"
        "app = QueueTasks(broker_url='memory://')\n"
        "@app.task(pool='process')\n"
        "def where():\n"
        "    return os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    handle = where.add_task()\n"
        "    app.run_forever(burst=True)\n"
        "    assert handle.result(0) != os.getpid()\n"
        "    print('found')\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await child.communicate()
    assert output.strip() == b"found"
