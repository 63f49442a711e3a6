"""What a URL needs installed: nothing is imported for servers that nobody named."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks
from qtasks.brokers import MemoryBroker
from qtasks.exc import ConfigError, UnknownSchemeError
from qtasks.plugins import Plugin, hookimpl

if TYPE_CHECKING:
    from conftest import Site

#: What makes the driver look as if it were not installed.
WITHOUT_DRIVER = """
    import sys
    sys.modules["redis"] = None
    """


def python(code: str) -> str:
    """Runs code in a fresh interpreter and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.parametrize("kind", ["qtasks", "qtasks.asyncio"])
@pytest.mark.parametrize(
    "options",
    [
        "broker_url='redis://user:secret@localhost'",
        "broker_url='rediss://:secret@localhost'",
        "broker_url='unix:///run/redis.sock?db=1'",
        "broker_url='memory://', storage_url='redis://:secret@localhost'",
    ],
)
def test_without_the_driver_the_error_says_what_to_install(kind: str, options: str) -> None:
    said = python(f"""{WITHOUT_DRIVER}
    from {kind} import QueueTasks
    from qtasks.exc import UnknownSchemeError
    try:
        QueueTasks({options})
    except UnknownSchemeError as error:
        print(error)
    """)

    scheme = options.rpartition("='")[2].partition(":")[0]
    assert said == f"{scheme}:// needs redis. Install it: pip install 'qtasks-core[redis]'.\n"


def test_without_the_driver_the_command_line_says_what_to_install() -> None:
    said = python(f"""{WITHOUT_DRIVER}
    import os
    os.environ["QTASKS_BROKER_URL"] = "redis://:secret@localhost"
    from qtasks.cli import main
    sys.stderr = sys.stdout
    sys.argv = ["qtasks", "-A", "qtasks:QueueTasks", "stats"]
    try:
        main()
    except SystemExit as end:
        print(end.code)
    """)

    assert "pip install 'qtasks-core[redis]'" in said
    assert "Traceback" not in said
    assert "secret" not in said
    assert said.endswith("\n2\n")


@pytest.mark.parametrize(
    ("options", "imported"),
    [
        ("broker_url='memory://'", False),
        ("broker_url='sqlite:///q.db'", False),
        ("broker_url='redis://localhost'", True),
    ],
)
def test_the_driver_is_imported_only_for_its_urls(options: str, imported: bool) -> None:
    said = python(f"""
    import sys
    import qtasks, qtasks.asyncio, qtasks.brokers, qtasks.storages, qtasks.cli
    assert "redis" not in sys.modules
    qtasks.QueueTasks({options})
    print("redis" in sys.modules)
    """)

    assert said == f"{imported}\n"


# Servers of others

NATS = """
from qtasks.adapters.memory import MemoryBroker, MemoryStorage

class NatsBroker(MemoryBroker):
    def __init__(self, url, **more):
        super().__init__("memory://nats", **more)

class NatsStorage(MemoryStorage):
    def __init__(self, url, **more):
        super().__init__("memory://nats", **more)
"""
POINTS = """
[qtasks.brokers]
nats = acme_nats:{broker}
[qtasks.storages]
nats = acme_nats:NatsStorage
"""


@pytest.mark.parametrize("plugins", [None, []])
def test_a_server_of_others_is_found_by_its_scheme_whatever_plugins_are_used(
    site: Site, monkeypatch: pytest.MonkeyPatch, plugins: list[str] | None
) -> None:
    site.add("nats", NATS, points=POINTS.format(broker="NatsBroker"))
    monkeypatch.setenv("QTASKS_DISABLE_PLUGINS", "nats,acme-nats")

    app = QueueTasks(broker_url="nats://host", plugins=plugins)
    beside = QueueTasks(broker_url="memory://", storage_url="nats://host", plugins=plugins)

    assert type(app.broker).__name__ == "NatsBroker"
    assert type(beside.storage).__name__ == "NatsStorage"


def test_a_server_of_others_that_cannot_be_imported_is_named(site: Site) -> None:
    site.add("nats", NATS, points=POINTS.format(broker="Gone"))

    with pytest.raises(ConfigError) as raised:
        QueueTasks(broker_url="nats://host")

    assert str(raised.value) == (
        "nats:// is served by acme-nats 1.0, which cannot be imported: AttributeError: module"
        " 'acme_nats' has no attribute 'Gone'"
    )


@pytest.mark.usefixtures("no_other_brokers")
def test_an_unknown_scheme_says_what_is_known_and_what_to_install(site: Site) -> None:
    site.add("nats", NATS, points=POINTS.format(broker="NatsBroker"))

    with pytest.raises(UnknownSchemeError) as kafka:
        QueueTasks(broker_url="kafka://:secret@host")
    with pytest.raises(UnknownSchemeError) as slip:
        QueueTasks(broker_url="memory://", storage_url="nast://host")

    assert str(kafka.value) == (
        "no broker for 'kafka://:***@host'. Known schemes: memory, nats, redis, rediss, sqlite,"
        " unix. Install it: pip install qtasks-broker-kafka."
    )
    assert str(slip.value).endswith("Did you mean nats://?")


HOOK = """
from qtasks.adapters.memory import MemoryBroker
from qtasks.plugins import hookimpl

@hookimpl
def qtasks_make_broker(scheme, url):
    return MemoryBroker("memory://hook") if scheme == "{scheme}" else None
"""


def test_an_installed_plugin_can_make_servers_that_nobody_else_knows(site: Site) -> None:
    site.add("hook", HOOK.format(scheme="nats"), entry="")
    site.add("other", HOOK.format(scheme="sqlite"), entry="")

    assert QueueTasks(broker_url="nats://host").broker.url == "memory://hook"
    assert QueueTasks(broker_url="sqlite:///q.db").broker.url == "sqlite:///q.db"
    with pytest.raises(UnknownSchemeError):
        QueueTasks(broker_url="nats://host", plugins=[])


def test_a_plugin_that_the_app_was_given_can_make_any_server() -> None:
    class Maker(Plugin):
        @hookimpl
        def qtasks_make_broker(self, scheme: str, url: str) -> MemoryBroker:
            return MemoryBroker(f"memory://{scheme}")

    assert QueueTasks(broker_url="sqlite:///q.db", plugins=[Maker()]).broker.url == (
        "memory://sqlite"
    )
