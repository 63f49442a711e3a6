"""What can be set, and what is said of what cannot."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from qtasks import QueueTasks
from qtasks.exc import ConfigError
from qtasks.testing import make_app, plugin_sandbox, run_task
from qtasks_plugin_metrics import MetricsPlugin, Options

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("port", -1, r"port=-1: use 0 to 65535"),
        ("port", 65536, r"port=65536: use 0 to 65535"),
        ("host", "", r"host='': use an address"),
        ("stale_after", 0, r"stale_after=0: use seconds above 0"),
        ("stale_after", float("nan"), r"stale_after=nan: use seconds above 0"),
        ("token", " ", r"token='\*\*\*': use no blanks at its ends"),
        ("token", "t\u00f6ken", r"token='\*\*\*': use printable ASCII"),
        ("token", "a\nb", r"token='\*\*\*': use printable ASCII"),
        ("max_series", 5, r"max_series=5: use at least 100"),
        ("key", "key.pem", r"certificate='': use the certificate"),
        ("certificate", "/none.pem", r"certificate='/none.pem': use the path of a file"),
        ("run_buckets", (-1.0, 2.0), r"run_buckets=\(-1.0, 2.0\): use seconds above 0"),
        ("run_buckets", (2.0, 1.0), r"run_buckets=\(2.0, 1.0\): use rising numbers"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_can(
    setting: str, value: Any, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        Options(**{setting: value})


@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("port", "9400", r"port='9400': Expected `int | null`, got `str`"),
        ("port", True, r"port=True: Expected `int | null`, got `bool`"),
        ("host", None, r"host=None: Expected `str`"),
        ("token", 5, r"token=\*\*\*: Expected `str`"),
        ("mode", "ours", r"mode='ours': Invalid enum value"),
        ("max_series", float("nan"), r"max_series=nan: Expected `int`"),
        ("run_buckets", 5, r"run_buckets=5: Expected `array`"),
    ],
)
def test_code_gives_values_of_the_right_types(setting: str, value: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Options(**{setting: value})


def test_a_token_is_not_shown() -> None:
    assert "hunter2" not in repr(Options(port=9400, token="hunter2"))
    assert repr(Options(port=9400)).startswith("Options(port=9400, host='127.0.0.1', token='',")


def test_whole_numbers_are_buckets_as_well() -> None:
    found: Any = Options(run_buckets=[1, 60])  # type: ignore[arg-type]  # as somebody writes it
    assert repr(found.run_buckets) == "(1.0, 60.0)"


def test_what_is_no_options_or_no_registry_is_refused() -> None:
    wrong: Any = {"token": "hunter2"}
    with pytest.raises(
        ConfigError, match=r"options is a dict: give MetricsPlugin\.Options"
    ) as told:
        MetricsPlugin(options=wrong)
    assert "hunter2" not in str(told.value)
    wrong = "default"
    with pytest.raises(ConfigError, match=r"registry='default': give a prometheus_client"):
        MetricsPlugin(registry=wrong)
    with pytest.raises(ConfigError, match=r"serve MetricsPlugin\.registry"):
        MetricsPlugin(options=Options(mode="multiproc"), registry=CollectorRegistry())


@pytest.mark.parametrize("address", ["http://ann:hunter2@gateway", "ann:hunter2@gateway:9091"])
def test_a_push_gateway_with_a_password_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(ValueError, match="an address without user and password") as told:
        Options(push_gateway=address)
    assert "hunter2" not in str(told.value)


def test_a_push_gateway_is_an_address() -> None:
    with pytest.raises(ValueError, match=r"push_gateway='the gateway': use an address, such as"):
        Options(push_gateway="the gateway")


def test_a_push_gateway_needs_a_job() -> None:
    with pytest.raises(ValueError, match="push_job='': use a word"):
        Options(push_gateway="127.0.0.1:9091", push_job="")


def test_a_port_that_is_none_is_refused_where_it_is_given() -> None:
    with pytest.raises(ValueError, match="port=99999: use 0 to 65535"):
        MetricsPlugin(port=99999)


def test_a_registry_that_has_these_names_is_refused(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Counter("qtasks_retries", "Somebody else's.", registry=registry)
    plugin = MetricsPlugin(registry=registry)
    with pytest.raises(ConfigError, match="metrics of these names already"):
        assert plugin.registry is not None


def test_two_plugins_with_registries_of_their_own_live_side_by_side() -> None:
    first, second = MetricsPlugin(port=0), MetricsPlugin(port=0)
    assert first.registry is not second.registry


def test_an_unknown_option_is_refused_with_the_one_that_is_meant(tmp_path: Path) -> None:
    settings = tmp_path / "pyproject.toml"
    settings.write_text("[tool.qtasks.plugins.metrics]\nprot = 9400\n")
    before = os.getcwd()  # noqa: PTH109 - to go back to
    os.chdir(tmp_path)
    try:
        with (
            plugin_sandbox(metrics=MetricsPlugin),
            pytest.raises(ConfigError, match=r"'prot'.*'port'"),
        ):
            assert QueueTasks(broker_url="memory://", strict_plugins=True).plugins
    finally:
        os.chdir(before)


def test_without_a_port_an_installed_plugin_listens_to_nothing() -> None:
    with plugin_sandbox(metrics=MetricsPlugin):
        app = QueueTasks(broker_url="memory://")
        assert list(app.plugins) == ["metrics"]
        assert not app._registry.table.qtasks_publish
        assert not app._registry.table.worker_exchanged


def test_a_port_from_the_environment_is_all_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QTASKS_METRICS_PORT", "0")
    with plugin_sandbox(metrics=MetricsPlugin):
        app = QueueTasks(broker_url="memory://")
        app.task(name="add")(lambda: None)
        app.add_task("add")
        app.run_forever(burst=True)
    assert "metrics are at http://127.0.0.1:" in capsys.readouterr().err
    plugin: Any = app.plugins["metrics"]
    about = {"queue": "default", "task": "add", "outcome": "success"}
    assert plugin.registry.get_sample_value("qtasks_attempts_total", about) == 1
    app.close()


def test_buckets_of_runs_can_be_others() -> None:
    plugin = MetricsPlugin(options=Options(run_buckets=(1.0, 60.0)), registry=CollectorRegistry())
    app = make_app("sync", plugins=[plugin])
    app.task(name="add")(lambda: None)
    run_task(app, "add")

    families = {family.name: family for family in plugin.registry.collect()}
    samples = families["qtasks_task_duration_seconds"].samples
    assert [one.labels["le"] for one in samples if "le" in one.labels] == ["1.0", "60.0", "+Inf"]


def test_a_taken_port_is_one_line_in_the_log_and_the_tasks_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str | None] = []
    first = MetricsPlugin(port=0)
    app = make_app("sync", plugins=[first])

    @app.task(name="outer")
    def outer() -> None:
        assert first.url is not None
        port = int(first.url.rpartition(":")[2].removesuffix("/metrics"))
        second = MetricsPlugin(port=port)
        inner = make_app("sync", plugins=[second])
        inner.task(name="add")(lambda: seen.append(second.url))
        run_task(inner, "add")

    assert run_task(app, outer).status == "success"
    assert seen == [None]
    (line,) = [text for text in caplog.messages if "without metrics" in text]
    assert "the port is in use" in line


def test_a_doctor_says_where_the_metrics_are_and_who_can_read_them() -> None:
    def look(**settings: Any) -> tuple[str, str]:
        (finding,) = MetricsPlugin(options=Options(**settings)).qtasks_health_checks(app=None)
        return finding.level, finding.message

    assert MetricsPlugin().qtasks_health_checks(app=None) == []
    assert look(port=9400) == ("ok", "Workers serve them on 127.0.0.1:9400.")
    assert look(port=9400, host="0.0.0.0")[0] == "warning"
