"""Worker processes: real children, real signals, the embedded queue."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Crew

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")


def test_children_share_the_work_and_a_burst_ends_when_all_are_done(crew: Crew) -> None:
    handles = [crew.queue.add_task("hold") for _ in range(12)]

    crew.start("--processes", "2", "--concurrency", "1", "--burst", "--json")
    crew.until_noted("S", 2)  # each runs one at a time, so these are two
    crew.let_go()
    document = crew.document()

    assert document == {"processes": 2, "started": 2, "queues": ["default"], "settled": 12}
    assert {handle.refresh().status for handle in handles} == {"success"}
    assert len(set(crew.noted("S"))) == 2
    assert "workers       2 children of this one" in crew.said
    assert crew.process is not None
    assert crew.process.pid not in crew.noted("S")


def test_a_child_imports_neither_the_command_line_nor_what_draws_on_a_terminal(crew: Crew) -> None:
    handle = crew.queue.add_task("imported")

    crew.start("--processes", "2", "--burst")

    modules = set(handle.result(60))
    assert crew.end() == 0
    assert "qtasks._supervisor.child" in modules
    assert not modules & {"typer", "click", "rich", "qtasks.cli", "qtasks.testing"}


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_collection_of_garbage_does_not_look_at_all_that_was_imported(
    processes: str, crew: Crew
) -> None:
    """It keeps all tasks waiting as long as it takes."""
    handle = crew.queue.add_task("collected")

    crew.start("--processes", processes, "--burst")

    assert handle.result(60) < 10_000
    assert crew.end() == 0


def test_a_killed_child_is_replaced_and_its_task_runs_again_long_before_the_lease_ends(
    crew: Crew,
) -> None:
    handle = crew.queue.add_task("first_time_only")
    crew.start("--processes", "2")
    (killed,) = crew.until_noted("S")

    os.kill(killed, signal.SIGKILL)

    assert handle.result(60) != killed
    crew.until_said(f"Process {killed} was killed by SIGKILL after ")
    crew.until_said("Took back 1 of its tasks")
    crew.until(lambda: len(crew.workers()) == 2)  # the dead one's report is gone too
    assert killed not in crew.workers()


def test_what_a_child_died_of_is_one_line(crew: Crew) -> None:
    crew.queue.add_task("crash", 7)

    crew.start("--processes", "2", "--burst")

    assert crew.end() == 0  # the third loss convicts the task, and the burst ends
    lines = [line for line in crew.lines if "ended with exit code 7 after" in line]
    assert len(lines) == 3
    assert all("ERROR   qtasks.supervisor: [" in line for line in lines)


def test_running_tasks_finish_when_the_supervisor_is_asked_to_stop(crew: Crew) -> None:
    handles = [crew.queue.add_task("hold") for _ in range(4)]
    process = crew.start("--processes", "2", "--concurrency", "1")
    crew.until_noted("S", 2)

    process.send_signal(signal.SIGTERM)
    crew.until_said("Stopping: 1 tasks still run", 2)
    crew.let_go()

    assert crew.end() == 0
    statuses = sorted(str(handle.refresh().status) for handle in handles)
    assert statuses == ["new", "new", "success", "success"]


def test_a_second_signal_gives_running_tasks_back_at_once(crew: Crew) -> None:
    handle = crew.queue.add_task("sleep", 600)
    process = crew.start("--processes", "2")
    crew.until_noted("S")

    process.send_signal(signal.SIGINT)
    crew.until_said("Stopping: 1 tasks still run")
    process.send_signal(signal.SIGINT)

    assert crew.end() == 0
    assert handle.refresh().status == "new", crew.said
    assert handle.record.attempts == 0


def test_a_third_signal_kills(crew: Crew) -> None:
    handle = crew.queue.add_task("block", 600)
    process = crew.start("--processes", "2")
    pids = crew.until_noted("S")

    for said in ("Stopping 2 workers", "Giving back the tasks", "Killing "):
        process.send_signal(signal.SIGINT)
        crew.until_said(said)

    assert crew.end() == 0
    crew.until_gone(pids)
    assert "was killed by SIGKILL" in crew.said
    assert handle.refresh().status in {"new", "process"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_for_all_processes_at_once_counts_once(crew: Crew, number: signal.Signals) -> None:
    """Ctrl-C reaches the group of the terminal, a service manager signals every process."""
    handle = crew.queue.add_task("hold")
    process = crew.start("--processes", "2")
    crew.until_noted("S")
    crew.until(lambda: len(crew.workers()) == 2)
    workers = crew.workers()

    os.killpg(process.pid, number)
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):  # who had nothing to do may be gone by now
            os.kill(pid, number)
    crew.until_said("Stopping: 1 tasks still run")
    crew.let_go()

    assert crew.end() == 0
    assert handle.refresh().status == "success"
    assert handle.record.deliveries == 1


def test_a_child_that_is_told_to_stop_by_somebody_else_is_replaced(crew: Crew) -> None:
    handle = crew.queue.add_task("interrupt_self")
    crew.start("--processes", "2")

    stopped = handle.result(60)

    crew.until_gone([stopped])
    crew.until(lambda: len(crew.workers()) == 2)
    assert stopped not in crew.workers()
    assert "ERROR" not in crew.said


@pytest.mark.parametrize("task", ["sleep", "block", "compute"])
def test_no_process_survives_a_killed_supervisor(crew: Crew, task: str) -> None:
    for _ in range(2):
        crew.queue.add_task(task, 600)
    process = crew.start("--processes", "2", "--concurrency", "1")
    crew.until(lambda: len(crew.workers()) == 2)
    pids = [*crew.until_noted("S", 2), *crew.workers()]

    process.kill()

    crew.until_gone(pids)
    assert crew.end() == -signal.SIGKILL


def test_a_child_that_hangs_is_killed_after_its_time(crew: Crew) -> None:
    crew.env["CREW_PATIENCE"] = "0"
    handle = crew.queue.add_task("block", 600)
    (crew.folder / "impatient.py").write_text(
        "from qtasks._supervisor import supervisor\n"
        "supervisor.MARGIN = 0.2\n"
        "from qtasks.cli import main\n"
        "main()\n"
    )
    process = crew.execute("impatient.py", "-A", "crew_app", "run", "--processes", "2")
    (hanging,) = crew.until_noted("S")

    process.send_signal(signal.SIGTERM)

    assert crew.end() == 0
    assert f"Process {hanging} does not stop and is killed" in crew.said
    assert "Took back 1 of its tasks" in crew.said
    assert handle.refresh().record.lost == 1


def test_a_script_runs_its_own_app_in_children(crew: Crew) -> None:
    handles = [crew.queue.add_task("sleep", 0.05) for _ in range(4)]
    in_pool = crew.queue.add_task("compute", 0)

    process = crew.execute("crew_app.py")

    assert crew.end() == 0, crew.said
    assert {handle.refresh().status for handle in handles} == {"success"}
    assert process.pid not in crew.noted("S")
    assert in_pool.refresh().status == "success"


def test_a_module_run_by_its_name_does_the_same(crew: Crew) -> None:
    handle = crew.queue.add_task("where")

    process = crew.execute("-m", "crew_app")

    assert crew.end() == 0, crew.said
    assert handle.result(0) != process.pid


def test_a_main_file_without_a_guard_is_refused_in_the_children(crew: Crew) -> None:
    script = crew.module.read_text("utf-8").replace('if __name__ == "__main__":', "if True:")
    crew.module.write_text(script, "utf-8")

    crew.execute("crew_app.py")

    assert crew.end() == 1
    assert crew.said.count("put that part under  if __name__ == '__main__':") == 2
    assert "ConfigError: __main__:app cannot be loaded in a worker process" in crew.said
