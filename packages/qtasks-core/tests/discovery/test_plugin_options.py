"""Options of plugins: from code, the command line, the environment and the settings file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import pytest

from qtasks import QueueTasks
from qtasks._discovery.options import (
    OptionSources,
    options_class,
    read_options,
    shown_option,
    variable_of,
)
from qtasks._discovery.switches import Switches, switched
from qtasks.exc import ConfigError
from qtasks.plugins import BasePlugin
from qtasks.plugins import Plugin as Convenient

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Site

    from qtasks.schemas import PluginReport


class Options(msgspec.Struct):
    """Options of many kinds."""

    port: Annotated[int, msgspec.Meta(ge=1)] = 9000
    ratio: float = 1.0
    debug: bool = False
    name: str | None = None
    tags: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    level: Literal["low", "high"] = "low"
    api_token: str = ""

    def __post_init__(self) -> None:
        if self.port == 666:
            msg = "port must not be 666"
            raise ValueError(msg)


class Needy(msgspec.Struct):
    dsn: str


class Plugin(BasePlugin):
    Options = Options

    def __init__(self, name: str | None = None, options: Options | None = None) -> None:
        super().__init__(name)
        self.options: Any = options

    def start(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""


NO_SOURCES = OptionSources({}, None, {}, {})
MODULE = """
import msgspec
from qtasks.plugins import BasePlugin

class Options(msgspec.Struct):
    port: int = 9000
    host: str = "localhost"

class Plugin(BasePlugin):
    Options = Options
    {init}

    def start(self, *args, **kwargs): ...

    def stop(self, *args, **kwargs): ...

    def trigger(self, name, **kwargs): ...
"""
TAKES = """
    def __init__(self, name=None, options=None):
        super().__init__(name)
        self.options = options
"""


def module(init: str = "pass") -> str:
    """Returns the text of a module with a plugin that has options."""
    return MODULE.format(init=init.strip())


def read(**environ: str) -> Any:
    """Reads the options of a plugin named ``web`` from variables."""
    variables = {f"QTASKS_WEB_{name.upper()}": text for name, text in environ.items()}
    return read_options("web", Options, OptionSources({}, None, variables, {}))


def app(**options: Any) -> QueueTasks:
    return QueueTasks(broker_url="memory://", **options)


def test_without_a_word_options_have_their_defaults() -> None:
    assert read_options("web", Options, NO_SOURCES) == Options()


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("port", "8080", 8080),
        ("ratio", "0.5", 0.5),
        ("debug", "true", True),
        ("debug", "1", True),
        ("debug", "yes", True),
        ("debug", "Off", False),
        ("name", "Ann, Bob", "Ann, Bob"),
        ("name", "[x]", "[x]"),
        ("tags", "a, b,,c", ("a", "b", "c")),
        ("tags", '["a,b"]', ("a,b",)),
        ("limits", '{"a": 1}', {"a": 1}),
        ("level", "high", "high"),
    ],
)
def test_text_is_read_as_what_the_option_is(option: str, text: str, value: Any) -> None:
    assert getattr(read(**{option: text}), option) == value


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("port", "soon", r"option port of plugin web = 'soon' \(from QTASKS_WEB_PORT\): Expected"),
        ("port", "0", r"= '0' \(from QTASKS_WEB_PORT\): Expected `int` >= 1"),
        ("port", "666", r"options of plugin web \(from QTASKS_WEB_PORT\): port must not be 666"),
        ("limits", "{", r"option limits of plugin web = '{' \(from QTASKS_WEB_LIMITS\)"),
        ("level", "middle", r"option level of plugin web = 'middle'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_source(option: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(**{option: text})


def test_secrets_are_not_shown() -> None:
    assert shown_option("api_token", "abc") == "***"
    assert shown_option("url", "redis://u:secret@host") == "'redis://u:***@host'"
    assert shown_option("api_token", "") == "''"
    assert len(shown_option("name", "x" * 500)) < 100


def test_the_name_of_the_variable() -> None:
    assert variable_of("acme-audit.x", "port") == "QTASKS_ACME_AUDIT_X_PORT"


def test_a_variable_that_is_a_setting_is_no_option() -> None:
    class Result(msgspec.Struct):
        ttl: int = 5

    sources = OptionSources({}, None, {"QTASKS_RESULT_TTL": "60"}, {})

    assert read_options("result", Result, sources) == Result()


def test_a_slip_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    assert read(prot="1") == Options()
    assert "QTASKS_WEB_PROT means nothing and is ignored; did you mean QTASKS_WEB_PORT?" in (
        caplog.text
    )


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"needs the option dsn: set QTASKS_WEB_DSN, or dsn in"):
        read_options("web", Needy, NO_SOURCES)


def test_options_are_declared_by_a_struct() -> None:
    class Wrong:
        Options = dict

    with pytest.raises(ConfigError, match=r"derives from msgspec.Struct"):
        options_class(Wrong)


# Found plugins


def test_a_plugin_with_marked_methods_takes_options() -> None:
    class Marked(Convenient):
        Options = Options

    assert Marked("web", Options(port=1)).options.port == 1
    plugin = Marked("web")
    app(plugins=[plugin])
    assert plugin.options == Options()


@pytest.mark.parametrize(
    ("init", "entry"),
    [("pass", "Plugin"), (TAKES, "Plugin"), ("pass", "make"), (TAKES, "make")],
)
def test_a_found_plugin_gets_its_options(
    site: Site, monkeypatch: pytest.MonkeyPatch, init: str, entry: str
) -> None:
    (site.path / "pyproject.toml").write_text(
        "[tool.qtasks.plugins.web]\nport = 1\nhost = 'file'\n"
    )
    monkeypatch.chdir(site.path)
    monkeypatch.setenv("QTASKS_WEB_PORT", "2")
    site.add("web", module(init) + "def make(): return Plugin()\n", entry=entry)

    plugin: Any = app().plugins["web"]
    with switched(Switches(options={"web": {"port": "3"}})):
        again: Any = app().plugins["web"]

    assert (plugin.options.port, plugin.options.host) == (2, "file")
    assert (again.options.port, again.options.host) == (3, "file")


def test_an_instance_that_is_found_gets_its_options(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QTASKS_WEB_PORT", "2")
    site.add("web", module() + "found = Plugin()\n", entry="found")

    plugin: Any = app().plugins["web"]

    assert plugin.options.port == 2


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("port = 'x'", r"option port of plugin web = 'x' (from [tool.qtasks.plugins.web] in "),
        ("prot = 1", "plugin web has no option 'prot' (from [tool.qtasks.plugins.web]). Did you"),
    ],
)
def test_a_found_plugin_with_wrong_options_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, table: str, reason: str
) -> None:
    (site.path / "pyproject.toml").write_text(f"[tool.qtasks.plugins.web]\n{table}\n")
    monkeypatch.chdir(site.path)
    site.add("web", module())

    report: PluginReport
    (report,) = app().plugin_reports()

    assert report.state == "refused"
    assert report.reason.startswith(reason)
    assert report.fix == "correct or set that option"


# Plugins that are added in code


def test_one_that_is_added_without_options_gets_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QTASKS_WEB_PORT", "2")
    plugin = Plugin("web")

    app(plugins=[plugin])

    assert plugin.options == Options(port=2)


def test_options_of_the_code_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_WEB_PORT", "2")
    plugin = Plugin("web", Options(port=1, name="code"))
    other = Plugin("web", Options(port=1, name="code"))

    app().add_plugin(plugin)
    with switched(Switches(options={"web": {"port": "3"}})):
        app().add_plugin(other)

    assert plugin.options == Options(port=1, name="code")
    assert other.options == Options(port=3, name="code")


def test_wrong_options_of_one_that_is_added_are_the_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QTASKS_WEB_PORT", "x")

    with pytest.raises(ConfigError, match="QTASKS_WEB_PORT"):
        app().add_plugin(Plugin("web"))
