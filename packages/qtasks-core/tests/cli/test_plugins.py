"""``qtasks plugins list``, ``show`` and ``doctor``, ``-p``, and ``qtasks triggers``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from qtasks.cli import health
from qtasks.cli.commands import cli
from qtasks.contracts.triggers import CATALOGUE

if TYPE_CHECKING:
    from conftest import Shop, Site

PLUGIN = """
import msgspec
from qtasks.plugins import BasePlugin, hookimpl
from qtasks.schemas import Finding

class Options(msgspec.Struct):
    port: int = 9000
    api_token: str = "hush"

class Plugin(BasePlugin):
    plugin_api = "1.0"
    TRIGGERS = ("worker_start", "worker_stop")
    {head}

    def trigger(self, name, **kwargs): ...

    def start(self, *args, **kwargs): {start}

    def stop(self, *args, **kwargs): ...
"""
CHECKED = """
    @hookimpl
    def qtasks_health_checks(self, app):
        {answer}
"""


def plugin(head: str = "pass", start: str = "...") -> str:
    """Returns the text of a module with a plugin."""
    return PLUGIN.format(head=head.strip(), start=start)


def checked(answer: str) -> str:
    """Returns the text of a module with a plugin that looks at its health."""
    return plugin(CHECKED.format(answer=answer))


def run(*arguments: str) -> Result:
    """Runs ``qtasks plugins ...`` without an app."""
    return CliRunner().invoke(cli, ["plugins", *arguments])


def document(*arguments: str) -> Any:
    """Runs a command with ``--json``, whatever its exit code."""
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def several(site: Site) -> Site:
    """A plugin that is good, one that cannot be imported, and one that is too new."""
    site.add("good", plugin(), version="2.1")
    site.add("bad", "import no_such_module")
    site.add("new", plugin("plugin_api = '7.0'"))
    return site


@pytest.fixture(autouse=True)
def never_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps a busy machine from being taken for a slow plugin."""
    monkeypatch.setattr(health, "_SLOW", 60.0)


# list


def test_nothing_is_installed() -> None:
    done = run("list")

    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "no plugin is installed or added\n"


@pytest.mark.usefixtures("several")
def test_the_list_says_why_and_what_to_type(caplog: pytest.LogCaptureFixture) -> None:
    lines = run("list").stdout.splitlines()

    assert [line.split() for line in lines[:2]] == [
        ["order", "name", "package", "version", "api", "triggers", "state", "why"],
        ["1", "good", "acme-good", "2.1", "1.0", "2", "active"],
    ]
    text = " ".join(" ".join(lines[2:]).split())
    assert text.startswith("bad acme-bad 1.0 – failed importing it failed: ModuleNotFoundError")
    assert caplog.text == ""


@pytest.mark.usefixtures("several")
def test_the_list_for_programs() -> None:
    good, bad, new = document("list")

    assert (good["name"], good["state"], good["order"]) == ("good", "active", 1)
    assert good["triggers"] == ["worker_start", "worker_stop"]
    assert (bad["state"], bad["fix"]) == ("failed", "perhaps pip install no_such_module")
    assert bad["reason"].startswith("importing it failed: ModuleNotFoundError")
    assert (new["state"], new["api"], new["fix"]) == (
        "refused",
        "7.0",
        "pip install --upgrade qtasks-core",
    )


@pytest.mark.usefixtures("several")
def test_the_list_may_be_of_one_trigger() -> None:
    assert [each["name"] for each in document("list", "--trigger", "worker_start")] == ["good"]
    assert document("list", "--trigger", "worker_outcome") == []
    done = run("list", "--trigger", "worker_strat")
    assert done.exit_code == 2
    assert (
        done.stderr == "error: there is no trigger 'worker_strat'. Did you mean 'worker_start'?\n"
    )


def test_plugins_of_an_app_come_first(shop: Shop, site: Site) -> None:
    site.add("good", plugin())
    shop.extend("from acme_good import Plugin\napp.add_plugin(Plugin('mine'))")

    mine, good = shop.json("plugins", "list")

    assert (mine["name"], mine["origin"], mine["state"]) == ("mine", "code", "active")
    assert (good["state"], good["reason"]) == (
        "disabled",
        "mine, which was added in code, is used instead",
    )


def test_a_missing_required_plugin_hides_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("good", plugin())
    monkeypatch.setenv("QTASKS_REQUIRED_PLUGINS", "sentry")

    assert [each["name"] for each in document("list")] == ["good"]
    assert run("doctor").exit_code == 2


# -p


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "no:bad", "-p", "no:acme-new", "plugins", "list"],
        ["-p", "no:new", "plugins", "list", "-p", "no:bad"],
        ["plugins", "list", "-p", "no:new", "-p", "no:bad"],
    ],
)
def test_plugins_are_switched_off_before_and_behind_the_command(arguments: list[str]) -> None:
    found = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)

    assert [each["state"] for each in found] == ["active", "disabled", "disabled"]
    assert {each["name"]: each["state"] for each in document("list")}["bad"] == "failed"


@pytest.mark.usefixtures("site")
def test_a_plugin_is_switched_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("good", plugin())
    monkeypatch.setenv("QTASKS_PLUGINS", "")

    assert document("list")[0]["state"] == "disabled"
    assert document("list", "-p", "good")[0]["state"] == "active"


def test_a_switch_without_a_name() -> None:
    done = run("list", "-p", "no:")

    assert done.exit_code == 2
    assert done.stderr == "error: -p 'no:': write -p NAME, or -p no:NAME to switch it off\n"


# show


@pytest.mark.usefixtures("several")
def test_everything_about_a_plugin() -> None:
    text = run("show", "good").stdout

    for line in ("package  acme-good 2.1", "api      1.0", "python   acme_good:Plugin"):
        assert line in text
    assert "worker_start  alone" in text


@pytest.mark.parametrize("name", ["good", "acme-good"])
def test_options_are_shown_without_secrets(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    site.add("good", plugin("Options = Options"))
    monkeypatch.setenv("QTASKS_GOOD_PORT", "9001")

    (found,) = document("show", name)
    text = run("show", name).stdout

    assert found["options"] == [
        {
            "name": "port",
            "value": "9001",
            "source": "environment",
            "from": "QTASKS_GOOD_PORT",
            "variable": "QTASKS_GOOD_PORT",
        },
        {
            "name": "api_token",
            "value": "***",
            "source": "default",
            "from": "default",
            "variable": "QTASKS_GOOD_API_TOKEN",
        },
    ]
    assert "QTASKS_GOOD_PORT" in text
    assert "hush" not in text


@pytest.mark.usefixtures("several")
def test_the_traceback_of_one_that_raised() -> None:
    text = run("show", "bad").stdout

    assert "acme_bad.py" in text
    assert text.rstrip().endswith("No module named 'no_such_module'")


@pytest.mark.usefixtures("several")
def test_no_such_plugin() -> None:
    done = run("show", "goood")

    assert done.exit_code == 2
    assert "there is no plugin 'goood'. Did you mean 'good'? The plugins: bad, good, new" in (
        done.stderr
    )


# doctor


@pytest.fixture
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the doctor give up soon where a plugin hangs."""
    if any("wait()" in str(value) for value in request.node.callspec.params.values()):
        monkeypatch.setattr(health, "_PATIENCE", 0.05)
        monkeypatch.setenv("QTASKS_PLUGIN_TIMEOUT", "0.05")


def found(*arguments: str) -> dict[str, tuple[str, str]]:
    """Returns level and message of what the doctor found, by subject."""
    findings = document("doctor", *arguments)["findings"]
    return {each["subject"]: (each["level"], each["message"]) for each in findings}


def test_all_is_well(site: Site) -> None:
    assert run("doctor").exit_code == 0
    site.add("good", plugin())

    done = run("doctor")

    assert done.exit_code == 0
    assert "ok       plugin good: It is used: acme-good 1.0, 2 triggers, 0 hooks." in done.stdout
    assert done.stdout.endswith("all is well\n")


@pytest.mark.usefixtures("several")
def test_every_plugin_is_looked_at() -> None:
    assert run("doctor").exit_code == 2
    assert {subject: level for subject, (level, _) in found().items()} == {
        "plugin good": "ok",
        "plugin bad": "error",
        "plugin new": "error",
    }
    assert list(found("--only", "good")) == ["plugin good"]
    assert run("doctor", "--only", "good").exit_code == 0


def test_a_plugin_that_listens_to_everything_gets_a_hint(site: Site) -> None:
    site.add("good", plugin().replace("TRIGGERS =", "OTHERS ="))

    done = run("doctor")

    assert done.exit_code == 0
    assert "hint: It listens to everything, many times" in done.stdout


def test_a_plugin_that_is_switched_off_is_well(site: Site) -> None:
    site.add("bad", "1 / 0")

    assert run("doctor", "-p", "no:bad").exit_code == 0


def test_a_newer_plugin_is_a_warning(site: Site) -> None:
    site.add("new", plugin("plugin_api = '1.7'"))

    done = run("doctor")

    assert done.exit_code == 1
    assert "warning  plugin new: It is used, but it was written for plugin API 1.7" in done.stdout


def test_options_of_nobody_are_a_warning(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.path / "pyproject.toml").write_text("[tool.qtasks.plugins.sentri]\ndsn = 'x'\n")
    monkeypatch.chdir(site.path)

    assert found()["plugin sentri"] == (
        "warning",
        "It has options in [tool.qtasks.plugins.sentri], and there is no such plugin.",
    )


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("raise OSError('no socket')", "It does not start and stop: OSError: no socket."),
        ("import threading; threading.Event().wait()", "TimeoutError: nothing within 0.05"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_plugins_are_started_and_stopped(site: Site, start: str, message: str) -> None:
    site.add("bad", plugin(start=start))

    done = run("doctor")

    assert done.exit_code == 2
    assert message in done.stdout
    assert run("doctor", "--no-start").exit_code == 0


def test_a_start_that_takes_nothing_is_well(site: Site) -> None:
    text = """
    from qtasks.plugins import Plugin

    class Mine(Plugin):
        plugin_api = "1.0"

        def start(self) -> None: ...

        def stop(self) -> None: ...
    """
    site.add("modest", text)

    assert run("doctor").exit_code == 0


def test_a_slow_start_is_a_warning(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_SLOW", 0.0)
    site.add("slow", plugin())

    done = run("doctor")

    assert done.exit_code == 1
    assert "s to start and stop, which every worker waits for." in done.stdout


@pytest.mark.parametrize(
    ("answer", "subject", "told"),
    [
        ("return []", "plugin good", ("ok", "It is used: acme-good 1.0, 2 triggers, 1 hook.")),
        (
            "return [Finding('warning', 'disk', 'It is full.', 'Empty it.')]",
            "good: disk",
            ("warning", "It is full."),
        ),
        (
            "return self.look()\n    async def look(self):\n        yield 1",
            "plugin good",
            ("warning", "Its health check failed: TypeError: 'async_generator' object is not"),
        ),
        ("return ['ill']", "plugin good", ("warning", "Its health check returned a str, no F")),
        ("1 / 0", "plugin good", ("warning", "Its health check failed: ZeroDivisionError")),
        (
            "import threading; threading.Event().wait()",
            "plugin good",
            ("warning", "Its health check failed: TimeoutError: nothing within"),
        ),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_plugins_look_at_themselves(
    site: Site, shop: Shop, answer: str, subject: str, told: tuple[str, str]
) -> None:
    site.add("good", checked(answer))

    level, message = found()[subject]
    general = json.loads(shop.run("doctor", "--json").stdout)["findings"]

    assert level == told[0]
    assert message.startswith(told[1])
    assert any(each["message"] == message for each in general) is (told[0] != "ok")


def test_the_doctor_of_the_app_sees_broken_plugins(site: Site, shop: Shop) -> None:
    site.add("bad", "1 / 0")

    done = shop.run("doctor")

    assert done.exit_code == 2
    assert "error    plugin bad: It is failed: importing it failed: ZeroDivisionError" in (
        done.stdout
    )


# triggers


def test_all_triggers_are_listed() -> None:
    done = CliRunner().invoke(cli, ["triggers", "--json"])

    assert [each["name"] for each in json.loads(done.stdout)] == list(CATALOGUE)
    words = CliRunner().invoke(cli, ["triggers"]).stdout.split()
    assert set(CATALOGUE) <= set(words)


def test_one_trigger_and_who_listens(site: Site, shop: Shop) -> None:
    site.add("good", plugin())

    (found,) = shop.json("triggers", "worker_start")
    text = shop.run("triggers", "worker_start").stdout

    assert found["listeners"] == ["good"]
    assert found["doc"] == CATALOGUE["worker_start"].doc
    assert "heard by   good" in text
    assert "fires in   worker" in text
    assert "check" not in found
    assert "Fires when a worker is connected" in text


def test_triggers_of_a_component(shop: Shop) -> None:
    found = shop.json("triggers", "--component", "worker")

    assert {each["component"] for each in found} == {"worker"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["worker_strat"], "there is no trigger 'worker_strat'. Did you mean 'worker_start'?"),
        (["--component", "wroker"], "there is no component 'wroker'. Did you mean 'worker'?"),
    ],
)
def test_no_such_trigger(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(cli, ["triggers", *arguments])

    assert done.exit_code == 2
    assert done.stderr == f"error: {message}\n"
