"""Servers that are away or refuse: one line, exit code 2, and no password."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from qtasks.cli.commands import cli
from qtasks.cli.places import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ID = "6a0b7a5e-7c1b-4b43-8d5e-3f6a0f0e9c11"

#: Every command that talks to the server, as far as it needs arguments.
COMMANDS = [
    "call ping --unknown",
    "stats",
    "tasks list",
    f"tasks show {ID}",
    f"tasks cancel {ID}",
    "tasks cancel --all --yes",
    "dead list",
    f"dead show {ID}",
    f"dead requeue {ID}",
    f"dead discard {ID}",
    "queues list",
    "queues pause default",
    "queues resume default",
    "queues purge default --yes",
]

AWAY = """
from qtasks import QueueTasks
from qtasks.adapters.memory import MemoryBroker
from qtasks.exc import ConfigError, ServerError, ServerUnavailableError


class Away(MemoryBroker):
    async def start(self):
        raise {error}


broker = Away()
broker.url = broker.storage.url = "fake://me:p%40ssw%2Frd@far.example:1/0"
app = QueueTasks(broker=broker)
"""

ERRORS = {
    "down": 'ServerUnavailableError("nobody answers at fake://me:p%40ssw%2Frd@far.example:1/0")',
    "password": 'ConfigError("user me was refused with the password p@ssw/rd: check the URL")',
    "driver": 'ConnectionRefusedError(111, "Connection refused")',
    "broken": 'ServerError("it said:\\nNOAUTH\\x1b[2J")',
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command on an app of this text."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, *arguments: str) -> Result:
        (tmp_path / "plain.py").write_text(text, encoding="utf-8")
        return CliRunner().invoke(cli, ["-A", "plain", *arguments])

    return run


def has_secret(text: str) -> bool:
    """Tells whether the password of the app is in a text, in either form."""
    return "p@ssw/rd" in text or "p%40ssw" in text


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_cannot_be_used(run: Callable[..., Result], command: str, error: str) -> None:
    done = run(AWAY.format(error=ERRORS[error]), *command.split())

    assert done.exit_code == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert not has_secret(line)


@pytest.mark.parametrize("error", ERRORS)
def test_the_doctor_goes_on_without_the_server(run: Callable[..., Result], error: str) -> None:
    text = AWAY.format(error=ERRORS[error])

    done, told = run(text, "doctor"), run(text, "doctor", "--json")

    assert (done.exit_code, told.exit_code) == (2, 2)
    assert "error    connection: fake://me:***@far.example:1/0 cannot be used: " in done.stdout
    assert "         fix: Check that the server runs, " in done.stdout
    assert not has_secret(done.output + told.output)
    assert "\x1b" not in done.output
    assert json.loads(told.stdout)["errors"] == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "broker URL 'nonsense' has no scheme"),
        ("me:p@ssw/rd@host/0", "broker URL 'me:***@host/0' has no scheme"),
        ("ftp://me:p@ssw/rd@host", "no broker for 'ftp://me:***@host'"),
        ("sqlite://host/q.db", "names the host 'host'"),
        ("sqlite:///no/such/place/q.db?durability=maybe", "durability='maybe' is unknown"),
    ],
)
def test_a_wrong_url_is_one_line_below_the_traceback(
    run: Callable[..., Result], url: str, words: str
) -> None:
    done = run(f"from qtasks import QueueTasks\napp = QueueTasks(broker_url={url!r})\n", "stats")

    *_, cause, line = done.stderr.splitlines()
    assert done.exit_code == 2
    assert words in cause
    assert line == "error: -A plain: importing plain failed, see above"
    assert not has_secret(done.output)


def test_a_wrong_url_of_the_environment(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QTASKS_BROKER_URL", "me:p@ssw/rd@host")

    done = run("", "stats")
    direct = CliRunner().invoke(cli, ["-A", "qtasks:QueueTasks", "stats"])

    assert (done.exit_code, direct.exit_code) == (2, 2)
    assert not has_secret(done.output + direct.output)


def test_a_directory_instead_of_a_file(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "q.db").mkdir()

    done = run(
        "from qtasks import QueueTasks\napp = QueueTasks(broker_url='sqlite:///q.db')\n", "stats"
    )

    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'q.db'} is a directory: name a file in it")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach redis://u:secret@host:1/0 now", "cannot reach redis://u:***@host:1/0 now"),
        ("url 'redis://:se/c@ret@host'", "url 'redis://:***@host'"),
        ("url 'u:secret@host' is wrong", "url 'u:***@host' is wrong"),
        ("k://h?sasl_password=x&y=1 is away", "k://h?sasl_password=***&y=1 is away"),
        ("sqlite:///b.db is damaged: ask me@here", "sqlite:///b.db is damaged: ask me@here"),
        ("at 10:20 a@b", "at 10:20 a@b"),
    ],
)
def test_passwords_in_texts_of_others_are_hidden(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_the_password_itself_is_hidden_in_both_forms() -> None:
    urls = ["redis://me:p%40ss@host/0", "memory://"]

    assert without_secrets("AUTH me p@ss, AUTH me p%40ss", urls) == "AUTH me ***, AUTH me ***"


@pytest.mark.parametrize(
    ("password", "text", "shown"),
    [
        ("redis", "cannot reach redis://me:redis@host", "cannot reach redis://me:***@host"),
        ("redis", "pip install 'qtasks-core[redis]'", "pip install 'qtasks-core[redis]'"),
        ("a", "a task was lost at 10:20", "a task was lost at 10:20"),
        ("a", "WRONGPASS for me:a", "WRONGPASS for me:***"),
        ("s3cr3t", "password='s3cr3t', again", "password='***', again"),
    ],
)
def test_a_short_password_does_not_mangle_texts(password: str, text: str, shown: str) -> None:
    assert without_secrets(text, [f"redis://me:{password}@host"]) == shown


UNABLE = """
from qtasks import QueueTasks
from qtasks.adapters.memory import MemoryBroker
from qtasks.schemas import Capabilities


class Simple(MemoryBroker):
    capabilities = Capabilities(pause=False, purge=False)


app = QueueTasks(broker=Simple())
"""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("pause", "cannot pause queues, so 'default' stays as it is: stop the workers"),
        ("resume", "cannot pause queues"),
        ("purge", "cannot purge queues, so 'default' stays as it is: let a worker run"),
    ],
)
def test_what_the_broker_cannot_do(run: Callable[..., Result], command: str, words: str) -> None:
    done = run(UNABLE, "queues", command, "default")

    assert done.exit_code == 2
    assert done.stderr.startswith("error: Simple ")
    assert words in done.stderr
