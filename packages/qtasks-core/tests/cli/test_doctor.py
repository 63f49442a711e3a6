"""``qtasks doctor``."""

from __future__ import annotations

import json
import textwrap
from importlib import metadata
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from qtasks import QueueTasks
from qtasks._runtime.bridge import drive
from qtasks.cli.commands import cli
from qtasks.cli.installation import installation
from qtasks.cli.risks import risks
from qtasks.configs import QueueConfig
from qtasks.schemas import Claim, Finding, Presence, Settlement, Success

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Shop


def findings(shop: Shop) -> dict[str, dict[str, str]]:
    """Returns what the doctor found, by subject."""
    return {found["subject"]: found for found in document(shop)["findings"]}


def document(shop: Shop) -> Any:
    """Returns the doctor's document, whatever its exit code."""
    return json.loads(shop.run("doctor", "--json").stdout)


# Everything together

PLAIN = """
from qtasks import QueueTasks

app = QueueTasks(broker_url={url!r})
"""


@pytest.fixture
def examine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Result]:
    """Runs the doctor on an app of this text."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, *options: str) -> Result:
        (tmp_path / "plain.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return CliRunner().invoke(cli, ["-A", "plain", "doctor", *options])

    return run


DOCTORED = """
from qtasks import QueueTasks
from qtasks.adapters.memory import MemoryBroker
from qtasks.schemas import Finding


class Doctored(MemoryBroker):
    async def diagnose(self):
        return {findings}


app = QueueTasks(broker=Doctored())
"""


@pytest.mark.parametrize(
    ("told", "code", "last"),
    [
        ("[]", 0, "all is well"),
        ("[Finding('ok', 'server', 'It is 7.2.')]", 0, "all is well"),
        ("[Finding('warning', 'a', 'A.', 'Fix A.')]", 1, "1 warning"),
        ("[Finding('warning', x, 'A.', 'Fix it.') for x in 'ab']", 1, "2 warnings"),
        (
            "[Finding('error', 'a', 'A.', 'Fix A.'), Finding('warning', 'b', 'B.', 'Fix B.')]",
            2,
            "1 error, 1 warning",
        ),
    ],
)
def test_the_exit_code_is_the_worst_of_all(
    examine: Callable[..., Result], told: str, code: int, last: str
) -> None:
    done = examine(DOCTORED.format(findings=told))

    assert done.exit_code == code, done.output
    assert done.stdout.splitlines()[-1] == last


def test_findings_are_shown_with_their_fix(examine: Callable[..., Result]) -> None:
    told = "[Finding('error', 'eviction policy', 'It is allkeys-lru.', 'Set noeviction.')]"

    lines = examine(DOCTORED.format(findings=told)).stdout.splitlines()

    place = lines.index("error    eviction policy: It is allkeys-lru.")
    assert lines[place + 1] == "         fix: Set noeviction."


def test_findings_are_told_to_programs(examine: Callable[..., Result]) -> None:
    told = "[Finding('warning', 'a', 'A.', 'Fix A.')]"

    found = json.loads(examine(DOCTORED.format(findings=told), "--json").stdout)

    assert found["place"] == "memory://"
    assert (found["errors"], found["warnings"]) == (0, 1)
    assert found["ok"] == len(found["findings"]) - 1
    assert {"level": "warning", "subject": "a", "message": "A.", "fix": "Fix A."} in found[
        "findings"
    ]


def test_a_broker_whose_look_fails_is_a_warning(examine: Callable[..., Result]) -> None:
    done = examine(DOCTORED.format(findings="1 / 0"))

    assert done.exit_code == 1
    assert "diagnosis: The broker could not look at its server: ZeroDivisionError: d" in done.stdout


def test_an_account_that_may_not_look_is_connected_all_the_same(
    examine: Callable[..., Result],
) -> None:
    refuses = "exec('from qtasks.exc import ServerError; raise ServerError(\"not for you\")')"

    done = examine(DOCTORED.format(findings=refuses))

    assert done.exit_code == 2
    assert "ok       connection: The server answered" in done.stdout
    assert "error    queues: They cannot be looked at: not for you." in done.stdout
    assert "cannot be used" not in done.stdout


def test_two_servers_say_whose_finding_it_is(examine: Callable[..., Result]) -> None:
    done = examine(
        PLAIN.format(url="memory://two").replace("url=", "url='memory://one', storage_url=")
    )

    assert done.exit_code == 1
    assert "warning  broker persistence: Nothing survives" in done.stdout
    assert "warning  storage persistence: Nothing survives" in done.stdout


def test_the_embedded_queue_is_examined(examine: Callable[..., Result], tmp_path: Path) -> None:
    done = examine(PLAIN.format(url="sqlite:///q.db"))

    assert done.stdout.startswith(f"SQLite file {tmp_path / 'q.db'}\n\n")
    assert "ok       connection: The server answered within " in done.stdout
    assert "integrity: The whole file was checked and is sound." in done.stdout


def test_it_changes_nothing(shop: Shop) -> None:
    shop.add("send", "me")
    shop.work()
    waiting = shop.add("resize", "cat.jpg")
    before = shop.json("stats")["queues"], shop.json("tasks", "list", "--all")

    document(shop)

    after = shop.json("stats")["queues"], shop.json("tasks", "list", "--all")
    for queue in (*before[0], *after[0]):
        queue["oldest_ready_age"] = None
    assert after == before
    assert shop.queue.get(waiting)


# Queues and workers


def test_nobody_takes_from_a_queue(shop: Shop) -> None:
    shop.add("send", "a@b")

    found = findings(shop)

    assert found["workers"]["message"] == "None is alive."
    assert found["queue mail"]["level"] == "warning"
    assert found["queue mail"]["message"].startswith("1 task waits, the oldest for ")
    assert found["queue mail"]["message"].endswith(", and no living worker takes from it.")
    assert found["queue mail"]["fix"] == "Start one: qtasks -A shop:app run --queues mail"


def test_somebody_takes_from_it(shop: Shop) -> None:
    shop.add("send", "a@b")
    shop.report()

    found = findings(shop)

    assert "queue mail" not in found
    assert found["queues"]["message"] == "1 task waits."


def test_a_queue_that_the_settings_leave_out(shop: Shop) -> None:
    message = findings(shop)["queue mail"]["message"]

    assert message == "It is the queue of send, but the setting queues leaves it out."


def test_a_paused_queue_in_which_tasks_wait(shop: Shop) -> None:
    shop.add("send", "a@b")
    shop.report()
    shop.queue.pause_queue("mail")

    found = findings(shop)["queue mail"]

    assert found["message"].endswith(" and the queue is paused.")
    assert "qtasks -A shop:app queues resume mail" in found["fix"]


def test_workers_that_died_with_tasks(shop: Shop) -> None:
    shop.add("resize", "cat.jpg")
    twin = shop.queue.broker.client()
    assert twin is not None
    drive(twin.claim(Claim(("default",), 1, 60.0, "gone-1")))

    alone = findings(shop)["lost workers"]
    shop.report()
    not_alone = findings(shop)["lost workers"]

    assert alone["message"] == "1 task is held by 1 worker that is not alive."
    assert "Start a worker" in alone["fix"]
    assert not_alone["fix"] == "Nothing: living workers take them back within 15 s."


def test_tasks_whose_names_the_app_does_not_know(shop: Shop) -> None:
    for _ in range(2):
        shop.add("resiz", "cat.jpg")

    found = findings(shop)["unknown tasks"]

    assert found["level"] == "warning"
    assert found["message"].endswith("names the app does not know: resiz (2).")


def test_tasks_that_take_minutes_are_not_to_be_hoarded(shop: Shop) -> None:
    task_id = shop.add("resize", "cat.jpg")
    broker: Any = shop.queue.broker
    twin = broker.client()
    (delivery,) = drive(twin.claim(Claim(("default",), 1, 60.0, "here-1")))
    drive(twin.settle([Settlement(task_id, delivery.token, Success(), ttl=60.0)]))
    broker._server.store.rows[task_id].started_at -= 240

    found = findings(shop)["prefetch"]

    assert found["message"].startswith("Half of the newest tasks ran longer than 4m,")


@pytest.mark.parametrize(
    ("changes", "subject", "words"),
    [
        ({"version": "0.1"}, "worker versions", "Workers run qtasks-core 0.1, and this is "),
        ({"started_at": 4e9}, "clock", "Worker w1 started "),
    ],
)
def test_workers_that_differ(shop: Shop, changes: dict[str, Any], subject: str, words: str) -> None:
    twin = shop.queue.broker.client()
    assert twin is not None
    drive(twin.report(Presence("w1", **changes), 60))

    found = findings(shop)[subject]

    assert (found["level"], found["message"][: len(words)]) == ("warning", words)


# Settings


def test_the_defaults_are_not_risky() -> None:
    (finding,) = risks(QueueConfig())

    assert finding.level == "ok"


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({"lease": 2.9}, "lease"),
        ({"lease": 601}, "lease"),
        ({"commit_interval": 5}, "commit_interval"),
        ({"shutdown_timeout": 0}, "shutdown_timeout"),
        ({"unknown_task_grace": 59}, "unknown_task_grace"),
        ({"prefetch": 1001}, "prefetch"),
        ({"max_threads": 1001}, "max_threads"),
        ({"dead_ttl": 3600}, "dead_ttl"),
    ],
)
def test_risky_settings_are_explained(settings: dict[str, Any], subject: str) -> None:
    (finding,) = risks(QueueConfig(**settings))

    assert (finding.level, finding.subject) == ("warning", subject)
    assert finding.message.endswith(".")
    assert finding.fix.startswith("Set ")


# Installation


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The installed packages, by name."""
    found: dict[str, str] = {}

    def version(name: str) -> str:
        try:
            return found[name]
        except KeyError:
            raise metadata.PackageNotFoundError(name) from None

    monkeypatch.setattr("qtasks.cli.installation.metadata.version", version)
    return found


def about(subject: str, *urls: str) -> Finding:
    """Returns the finding about a subject."""
    (finding,) = [found for found in installation(urls) if found.subject == subject]
    return finding


@pytest.mark.parametrize(
    ("version", "level"), [(None, "ok"), ("1.7.0", "error"), ("0.9", "error"), ("2.0", "ok")]
)
def test_the_predecessor_is_noticed(
    packages: dict[str, str], version: str | None, level: str
) -> None:
    if version:
        packages["qtasks"] = version

    assert about("predecessor").level == level


def test_accelerators_are_not_needed(
    packages: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtasks.cli.installation.sys.platform", "linux")
    missing = about("hiredis", "rediss://host"), about("uvloop")
    packages |= {"hiredis": "3.3", "uvloop": "0.22"}
    there = about("hiredis", "redis://host"), about("uvloop")

    assert {finding.level for finding in (*missing, *there)} == {"ok"}
    assert missing[0].fix == "pip install 'qtasks-core[redis]' makes that faster."
    assert there[1].message == "0.22 is installed."
    assert not [f for f in installation(("sqlite:///q.db",)) if f.subject == "hiredis"]


def test_windows_has_no_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qtasks.cli.installation.sys.platform", "win32")

    assert not [f for f in installation(()) if f.subject == "uvloop"]


def test_an_app_without_tasks_knows_no_names(examine: Callable[..., Result]) -> None:
    url = f"memory://{uuid4().hex}"
    QueueTasks(broker_url=url).add_task("anything")

    done = examine(PLAIN.format(url=url))

    assert "unknown tasks" not in done.stdout


# Annotations

UNSAID = """
from __future__ import annotations

from collections.abc import Callable

from qtasks import QueueTasks

app = QueueTasks(broker_url="memory://")


@app.task
def strange(a: Missing, b: Callable[[], int], c: int) -> Missing: ...


@app.task(validate=False)
def unchecked(a: Missing) -> None: ...
"""


def test_annotations_that_say_nothing_are_listed(examine: Callable[..., Result]) -> None:
    done = examine(UNSAID, "--json")

    found = json.loads(done.stdout)["findings"]
    told = {each["level"]: each["message"] for each in found if each["subject"] == "annotations"}
    assert told == {
        "warning": (
            "These cannot be resolved, so their values are not checked:"
            " a of strange (NameError: name 'Missing' is not defined)."
        ),
        "ok": (
            "Nothing is checked with these:"
            " b of strange (Callable[[], int] is not known to be data)."
        ),
    }
    assert done.exit_code == 1
