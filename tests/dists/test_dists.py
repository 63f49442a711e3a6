"""Plugins that were really built and installed, most of them broken: told by name, and harmless."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: The commands of this environment.
QTASKS = Path(sys.executable).with_name("qtasks")
#: Real seconds that a command may take; one of the plugins never starts.
PATIENCE = 120

#: The plugins of this repository, which are installed beside them.
OURS = tuple(
    sorted(
        each.name.removeprefix("qtasks-plugin-")
        for each in (Path(__file__).parents[2] / "packages").glob("qtasks-plugin-*")
    )
)

SHOP = """
from qtasks import QueueTasks

app = QueueTasks()


@app.task
def greet(name):
    return f"hello {name}"


@app.task
def fail():
    raise LookupError("nobody is here")
"""


class Commands:
    """Runs commands in a directory of their own.

    Args:
        directory: the directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *arguments: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Runs ``qtasks`` with these arguments; it must end with this code."""
        done = subprocess.run(
            [QTASKS, *arguments],
            cwd=self.directory,
            env={**os.environ, "QTASKS_PLUGIN_TIMEOUT": "2", **env},
            capture_output=True,
            check=False,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done

    def reports(self, **env: str) -> dict[str, list[dict[str, Any]]]:
        """Returns what ``plugins list --json`` says, by the names of the plugins."""
        found: dict[str, list[dict[str, Any]]] = {}
        for report in json.loads(self.run("plugins", "list", "--json", code=0, **env).stdout):
            found.setdefault(report["name"], []).append(report)
        return found


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    return Commands(tmp_path)


#: What is said of each plugin: its state, and words of the reason and of what to type.
STATES = {
    "broken-import": ("failed", "No module named 'a_module_that_nobody_has'", "pip install"),
    "good": ("active", "", ""),
    "missing-requirement": (
        "refused",
        "a-package-that-nobody-has>=3, and it is not installed",
        "pip install 'a-package-that-nobody-has>=3'",
    ),
    "raising": ("active", "", ""),
    "slow": ("active", "", ""),
    "unknown-trigger": ("refused", "did you mean 'worker_start'", ""),
    "wrong-api": ("refused", "needs plugin API 9.x", "pip install --upgrade qtasks-core"),
}


@pytest.mark.parametrize("name", STATES)
def test_the_list_says_what_became_of_each(commands: Commands, name: str) -> None:
    state, reason, fix = STATES[name]
    (report,) = commands.reports()[name]
    assert report["state"] == state, report
    assert reason in report["reason"]
    assert fix in report["fix"]
    assert report["distribution"] == f"qtasks-dist-{name}"
    assert report["version"] == ("1.2.0" if name == "good" else "1.0.0")
    assert bool(report["fix"]) is (state != "active")


def test_of_two_with_one_name_one_is_used_and_both_are_named(commands: Commands) -> None:
    first, second = commands.reports()["twin"]
    assert [first["state"], second["state"]] == ["active", "refused"]
    assert {first["distribution"], second["distribution"]} == {
        "qtasks-dist-twin-one",
        "qtasks-dist-twin-two",
    }
    assert first["distribution"] in second["reason"]


def test_the_list_is_sorted_and_complete(commands: Commands) -> None:
    reports = commands.reports()
    assert set(reports) == {*STATES, "twin", *OURS}
    order = [r["name"] for each in reports.values() for r in each if r["state"] == "active"]
    assert order == sorted(["good", "raising", "slow", "twin", *OURS])


def test_people_get_a_table(commands: Commands) -> None:
    table = commands.run("plugins", "list", COLUMNS="200").stdout
    assert all(f"qtasks-dist-{name} " in table for name in (*STATES, "twin-one", "twin-two"))


def test_the_doctor_finds_all_of_it(commands: Commands) -> None:
    told = json.loads(commands.run("plugins", "doctor", "--json", code=2).stdout)
    wrong = {f["subject"] for f in told["findings"] if f["level"] != "ok"}
    named = {f"plugin {name}" for name in {*STATES, "twin"} - {"good"}}
    assert wrong == named
    assert all(f["fix"] for f in told["findings"] if f["level"] != "ok")


@pytest.mark.parametrize("name", ["raising", "slow"])
def test_the_doctor_finds_what_shows_only_when_it_starts(commands: Commands, name: str) -> None:
    commands.run("plugins", "doctor", "--only", name, code=2)
    commands.run("plugins", "doctor", "--only", name, "--no-start", code=0)


def test_the_doctor_is_content_with_one_that_is_good(commands: Commands) -> None:
    done = commands.run("plugins", "doctor", "--only", "good")
    assert "all is well" in done.stdout


def test_what_is_switched_off_is_not_complained_of(commands: Commands) -> None:
    commands.run("plugins", "doctor", QTASKS_PLUGINS="good")
    commands.run("plugins", "doctor", QTASKS_PLUGINS="")
    states = {n: r[0]["state"] for n, r in commands.reports(QTASKS_PLUGINS="good").items()}
    assert states.pop("good") == "active"
    assert set(states.values()) == {"disabled"}


def test_tasks_run_among_all_of_them(commands: Commands) -> None:
    shop = ("-A", "shop:app")
    greeted = json.loads(commands.run(*shop, "call", "greet", "--args", '["Ann"]', "--json").stdout)
    failed = json.loads(commands.run(*shop, "call", "fail", "--json").stdout)
    done = commands.run(*shop, "run", "--burst")
    for told in ("Plugin raising (qtasks-dist-raising 1.0.0) failed in worker_start", "slow"):
        assert told in done.stderr + done.stdout
    records = json.loads(commands.run(*shop, "tasks", "list", "--json").stdout)
    ends = {record["id"]: record["status"] for record in records}
    assert ends == {greeted["id"]: "success", failed["id"]: "error"}
    shown = json.loads(commands.run(*shop, "tasks", "show", greeted["id"], "--json").stdout)
    assert shown["result"] == "hello Ann, and well done"
    shown = json.loads(commands.run(*shop, "tasks", "show", failed["id"], "--json").stdout)
    assert shown["error"]["message"] == "nobody is here"


def test_strict_mode_refuses_to_go_on(commands: Commands) -> None:
    done = commands.run("-A", "shop:app", "run", "--burst", code=2, QTASKS_STRICT_PLUGINS="1")
    assert "broken-import" in done.stderr


def test_an_import_of_qtasks_imports_no_plugin() -> None:
    code = "import sys, qtasks; print([name for name in sys.modules if 'qtasks_dist' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
