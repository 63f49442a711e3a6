"""One stream of logs and output, which names the child and breaks no line."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Crew

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")


def test_every_line_of_a_child_names_it(crew: Crew) -> None:
    text = "first\nsecond\nthe end"
    for _ in range(4):
        crew.queue.add_task("speak", text)
    crew.queue.add_task("nobody_knows_this")

    process = crew.start("--processes", "2", "--burst")

    assert crew.end() == 0
    assert process.stdout is not None
    assert process.stdout.read() == ""
    lines = [line for line in crew.lines if not line.startswith((" ", "qtasks "))]
    for line in lines:
        assert re.match(r"\[[12]\] |\d\d:\d\d:\d\d [A-Z]+ +qtasks\.\w+: \[[12]\] ", line), line
    assert sum(line.endswith("] second") for line in lines) == 8


def test_prints_of_many_threads_do_not_mix(crew: Crew) -> None:
    for name in "abcdefgh":
        crew.queue.add_task("count", name, 500)

    crew.start("--processes", "2", "--concurrency", "4", "--burst")

    assert crew.end() == 0
    said = sorted(line.partition("] ")[2] for line in crew.lines if "did" in line)
    assert said == sorted(f"did {name} {number}" for name in "abcdefgh" for number in range(500))


def test_the_log_level_reaches_the_children(crew: Crew) -> None:
    crew.start("--processes", "2", "--burst", "--log-level", "warning")

    assert crew.end() == 0
    assert not [line for line in crew.lines if "qtasks.worker" in line]


def test_logging_that_the_app_has_set_up_stays_as_it_is(crew: Crew) -> None:
    script = crew.module.read_text("utf-8").replace(
        "import msgspec",
        "import logging\nlogging.basicConfig(format='mine %(message)s', level='INFO')\n"
        "import msgspec",
    )
    crew.module.write_text(script, "utf-8")

    crew.start("--processes", "2", "--burst")

    assert crew.end() == 0
    assert re.search(r"^\[1\] mine Worker \S+ takes from default", crew.said, re.MULTILINE)


def test_a_script_that_has_set_up_logging_formats_what_its_children_log(crew: Crew) -> None:
    script = crew.module.read_text("utf-8").replace(
        "    app.run_forever(",
        "    import logging\n"
        "    logging.basicConfig(format='%(child)s mine %(message)s', level='INFO',"
        " handlers=[logging.FileHandler('log')])\n"
        "    logging.getLogger('qtasks.supervisor').disabled = True\n"
        "    app.run_forever(",
    )
    crew.module.write_text(script, "utf-8")

    crew.execute("crew_app.py")

    assert crew.end() == 0, crew.said
    log = (crew.folder / "log").read_text("utf-8")
    assert re.search(r"^2 mine \[2\] Worker \S+ takes from default", log, re.MULTILINE)


def test_workers_run_on_uvloop_where_it_is_installed(crew: Crew) -> None:
    handle = crew.queue.add_task("imported")

    crew.start("--processes", "2", "--burst")

    assert crew.end() == 0
    assert re.search(r"loop          uvloop [\d.]+$", crew.said, re.MULTILINE)
    assert "uvloop.loop" in handle.result(0)


def test_a_setting_switches_uvloop_off(crew: Crew) -> None:
    crew.env["QTASKS_UVLOOP"] = "false"
    handle = crew.queue.add_task("imported")
    crew.start("--processes", "2", "--burst")

    assert crew.end() == 0
    assert "loop          asyncio (uvloop is switched off)" in crew.said
    assert "uvloop" not in handle.result(0)


def test_what_tasks_log_in_children_names_the_task(crew: Crew) -> None:
    task = crew.queue.add_task("tell", "hello")

    crew.start("--processes", "2", "--burst")

    assert crew.end() == 0
    end = task.id.rpartition("-")[2]
    assert re.search(rf"WARNING crew \[tell {end}\]: \[[12]\] hello$", crew.said, re.MULTILINE)
