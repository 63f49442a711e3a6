"""Installed plugins: found, checked, selected, and reported one by one."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from qtasks import QueueTasks
from qtasks._discovery import entries
from qtasks._discovery.switches import Switches, switched
from qtasks.exc import ConfigError, RegistrationError
from qtasks.plugins import BasePlugin

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Site

    from qtasks.schemas import PluginReport

#: A plugin that does nothing; HEAD stands in its class, and BODY behind it.
PLUGIN = """
from qtasks.plugins import BasePlugin

class Plugin(BasePlugin):
    {head}

    def start(self, *args, **kwargs): ...

    def stop(self, *args, **kwargs): ...

    def trigger(self, name, **kwargs): ...

{body}
"""


def plugin(head: str = "pass", body: str = "") -> str:
    """Returns the text of a module with a plugin."""
    return PLUGIN.format(head=head, body=body)


class Mine(BasePlugin):
    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""


def app(**options: Any) -> QueueTasks:
    return QueueTasks(broker_url="memory://", **options)


def reports(**options: Any) -> dict[str, PluginReport]:
    """Returns the reports of a new app, by name."""
    return {report.name: report for report in app(**options).plugin_reports()}


def only(**options: Any) -> PluginReport:
    """Returns the one report of a new app."""
    (report,) = reports(**options).values()
    return report


# What is found


def test_an_installed_plugin_is_used_without_a_line_of_code(site: Site) -> None:
    link = "Project-URL: Homepage, https://acme.example/audit\n"
    site.add("audit", plugin(), version="2.1", metadata=link)

    report = only()

    assert (report.name, report.state, report.origin) == ("audit", "active", "installed")
    assert (report.distribution, report.version) == ("acme-audit", "2.1")
    assert (report.source, report.url) == ("acme_audit:Plugin", "https://acme.example/audit")
    assert (report.order, report.api, report.reason, report.fix) == (1, "", "", "")
    assert "worker_start" in report.triggers


def test_nothing_is_looked_for_before_it_is_needed(site: Site) -> None:
    module = site.add("audit", plugin())
    code = f"""
import sys
import qtasks, qtasks.plugins
from qtasks._discovery import entries
app = qtasks.QueueTasks(broker_url="memory://")
app.task(name="x")(lambda: 1)
assert entries._found is None and {module!r} not in sys.modules
app.add_task("x")
assert entries._found is not None and {module!r} in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(site.path)})


def test_plugins_are_sorted_by_name_behind_those_of_the_code(site: Site) -> None:
    for name in ("zebra", "ant", "mole"):
        site.add(name, plugin())
    mine = app()
    mine.add_plugin(Mine("yours"))

    assert list(mine.plugins) == ["yours", "ant", "mole", "zebra"]
    assert [report.order for report in mine.plugin_reports()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("head", "body", "entry"),
    [
        ("pass", "", "Plugin"),
        ("pass", "found = Plugin()", "found"),
        ("pass", "def make(): return Plugin()", "make"),
    ],
)
def test_an_entry_may_be_a_class_an_instance_or_a_factory(
    site: Site, head: str, body: str, entry: str
) -> None:
    site.add("audit", plugin(head, body), entry=entry)

    assert [*app().plugins] == ["audit"]


def test_an_entry_may_be_a_module_of_hooks(site: Site) -> None:
    code = """
    from qtasks.plugins import hookimpl

    @hookimpl
    def qtasks_health_checks(app):
        return []
    """
    site.add("checks", code, entry="")

    report = only()

    assert (report.state, report.triggers) == ("active", ())
    assert report.hooks == ("qtasks_health_checks",)


def test_a_found_plugin_can_name_its_triggers(site: Site) -> None:
    site.add("audit", plugin("TRIGGERS = ('worker_start', 'worker_stop')"))

    assert only().triggers == ("worker_start", "worker_stop")


def test_each_app_has_plugins_of_its_own(site: Site) -> None:
    site.add("audit", plugin())

    assert app().plugins["audit"] is not app().plugins["audit"]


# What is broken


@pytest.mark.parametrize(
    ("code", "options", "told"),
    [
        (
            "import no_such_module",
            {},
            (
                "failed",
                "importing it failed: ModuleNotFoundError: No module named 'no_such_module'",
                "perhaps pip install no_such_module",
            ),
        ),
        (
            "1 / 0",
            {},
            (
                "failed",
                "importing it failed: ZeroDivisionError: division by zero",
                "pip install --upgrade acme-bad, or report it to its author",
            ),
        ),
        (
            "raise SystemExit(3)",
            {},
            (
                "failed",
                "importing it failed: SystemExit: 3",
                "pip install --upgrade acme-bad, or report it to its author",
            ),
        ),
        (
            "class Stop(BaseException): ...\nraise Stop('here')",
            {},
            (
                "failed",
                "importing it failed: Stop: here",
                "pip install --upgrade acme-bad, or report it to its author",
            ),
        ),
        (
            "",
            {"entry": "Gone"},
            (
                "failed",
                "importing it failed: AttributeError: module 'acme_bad' has no attribute 'Gone'",
                "pip install --upgrade acme-bad, or report it to its author",
            ),
        ),
        (
            plugin("def __init__(self): raise OSError('no socket')"),
            {},
            (
                "failed",
                "making it failed: OSError: no socket",
                "pip install --upgrade acme-bad, or report it to its author",
            ),
        ),
        (
            "Plugin = 3",
            {},
            (
                "failed",
                "making it failed: TypeError: 3 is no plugin: an entry point leads to a class",
                "pip install --upgrade acme-bad, or report it to its author",
            ),
        ),
        (
            "from qtasks.plugins import BasePlugin\nclass Plugin(BasePlugin): pass",
            {},
            (
                "failed",
                "making it failed: TypeError: Can't instantiate abstract class",
                "pip install --upgrade acme-bad, or report it to its author",
            ),
        ),
        (
            "1 / 0",
            {"requires": ["no-such-package>=2", "pluggy<1", "other; extra == 'x'"]},
            (
                "refused",
                "it needs no-such-package>=2, and it is not installed; it needs pluggy<1, and 1.",
                "pip install 'no-such-package>=2' 'pluggy<1'",
            ),
        ),
        (
            plugin("plugin_api = '2.0'"),
            {},
            (
                "refused",
                "it needs plugin API 2.x, and this core speaks 1.0",
                "pip install --upgrade qtasks-core",
            ),
        ),
        (
            plugin("plugin_api = '0.3'"),
            {},
            (
                "refused",
                "it needs plugin API 0.x, and this core speaks 1.0",
                "pip install --upgrade acme-bad",
            ),
        ),
        (
            plugin("plugin_api = 1"),
            {},
            (
                "refused",
                "plugin_api = 1 is no version",
                'write plugin_api = "1.0" in the plugin',
            ),
        ),
        (
            plugin("TRIGGERS = ('worker_strat',)"),
            {},
            (
                "refused",
                "plugin 'bad': unknown trigger 'worker_strat' (did you mean 'worker_start'?)",
                "pip install --upgrade qtasks-core acme-bad",
            ),
        ),
        (
            plugin("TRIGGERS = 5"),
            {},
            (
                "failed",
                "registering it failed: TypeError: 'int' object is not iterable",
                "pip install --upgrade qtasks-core acme-bad",
            ),
        ),
        (
            "from qtasks.plugins import hookimpl\n@hookimpl\ndef qtasks_comands(group): ...",
            {"entry": ""},
            (
                "refused",
                "there is no hook qtasks_comands, did you mean qtasks_commands?",
                "pip install --upgrade qtasks-core acme-bad",
            ),
        ),
        (
            "from qtasks.plugins import hookimpl\n@hookimpl\ndef qtasks_commands(*, group): ...",
            {"entry": ""},
            (
                "refused",
                "hook qtasks_commands never gets group: arguments of hooks are plain parameters;",
                "pip install --upgrade qtasks-core acme-bad",
            ),
        ),
        (
            "from qtasks.plugins import hookimpl\n@hookimpl\ndef qtasks_commands(grup): ...",
            {"entry": ""},
            (
                "refused",
                "hook qtasks_commands has no argument 'grup'; it takes group",
                "pip install --upgrade qtasks-core acme-bad",
            ),
        ),
        (
            "",
            {"points": "[qtasks]\nthis is no entry point\n"},
            (
                "refused",
                "its entry_points.txt cannot be read: ",
                "pip install --force-reinstall acme-bad",
            ),
        ),
    ],
)
def test_a_broken_plugin_is_a_line_in_the_report_and_no_more(
    site: Site,
    caplog: pytest.LogCaptureFixture,
    code: str,
    options: dict[str, Any],
    told: tuple[str, str, str],
) -> None:
    state, reason, fix = told
    site.add("bad", code, **options)
    site.add("good", plugin())
    mine = app()
    mine.task(name="x")(lambda: 5)

    handle = mine.add_task("x")
    mine.run_forever(burst=True)

    assert handle.result(5) == 5
    good, bad = mine.plugin_reports()
    assert (good.name, good.state) == ("good", "active")
    assert (bad.state, bad.fix, bad.order) == (state, fix, 0)
    assert bad.reason.startswith(reason)
    assert bad.name in ("bad", "acme-bad")
    assert f"Plugin {bad.name} (acme-bad 1.0) is not used: {reason}" in caplog.text
    assert len(caplog.records) == 1


def test_a_traceback_is_kept_of_code_that_raised(site: Site) -> None:
    site.add("bad", "def fail():\n    return 1 / 0\n\nfail()")

    trace = only().trace

    assert "acme_bad.py" in trace
    assert "discovery" not in trace
    assert trace.endswith("ZeroDivisionError: division by zero")


def test_requirements_are_checked_before_anything_is_imported(site: Site) -> None:
    module = site.add("bad", plugin(), requires=["no-such-package"])

    assert only().state == "refused"
    assert module not in sys.modules


def test_a_newer_minor_of_the_api_loads_with_a_warning(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("new", plugin("plugin_api = '1.9'"))

    report = only()

    assert (report.state, report.api) == ("active", "1.9")
    assert report.reason == "it was written for plugin API 1.9, and this core speaks 1.0"
    assert report.fix == "pip install --upgrade qtasks-core"
    assert "Plugin new: it was written for plugin API 1.9" in caplog.text


def test_of_two_plugins_with_one_name_the_first_is_used_and_both_are_named(site: Site) -> None:
    site.add("audit", plugin(), distribution="zeta-audit")
    site.add("audit", plugin(), distribution="beta-audit", version="3")

    one, two = app().plugin_reports()

    assert (one.distribution, one.state) == ("beta-audit", "active")
    assert (two.distribution, two.state) == ("zeta-audit", "refused")
    assert two.reason == (
        "beta-audit 3 and zeta-audit 1.0 both bring a plugin named audit; that of beta-audit is"
        " used"
    )
    assert two.fix == "pip uninstall zeta-audit, or pip uninstall beta-audit"


def test_threads_that_begin_together_find_the_same_plugins(site: Site) -> None:
    site.add("audit", plugin(body="made = []\nPlugin.__init__ = lambda self: made.append(self)"))
    mine, begin = app(), threading.Barrier(8)

    def use() -> list[str]:
        begin.wait()
        return list(mine.plugins)

    with ThreadPoolExecutor(8) as pool:
        found = [future.result() for future in [pool.submit(use) for _ in range(8)]]

    assert found == [["audit"]] * 8
    assert len(sys.modules["acme_audit"].made) == 1


def test_a_property_of_a_plugin_is_not_run(site: Site) -> None:
    head = """
    @property
    def client(self):
        raise RuntimeError("not started")
    """
    site.add("lazy", plugin(head.strip()))

    assert only().state == "active"


def test_a_plugin_may_import_the_app_that_looks_for_it(site: Site) -> None:
    (site.path / "acme_app.py").write_text(
        "from qtasks import QueueTasks\napp = QueueTasks(broker_url='memory://')\n"
        "@app.task(colour_of_extra=1)\ndef f(): ...\n"
    )
    site.add("audit", plugin(body="import acme_app\nacme_app.app.plugins"))

    assert only().state == "active"


# Which ones are wanted


def states(**options: Any) -> dict[str, str]:
    """Returns the state of every plugin of a new app."""
    return {name: report.state for name, report in reports(**options).items()}


@pytest.fixture
def three(site: Site) -> Site:
    for name in ("ant", "bee", "cat"):
        site.add(name, plugin())
    return site


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("names", "environ", "switches", "used"),
    [
        (None, {}, Switches(), {"ant", "bee", "cat"}),
        ([], {}, Switches(), set()),
        (["bee"], {}, Switches(), {"bee"}),
        (["acme-bee"], {}, Switches(), {"bee"}),
        (["bee"], {"QTASKS_PLUGINS": "cat"}, Switches(), {"bee"}),
        (None, {"QTASKS_PLUGINS": ""}, Switches(), set()),
        (None, {"QTASKS_PLUGINS": " ant, cat"}, Switches(), {"ant", "cat"}),
        (None, {"QTASKS_DISABLE_PLUGINS": ""}, Switches(), {"ant", "bee", "cat"}),
        (None, {"QTASKS_DISABLE_PLUGINS": "ant,Acme.Cat"}, Switches(), {"bee"}),
        (["ant"], {"QTASKS_DISABLE_PLUGINS": "ant"}, Switches(), set()),
        (None, {}, Switches.parse(["no:ant"]), {"bee", "cat"}),
        (None, {}, Switches.parse(["no:ant", "ant"]), {"ant", "bee", "cat"}),
        (None, {"QTASKS_PLUGINS": "bee"}, Switches.parse(["cat"]), {"bee", "cat"}),
        (None, {"QTASKS_DISABLE_PLUGINS": "cat"}, Switches.parse(["cat"]), {"ant", "bee", "cat"}),
    ],
)
def test_who_says_which_plugins_are_used(
    monkeypatch: pytest.MonkeyPatch,
    names: list[str] | None,
    environ: dict[str, str],
    switches: Switches,
    used: set[str],
) -> None:
    for variable, text in environ.items():
        monkeypatch.setenv(variable, text)

    with switched(switches):
        found = states(plugins=names)

    assert {name for name, state in found.items() if state == "active"} == used
    assert {state for name, state in found.items() if name not in used} <= {"disabled"}


def test_what_is_not_wanted_is_not_imported(three: Site) -> None:
    reports(plugins=["bee"])

    assert "acme_bee" in sys.modules
    assert not {"acme_ant", "acme_cat"} & set(sys.modules)


@pytest.mark.usefixtures("three")
def test_the_report_says_who_switched_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    by_code = reports(plugins=["bee"])["ant"]
    monkeypatch.setenv("QTASKS_DISABLE_PLUGINS", "ant")
    by_variable = reports()["ant"]
    with switched(Switches.parse(["no:ant"])):
        by_command = reports()["ant"]

    assert (by_code.reason, by_code.fix) == (
        "plugins= of the app names those that are used: bee",
        "add ant to plugins= of the app, or -p ant",
    )
    assert (by_variable.reason, by_variable.fix) == (
        "QTASKS_DISABLE_PLUGINS switches it off",
        "take ant out of QTASKS_DISABLE_PLUGINS, or -p ant",
    )
    assert by_command.reason == "-p no:ant switches it off"


@pytest.mark.usefixtures("three")
def test_a_plugin_that_is_named_and_not_there_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    found = reports(plugins=["bee", "cta", "metrics"])

    assert found["bee"].state == "active"
    assert found["cta"].state == found["metrics"].state == "failed"
    assert found["cta"].reason == "plugins= of the app names it, and it is not installed"
    assert found["cta"].fix == "did you mean cat? Else pip install qtasks-plugin-cta"
    assert found["metrics"].fix == "pip install qtasks-plugin-metrics"
    assert "Plugin metrics is not used" in caplog.text


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("environ", "switches", "where"),
    [
        ({}, Switches.parse(["no:cta"]), "-p no:cta"),
        ({"QTASKS_DISABLE_PLUGINS": "ant,cta"}, Switches(), "QTASKS_DISABLE_PLUGINS"),
    ],
)
def test_a_name_that_is_switched_off_and_not_there_is_a_warning(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    switches: Switches,
    where: str,
) -> None:
    for variable, text in environ.items():
        monkeypatch.setenv(variable, text)

    with switched(switches):
        found = reports()

    assert found["cat"].state == "active"
    assert found["cta"].state == "disabled"
    assert found["cta"].reason == f"{where} switches it off, and there is no such plugin"
    assert found["cta"].fix == "did you mean cat?"
    assert caplog.messages == [f"Plugin cta: {found['cta'].reason}: did you mean cat?"]


@pytest.mark.usefixtures("three")
def test_a_name_that_is_switched_off_and_like_no_other_is_told_with_those_there_are() -> None:
    with switched(Switches.parse(["no:zoo"])):
        found = reports(plugins=[])["zoo"]

    assert found.fix == (
        "the plugins are acme-ant, acme-bee, acme-cat, ant, bee, cat, depends, state"
    )


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("name", ["ant", "acme-ant", "Acme.Ant", "mine", "depends"])
def test_a_name_of_any_plugin_may_be_switched_off(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with switched(Switches.parse([f"no:{name}"])):
        reports(plugins=[Mine("mine")])

    assert caplog.messages == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ant", "plugins='ant': give a list of names and instances"),
        (Mine(), "give a list of names and instances"),
        ([Mine], r"neither a name nor an instance of BasePlugin; call the class: Mine\(\)"),
        ([3], "3 is neither a name nor an instance"),
    ],
)
def test_what_is_no_list_of_plugins_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        app(plugins=given)


# Instances


def test_an_instance_takes_the_place_of_the_found_one_of_its_name(site: Site) -> None:
    module = site.add("audit", plugin(), version="3")
    mine = app()
    mine.add_plugin(Mine("audit"))

    (report,) = mine.plugin_reports()

    assert isinstance(mine.plugins["audit"], Mine)
    assert (report.state, report.origin, report.version) == ("active", "code", "3")
    assert report.reason == "an instance that was added in code is used"
    assert module not in sys.modules


def test_an_instance_takes_the_place_of_the_found_one_of_its_class(site: Site) -> None:
    site.add("audit", plugin())
    import acme_audit  # type: ignore[import-not-found]  # the test has just made it

    mine = app(plugins=[acme_audit.Plugin("one"), acme_audit.Plugin("two"), "audit"])

    one, two, found = mine.plugin_reports()
    assert [one.name, two.name] == list(mine.plugins) == ["one", "two"]
    assert (found.state, found.reason) == (
        "disabled",
        "one, which was added in code, is used instead",
    )


def test_instances_in_the_list_switch_the_others_off(site: Site) -> None:
    site.add("audit", plugin())

    assert states(plugins=[Mine("mine")]) == {"mine": "active", "audit": "disabled"}


def test_an_instance_may_come_after_tasks_that_needed_the_found_one(site: Site) -> None:
    head = """
    @hookimpl
    def qtasks_task_options(self):
        return {"retry": int}
    """
    site.add("retry", "from qtasks.plugins import hookimpl\n" + plugin(head.strip()))
    mine = app()

    @mine.task(retry=3)
    def flaky() -> None:
        """Does nothing."""

    mine.add_plugin(Mine("retry"))

    assert isinstance(mine.plugins["retry"], Mine)


def test_after_the_first_use_a_name_is_taken(site: Site) -> None:
    site.add("audit", plugin())
    mine = app()
    assert "audit" in mine.plugins

    with pytest.raises(RegistrationError, match="a plugin named 'audit' is registered"):
        mine.add_plugin(Mine("audit"))


@pytest.mark.parametrize("how", ["environment", "command line"])
def test_an_instance_can_be_switched_off_from_outside(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "environment":
        monkeypatch.setenv("QTASKS_DISABLE_PLUGINS", "mine")
    with switched(Switches.parse(["no:mine"] if how == "command line" else [])):
        found = app()
        found.add_plugin(Mine("mine"))
        found.add_plugin(Mine("other"))

        assert list(found.plugins) == ["other"]
        assert [(r.name, r.state) for r in found.plugin_reports()] == [
            ("other", "active"),
            ("mine", "disabled"),
        ]


@pytest.mark.parametrize(("head", "message"), [("2.0", "needs plugin API 2.x"), (2, "no version")])
def test_an_instance_of_another_api_is_refused_at_once(head: Any, message: str) -> None:
    mine = Mine()
    mine.plugin_api = head  # type: ignore[attr-defined]  # plugins declare it if they like

    with pytest.raises(RegistrationError, match=message):
        app().add_plugin(mine)


def test_an_instance_of_a_newer_minor_api_is_used_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mine, found = Mine(), app()
    mine.plugin_api = "1.9"  # type: ignore[attr-defined]  # plugins declare it if they like

    found.add_plugin(mine)

    assert mine in found.plugins.values()
    (record,) = caplog.records
    assert record.getMessage() == (
        "Plugin Mine: it was written for plugin API 1.9, and this core speaks 1.0:"
        " pip install --upgrade qtasks-core"
    )


# Required ones


@pytest.mark.parametrize("required", ["audit", "audit>=2", "acme-audit", "Acme_Audit~=2.1"])
def test_a_required_plugin_that_is_there(site: Site, required: str) -> None:
    site.add("audit", plugin(), version="2.1")

    assert only(required_plugins=[required]).state == "active"


@pytest.mark.parametrize(
    ("required", "code", "message"),
    [
        (
            "sentry>=1.0",
            plugin(),
            "(from code), and it is not installed: pip install 'qtasks-plugin-sentry>=1.0'",
        ),
        ("qtasks-metrics", plugin(), "it is not installed: pip install qtasks-metrics"),
        (
            "audit>=3",
            plugin(),
            "and 2.1 is installed: pip install 'qtasks-plugin-audit>=3'",
        ),
        ("audit", "1 / 0", "and it is failed: importing it failed: ZeroDivisionError"),
    ],
)
def test_a_required_plugin_that_is_not_there_stops_the_app(
    site: Site, required: str, code: str, message: str
) -> None:
    site.add("audit", code, version="2.1")
    mine = app(required_plugins=[required])

    for _ in range(2):
        with pytest.raises(ConfigError) as raised:
            mine.add_task("x")
        assert message in str(raised.value)
    with pytest.raises(ConfigError):
        mine.worker()


def test_an_instance_meets_a_requirement_too(site: Site) -> None:
    assert states(plugins=[Mine("audit")], required_plugins=["audit"]) == {"audit": "active"}


@pytest.mark.parametrize(("given", "word"), [("sentry", "a list"), (["a b"], "no requirement")])
def test_what_is_no_list_of_requirements_is_refused(given: Any, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        app(required_plugins=given)


def test_strict_mode_makes_a_mistake_an_error(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("bad", "1 / 0")
    monkeypatch.setenv("QTASKS_STRICT_PLUGINS", "1")

    with pytest.raises(ConfigError, match=r"(?s)strict mode.*- bad: importing it failed"):
        assert app().plugins


# The settings file


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("plugins = ['ant']", {"ant"}),
        ("plugins = []", set()),
        ("disable_plugins = ['ant']", {"bee", "cat"}),
        ("[tool.qtasks.plugins]\nuse = ['cat']", {"cat"}),
        ("[tool.qtasks.plugins.ant]", {"ant", "bee", "cat"}),
    ],
)
def test_the_file_says_which_plugins_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, used: set[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.qtasks]\n{text}\n")
    monkeypatch.chdir(tmp_path)

    assert {name for name, state in states().items() if state == "active"} == used


def test_the_file_requires_and_is_strict(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("bad", "1 / 0")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "pyproject.toml"

    file.write_text("[tool.qtasks]\nrequired_plugins = ['audit>=2']\n")
    with pytest.raises(ConfigError, match=r"audit>=2 is required.*from \[tool.qtasks\] in"):
        assert app().plugins
    file.write_text("[tool.qtasks]\nstrict_plugins = true\n")
    with pytest.raises(ConfigError, match="strict mode"):
        assert app().plugins


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plugins = 3", "plugins = 3 .*write a list of names"),
        ("disable_plugins = 'ant'", "disable_plugins = 'ant' .*write a list of names"),
        ("required_plugins = [1]", "required_plugins = .*write a list of names"),
        ("strict_plugins = 'yes'", "strict_plugins = 'yes' .*use true or false"),
        ("plugins.ant = 'x'", r"ant \(from .*options of a plugin stand"),
        ("plugin = ['ant']", "unknown setting 'plugin'.*Did you mean 'plugins'"),
    ],
)
def test_nonsense_in_the_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.qtasks]\n{text}\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=message):
        assert app().plugins


# What is installed, by itself


def test_only_what_is_seen_counts_as_installed(three: Site) -> None:
    bee = [entry for entry in entries.installed() if entry.name == "bee"]

    with entries.seen(bee):
        assert states() == {"bee": "active"}
    assert list(states()) == ["ant", "bee", "cat"]


def test_a_distribution_without_metadata_is_a_plugin_too(site: Site) -> None:
    module = site.add("audit", plugin())
    (site.path / f"{module}-1.0.dist-info" / "METADATA").unlink()

    report = only()

    assert (report.state, report.distribution, report.version) == ("active", "", "")


def test_a_distribution_that_is_hidden_by_another_of_its_name_is_none(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("audit", plugin(), version="1.0")
    other = type(site)(tmp_path / "first")
    monkeypatch.syspath_prepend(str(other.path))
    other.add("audit", plugin(), version="2.0")

    assert only().version == "2.0"
    other.close()


def test_logging_names_the_package_of_a_plugin(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("bad", "1 / 0", version="4.2")
    with caplog.at_level(logging.WARNING, "qtasks.plugins"):
        app().add_task("x")

    (record,) = caplog.records
    assert record.getMessage() == (
        "Plugin bad (acme-bad 4.2) is not used: importing it failed: ZeroDivisionError: division"
        " by zero: pip install --upgrade acme-bad, or report it to its author"
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"QTASKS_AGAIN_TIMES": "many"},
            r"refused: option times of plugin again = 'many' \(from QTASKS_AGAIN_TIMES\): Expected",
        ),
        ({"QTASKS_DISABLE_PLUGINS": "again"}, "disabled: QTASKS_DISABLE_PLUGINS switches it off: "),
    ],
)
def test_an_option_of_a_plugin_that_is_not_used_says_why(
    site: Site, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], said: str
) -> None:
    head = "import msgspec\nclass Given(msgspec.Struct):\n    times: int = 3\n"
    body = "Plugin.Options = Given"
    site.add("again", head + plugin(body=body), distribution="QTasks_Plugin-Retry")
    for variable, text in environ.items():
        monkeypatch.setenv(variable, text)

    needs = "retry= needs a plugin: qtasks-plugin-retry is installed, and its plugin again is"
    with pytest.raises(RegistrationError, match=rf"{needs} {said}"):
        app().task(retry=3)(len)


@pytest.mark.usefixtures("site")
def test_an_option_of_a_plugin_that_is_not_installed_says_what_to_type() -> None:
    with pytest.raises(RegistrationError, match=r"plugin: pip install qtasks-plugin-retry\Z"):
        app().task(retry=3)(len)
