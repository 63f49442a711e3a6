"""What plugins add to the command line, and options of tasks."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from qtasks import QueueTasks
from qtasks.cli.commands import cli
from qtasks.exc import RegistrationError
from qtasks.plugins import BasePlugin, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conftest import Shop, Site

COMMANDS = """
import typer
from qtasks.plugins import hookimpl

@hookimpl
def qtasks_commands(group):
    @group.command()
    def greet(name: str):
        "Say hello."
        print("hello", name)

    @group.command()
    def names(ctx: typer.Context):
        print(sorted(ctx.obj.app.tasks))

    @group.command()
    def stats():
        print("mine")

    more = typer.Typer()
    group.add_typer(more, name="{group}")

    @more.command()
    def one():
        print("one of {group}")

    @more.command()
    def two(): ...
"""
WEB = """
import msgspec
from qtasks.plugins import BasePlugin, hookimpl
from qtasks.schemas import CommandOption

class Options(msgspec.Struct):
    port: int = 9000

class Plugin(BasePlugin):
    Options = Options

    @hookimpl
    def qtasks_command_options(self):
        return [
            CommandOption("--web-port", "port", help="Where it listens.", metavar="PORT"),
            CommandOption("--burst", "port"),
            CommandOption("web", "port"),
            "nonsense",
            CommandOption("--queue-port", "port", commands=("queues list", "stats")),
        ]

    def start(self, *args, **kwargs):
        with open("ports.txt", "a") as file:
            file.write(f"{self.options.port} ")

    def stop(self, *args, **kwargs): ...

    def trigger(self, name, **kwargs): ...
"""


def run(*arguments: str) -> Result:
    """Runs ``qtasks ...``."""
    return CliRunner().invoke(cli, arguments)


# Commands


def test_installed_plugins_add_commands(site: Site, shop: Shop) -> None:
    site.add("acme", COMMANDS.format(group="acme"), entry="")

    assert run("greet", "Ann").stdout == "hello Ann\n"
    assert run("acme", "one").stdout == "one of acme\n"
    assert shop.run("names").stdout == "['resize', 'scan', 'send', 'skip']\n"


def test_they_stand_in_the_help(site: Site) -> None:
    assert "greet" not in run("--help").stdout
    site.add("acme", COMMANDS.format(group="acme"), entry="")

    assert "Say hello." in run("--help").stdout
    assert run("-p", "no:acme", "greet", "Ann").exit_code == 2


def test_names_that_are_taken_stay_as_they_are(
    site: Site, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("acme", COMMANDS.format(group="queues"), entry="")
    site.add("beta", COMMANDS.format(group="acme"), entry="")

    assert "mine" not in shop.run("stats").stdout
    assert run("acme", "one").stdout == "one of acme\n"
    for name in ("stats", "queues"):
        assert f"Plugin acme adds a command {name!r}, which is there already" in caplog.text
    assert "Plugin beta adds a command 'greet', which is there already" in caplog.text


def test_a_plugin_that_fails_to_add_commands_leaves_the_others(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("acme", COMMANDS.format(group="acme"), entry="")
    broken = "from qtasks.plugins import hookimpl\n@hookimpl\ndef qtasks_commands(group): 1 / 0"
    site.add("bad", broken, entry="")

    assert run("greet", "Ann").stdout == "hello Ann\n"
    assert "Plugin bad failed in hook qtasks_commands; it is left out" in caplog.text


def test_a_plugin_of_the_app_adds_commands_too(shop: Shop) -> None:
    shop.extend(
        """
from qtasks.plugins import BasePlugin, hookimpl

class Mine(BasePlugin):
    @hookimpl
    def qtasks_commands(self, group):
        @group.command()
        def mine():
            print("here")

    def start(self, *args, **kwargs): ...

    def stop(self, *args, **kwargs): ...

    def trigger(self, name, **kwargs): ...

app.add_plugin(Mine())
"""
    )

    assert shop.run("mine").stdout == "here\n"
    assert shop.run("yours").exit_code == 2


def test_what_nobody_knows_is_still_refused(shop: Shop) -> None:
    for done in (run("stat"), shop.run("stat"), run("stats", "--unknown")):
        assert done.exit_code == 2
        assert "No such" in done.stderr


def test_what_a_plugin_has_that_cannot_be_used_is_refused_with_the_reason(
    site: Site, shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("web", WEB + COMMANDS)
    monkeypatch.setenv("QTASKS_WEB_PORT", "soon")
    why = "Plugin web (acme-web 1.0) is not used: option port of plugin web = 'soon'"

    for unknown in (["run", "--web-port", "1"], ["greet", "Ann"]):
        caplog.clear()
        done = shop.run(*unknown)
        assert done.exit_code == 2
        assert f"No such {'option' if unknown[0] == 'run' else 'command'}" in done.stderr
        assert [text.partition(" (from QTASKS_WEB_PORT)")[0] for text in caplog.messages] == [why]


# Options of commands


@pytest.mark.parametrize(("given", "port"), [([], "9000"), (["--web-port", "8080"], "8080")])
def test_an_option_of_run_becomes_one_of_the_plugin(
    site: Site, shop: Shop, tmp_path: Any, given: list[str], port: str
) -> None:
    site.add("web", WEB)

    done = shop.run("run", "--burst", *given)

    assert done.exit_code == 0, done.output
    assert (tmp_path / "ports.txt").read_text() == f"{port} "


def test_worker_processes_get_it_too(site: Site, shop_in_a_file: Shop, tmp_path: Any) -> None:
    site.add("web", WEB)
    site.add("bad", "raise SystemExit(3)")
    arguments = ["-A", "shop:app", "-p", "no:bad", "run", "--burst", "--processes", "2"]
    command = [sys.executable, "-m", "qtasks", *arguments, "--web-port", "8080"]

    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={"PYTHONPATH": str(site.path)}
    )

    assert done.returncode == 0, done.stderr
    # Once in the supervisor, and in each of its children.
    assert (tmp_path / "ports.txt").read_text() == "8080 8080 8080 "
    assert "Plugin bad" not in done.stderr


def test_a_wrong_value_is_one_line(site: Site, shop: Shop) -> None:
    site.add("web", WEB)

    done = shop.run("run", "--burst", "--web-port", "soon")

    assert done.exit_code == 2
    assert "option port of plugin web = 'soon' (from the command line): Expected" in done.stderr


def test_options_stand_in_the_help_of_their_commands(site: Site) -> None:
    site.add("web", WEB)

    assert "Where it listens. (of the plugin web)" in " ".join(
        run("run", "--help").stdout.replace("│", " ").split()
    )
    assert "--queue-port" in run("stats", "--help").stdout
    assert "--queue-port" in run("queues", "list", "--help").stdout
    assert "--web-port" not in run("stats", "--help").stdout


def test_options_that_cannot_be_are_left_out(
    site: Site, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("web", WEB)

    assert shop.run("run", "--burst", "--web-port", "1").exit_code == 0
    assert "Plugin web adds --burst, which is there already" in caplog.text
    assert "Plugin web adds 'nonsense', which is no option of a command" in caplog.text


def test_an_option_of_a_plugin_that_is_not_used_is_refused(
    site: Site, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("web", WEB)
    shop.extend("from acme_web import Plugin\napp.add_plugin(Plugin('other'))")

    done = shop.run("run", "--burst", "--web-port", "1")

    assert done.exit_code == 2
    assert "the command line gives port to the plugin web, which is not used" in done.stderr


@pytest.mark.parametrize("answer", ["5", "[5]", "[CommandOption('--Web', 'x')]"])
def test_nonsense_for_options_is_left_out(
    site: Site, shop: Shop, caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    code = f"""
    from qtasks.plugins import hookimpl
    from qtasks.schemas import CommandOption

    @hookimpl
    def qtasks_command_options():
        return {answer}
    """
    site.add("bad", code, entry="")

    assert shop.run("stats", "--help").exit_code == 0
    assert "Plugin bad adds " in caplog.text
    assert "which is no option of a command" in caplog.text


def test_the_doctor_tells_what_is_left_out(site: Site) -> None:
    site.add("acme", COMMANDS.format(group="queues"), entry="")
    site.add("web", WEB.replace('"queues list"', '"queues lst"'))

    done = run("plugins", "doctor", "--no-start", "--json")

    found = {(f["subject"], f["message"]) for f in json.loads(done.stdout)["findings"]}
    assert done.exit_code == 1
    assert found >= {
        ("plugin acme", "It adds a command stats, which is there already."),
        ("plugin acme", "It adds a command queues, which is there already."),
        ("plugin web", "It adds --burst to run, which has it already."),
        ("plugin web", "It adds --queue-port to queues lst, and there is no such command."),
    }


# Options of tasks


class Retry(BasePlugin):
    """Declares options of tasks."""

    @hookimpl
    def qtasks_task_options(self) -> Mapping[str, Any]:
        return {"retry": self.check, "retry_on_exc": tuple}

    def check(self, value: Any) -> None:
        if not isinstance(value, int):
            msg = "use a whole number of attempts"
            raise TypeError(msg)

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""


def test_without_the_plugin_its_options_say_what_to_install() -> None:
    app = QueueTasks(broker_url="memory://")

    with pytest.raises(RegistrationError, match="pip install qtasks-plugin-retry"):
        app.task(name="x", retry=3)(print)


def test_a_plugin_declares_options_of_tasks() -> None:
    app = QueueTasks(broker_url="memory://", plugins=[Retry()])

    task = app.task(name="x", retry=3, other=1)(lambda: None)

    assert task.definition.extra == {"retry": 3, "other": 1}
    with pytest.raises(RegistrationError, match=r"task 'y': retry='3'; use a whole number of att"):
        app.task(name="y", retry="3")(lambda: None)
    with pytest.raises(RegistrationError, match=r"unknown option 'retryy', did you mean 'retry'"):
        app.task(name="z", retryy=3)(lambda: None)


def test_an_installed_plugin_declares_them_too(site: Site) -> None:
    code = """
    from qtasks.plugins import hookimpl

    @hookimpl
    def qtasks_task_options():
        return {"retry": int}
    """
    site.add("retry", code, entry="")
    site.add("bad", code.replace('return {"retry": int}', "1 / 0"), entry="")

    task = QueueTasks(broker_url="memory://").task(name="x", retry=3)(lambda: None)

    assert task.definition.extra == {"retry": 3}


def test_the_json_of_a_plugins_list_names_its_hooks(site: Site) -> None:
    site.add("web", WEB)

    (found,) = json.loads(run("plugins", "list", "--json").stdout)

    assert found["hooks"] == ["qtasks_command_options"]
