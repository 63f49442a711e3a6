"""Settings: what wins over what, and errors that name key, value, source and what is allowed."""

from __future__ import annotations

import inspect
import logging
import os
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from qtasks import QueueTasks
from qtasks._config import SETTINGS, ConfigFields, Kind
from qtasks.brokers import MemoryBroker
from qtasks.configs import QueueConfig, Source
from qtasks.exc import ConfigError
from qtasks.signing import Keys
from qtasks.storages import MemoryStorage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without settings, and with none above it."""
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("QTASKS_")]:
        monkeypatch.delenv(variable)
    return tmp_path


def test_defaults() -> None:
    config = QueueConfig()
    assert config.broker_url == "sqlite:///qtasks.db"
    assert (config.lease, config.max_tasks_process, config.queues) == (15.0, 100, ("default",))
    assert (config.worker_processes, config.max_memory_per_child, config.uvloop) == (1, None, True)
    assert (config.threads, config.prefetched, config.processes) == (100, 100, os.cpu_count())
    assert {str(config.source(name)) for name in SETTINGS} == {"default"}


def test_every_setting_is_an_attribute_an_argument_and_explained() -> None:
    explained = inspect.getdoc(QueueConfig) or ""
    types = {
        Kind.URL: str,
        Kind.NAMES: tuple[str, ...],
        Kind.WHOLE: int,
        Kind.BYTES: int,
        Kind.SECONDS: float,
        Kind.SWITCH: bool,
        Kind.KEYS: Keys,
    }
    declared = {
        name: types[setting.kind] | None if setting.optional else types[setting.kind]
        for name, setting in SETTINGS.items()
    }

    attributes = get_type_hints(QueueConfig)
    assert attributes == get_type_hints(ConfigFields) == declared
    assert list(attributes) == list(SETTINGS)
    assert not [name for name in SETTINGS if f"    {name}: " not in explained]


def test_code_wins_over_environment_over_file_over_defaults(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = directory / "pyproject.toml"
    file.write_text("[tool.qtasks]\nlease = 1\nresult_ttl = 1\ndead_ttl = 1\n", "utf-8")
    monkeypatch.setenv("QTASKS_LEASE", "2")
    monkeypatch.setenv("QTASKS_RESULT_TTL", "2")

    config = QueueConfig(lease=3)

    values = [config.lease, config.result_ttl, config.dead_ttl, config.max_payload]
    assert values == [3, 2, 1, 1048576]
    assert config.source("lease") == Source("code")
    assert config.source("result_ttl") == Source("environment", "QTASKS_RESULT_TTL")
    assert config.source("dead_ttl") == Source("file", str(file))
    assert config.source("max_payload") == Source("default")


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("QUEUES", "a, b,", ("a", "b")),
        ("PREFETCH", "0", 0),
        ("MAX_THREADS", "None", None),
        ("LEASE", "7.5", 7.5),
        ("LEASE", "1e2", 100),
        ("RESULT_TTL", "1h30m", 5400),
        ("DEAD_TTL", " 2W ", 1209600),
        ("MAX_PAYLOAD", "2048", 2048),
        ("MAX_PAYLOAD", "1.5KiB", 1536),
        ("MAX_MEMORY_PER_CHILD", "512 MiB", 536870912),
        ("MAX_MEMORY_PER_CHILD", "2GB", 2 * 10**9),
        ("UVLOOP", "Off", False),
        ("UVLOOP", "1", True),
        ("TASK_DEFAULT_PRIORITY", "-128", -128),
        ("BROKER_URL", "redis://host/0", "redis://host/0"),
    ],
)
def test_texts_of_the_environment_are_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"QTASKS_{variable}", text)

    found = getattr(QueueConfig(), variable.lower())

    assert found == value
    assert isinstance(found, type(SETTINGS[variable.lower()].default) | type(value))


def test_an_empty_variable_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_STORAGE_URL", "")
    monkeypatch.setenv("QTASKS_LEASE", " ")

    config = QueueConfig()

    assert (config.storage_url, config.lease) == (None, 15)
    assert config.source("lease").kind == "default"


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("LEASE", "soon", "use a finite number of seconds above 0, or a span such as 30s, 5m"),
        ("LEASE", "0", "use a finite number of seconds above 0"),
        ("LEASE", "inf", "use a finite number of seconds above 0"),
        ("LEASE", "nan", "use a finite number of seconds above 0"),
        ("COMMIT_INTERVAL", "-1", "use a finite number of seconds of 0 or more"),
        ("MAX_TASKS_PROCESS", "1.5", "use a whole number of 1 or more"),
        ("PREFETCH", "many", "use a whole number of 0 or more, or none"),
        ("TASK_DEFAULT_PRIORITY", "128", "use a whole number from -128 to 127"),
        ("MAX_PAYLOAD", "512M", "use a whole number of bytes of 1 or more, or a size such as"),
        ("UVLOOP", "maybe", "use yes or no"),
        ("QUEUES", ",", "no queue was named: give at least one, for example 'default'; write for"),
        ("QUEUES", "a b", "'a b' is not a queue name"),
    ],
)
def test_a_wrong_text_names_key_value_variable_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, allowed: str
) -> None:
    monkeypatch.setenv(f"QTASKS_{variable}", text)

    with pytest.raises(ConfigError) as caught:
        QueueConfig()

    start = f"setting {variable.lower()} = {text!r} (from QTASKS_{variable}): "
    assert str(caught.value).startswith(start)
    assert allowed in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lease", "5", "setting lease = '5' (from code): use a finite number of seconds above 0"),
        ("lease", True, "lease = True"),
        ("lease", 10**400, "lease = 1000"),
        ("lease", float("inf"), "lease = inf (from code): use a finite number"),
        ("lease", None, "lease = None"),
        ("max_tasks_process", 0, "use a whole number of 1 or more"),
        ("max_tasks_process", 2.0, "max_tasks_process = 2.0"),
        ("prefetch", -1, "use a whole number of 0 or more, or None"),
        ("max_payload", 0, "use a whole number of bytes of 1 or more"),
        ("max_tasks_per_child", 0, "use a whole number of 1 or more, or None"),
        ("worker_processes", 0, "use a whole number of 1 or more"),
        ("uvloop", 1, "uvloop = 1 (from code): use True or False"),
        ("task_default_priority", 200, "use a whole number from -128 to 127"),
        ("queues", (), "queues = () (from code): no queue was named"),
        ("queues", ["a b"], "'a b' is not a queue name"),
        ("queues", "default", "write for example queues=('default',)"),
        ("broker_url", "", "write a URL, such as sqlite:///qtasks.db"),
        ("storage_url", 5, "write a URL, such as sqlite:///qtasks.db, or None"),
    ],
)
def test_a_wrong_value_is_refused_when_given_and_when_assigned(
    name: str, value: Any, message: str
) -> None:
    values: Any = {name: value}
    config = QueueConfig()

    with pytest.raises(ConfigError) as given:
        QueueConfig(**values)
    with pytest.raises(ConfigError) as assigned:
        setattr(config, name, value)

    assert message in str(given.value)
    assert str(given.value) == str(assigned.value)
    assert getattr(config, name) == SETTINGS[name].default


@pytest.mark.parametrize(
    "values",
    [
        {"broker_url": b"redis://user:hunter2@host"},
        {"broker_url": ["redis://user:hunter2@host"]},
        {"lease": "redis://user:hunter2@host"},
        {"lease": "redis://host?password=hunter2"},
    ],
)
def test_a_wrong_value_is_shown_without_its_password(values: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        QueueConfig(**values)

    assert "hunter2" not in str(caught.value)


def test_settings_are_shown_without_passwords() -> None:
    shown = repr(QueueConfig(broker_url="redis://user:secret@host:1/0", lease=3))
    assert "broker_url='redis://user:***@host:1/0'" in shown
    assert "lease=3" in shown


def test_an_unknown_name_is_refused_with_a_guess() -> None:
    with pytest.raises(ConfigError) as caught:
        QueueConfig(leese=1)  # type: ignore[call-arg]  # the mistake under test

    message = "unknown setting 'leese' (from code). Did you mean 'lease'? Known are broker_url,"
    assert str(caught.value).startswith(message)
    with pytest.raises(ConfigError, match="unknown setting 'leese'"):
        QueueConfig().source("leese")


def test_lists_are_taken_for_queues() -> None:
    assert QueueConfig(queues=["a"]).queues == ("a",)  # type: ignore[arg-type]  # convenient, though not declared


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("QTASKS_LEESE", "QTASKS_LEASE"),
        ("QTASKS_QUEUE", "QTASKS_QUEUES"),
        ("QTASKS_STORAGE_URI", "QTASKS_STORAGE_URL"),
        ("QTASKS_CONFIGFILE", "QTASKS_CONFIG_FILE"),
    ],
)
def test_a_variable_that_is_a_slip_of_a_setting_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str, meant: str
) -> None:
    monkeypatch.setenv(variable, "hunter2")

    QueueConfig()

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"{variable} means nothing and is ignored; did you mean {meant}?"


@pytest.mark.parametrize(
    "variable",
    ["QTASKS_APP", "QTASKS_PLUGINS", "QTASKS_TEST_REDIS_URL", "QTASKS_RETRY_MAX_DELAY", "LEESE"],
)
def test_a_variable_of_somebody_else_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str
) -> None:
    monkeypatch.setenv(variable, "value")

    QueueConfig()

    assert not caplog.records


def test_a_setting_of_the_predecessor_that_is_gone_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    message = r"\(from {}\) was one of QTasks 1.7 and is gone: who waits for a result is woken"
    values: Any = {"result_time_interval": 0.1}
    with pytest.raises(ConfigError, match=f"setting result_time_interval {message.format('code')}"):
        QueueConfig(**values)

    with monkeypatch.context() as patch:
        patch.setenv("QTASKS_RESULT_TIME_INTERVAL", "0.1")
        with pytest.raises(ConfigError, match=message.format("QTASKS_RESULT_TIME_INTERVAL")):
            QueueConfig()

    (directory / "pyproject.toml").write_text("[tool.qtasks]\nresult_time_interval = 1\n", "utf-8")
    with pytest.raises(ConfigError, match=message.format(r"\[tool.qtasks\] in .*pyproject.toml")):
        QueueConfig()


def test_urls_that_are_given_to_an_app_count_as_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_BROKER_URL", "memory://environment")

    config = QueueTasks(broker_url="memory://code", storage_url="memory://records").config

    assert (config.broker_url, config.storage_url) == ("memory://code", "memory://records")
    assert config.source("broker_url") == config.source("storage_url") == Source("code")
    assert str(QueueTasks().config.source("broker_url")) == "QTASKS_BROKER_URL"


def test_urls_of_the_environment_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_STORAGE_URL", "memory://records")

    app = QueueTasks(broker=MemoryBroker("memory://object"))

    assert str(app.config.source("storage_url")) == "QTASKS_STORAGE_URL"
    assert (app.config.broker_url, str(app.config.source("broker_url"))) == (
        "memory://object",
        "code",
    )
    assert QueueTasks(storage=MemoryStorage("memory://it")).config.storage_url == "memory://it"
    with pytest.raises(ConfigError) as caught:
        QueueTasks(broker=MemoryBroker(), broker_url="redis://me:hunter2@host")
    assert "hunter2" not in str(caught.value)


def test_an_app_takes_no_other_settings_than_its_own_kind() -> None:
    with pytest.raises(ConfigError, match=r"config= takes a QueueConfig, not dict"):
        QueueTasks(config={"lease": 3})  # type: ignore[arg-type]  # the mistake under test
