"""Other queues are driven over a pipe; here the other queue is a fake, and nothing is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from faultplan.brokers import open_broker
from faultplan.cases import compared
from faultplan.ours import QTasks
from faultplan.peers import PEERS, AgentError, Peer, PeerSession, PeerSystem, UnavailableError
from faultplan.peers import environment as environments
from faultplan.peers.comparison import SYSTEMS, about
from faultplan.peers.system import APPS
from faultplan.peers.table import as_comparison
from faultplan.run import COMPARED, Run
from faultplan.system import End, Job, Place, Unacknowledged, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faultplan.report import Report

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")

#: An app as those in ``peers/apps``: its queue is a dictionary, and some numbers make trouble.
FAKE = """
import os, sys, time

print("words that nobody has asked for")

class Client:
    async def __aenter__(self):
        self.tasks = {}
        return self

    async def __aexit__(self, *error):
        pass

    async def add(self, number, seconds):
        print("adding")
        if number == 13:
            raise OSError("the server is away")
        self.tasks[f"id-{number}"] = seconds
        return f"id-{number}"

    async def end(self, task_id):
        if task_id == "hang":
            time.sleep(600)
        if task_id == "die" and not os.path.exists("died"):
            open("died", "w").close()
            sys.exit("it was too much")
        return ["success", [1, 2]] if task_id == "id-1" else None
"""


@pytest.fixture
def open_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., PeerSession]]:
    """Opens sessions with agents of the fake app."""
    (tmp_path / "fake_app.py").write_text(FAKE)
    monkeypatch.chdir(tmp_path)
    sessions = []

    def open_one(app: str = "fake_app") -> PeerSession:
        command = [sys.executable, str(APPS / "agent.py"), app]
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        sessions.append(PeerSession(command, environment, tmp_path / "agent.out"))
        return sessions[-1]

    yield open_one
    for session in sessions:
        session.close()


def test_tasks_are_added_and_asked_after_over_a_pipe(
    open_session: Callable[..., PeerSession],
) -> None:
    session = open_session()

    ids = session.enqueue([Job(number, "work", (0.01,)) for number in (1, 2)])

    assert ids == ["id-1", "id-2"]
    assert session.ends(ids) == {"id-1": End("success", [1, 2]), "id-2": End("waiting")}


def test_what_a_peer_refuses_is_not_acknowledged(open_session: Callable[..., PeerSession]) -> None:
    session = open_session()

    with pytest.raises(Unacknowledged, match="OSError: the server is away"):
        session.enqueue([Job(13, "work", (0.01,))])

    assert session.enqueue([Job(1, "work", (0.01,))]) == ["id-1"]


def test_another_agent_answers_when_one_has_died(open_session: Callable[..., PeerSession]) -> None:
    assert open_session().ends(["die"]) == {"die": End("waiting")}


def test_an_agent_that_does_not_answer_is_an_error_and_no_standstill(
    open_session: Callable[..., PeerSession],
) -> None:
    session = open_session()
    session._patience = 0.05

    with pytest.raises(AgentError, match=r"has not answered in 0\.05 s"):
        session._ask({"ends": ["hang"]})

    assert session._agent.wait(60) != 0


def test_an_agent_that_does_not_start_says_why(open_session: Callable[..., PeerSession]) -> None:
    with pytest.raises(AgentError, match="No module named 'other_app'"):
        open_session("other_app")


def test_what_peers_do_not_offer_is_refused(open_session: Callable[..., PeerSession]) -> None:
    session = open_session()

    for call in (session.unfinished, session.recorded, lambda: session.cancel("id-1")):
        with pytest.raises(NotImplementedError, match="drive them through F1, F3 and F7 alone"):
            call()


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS.keys())
def test_a_worker_is_set_up_by_its_environment(peer: Peer, tmp_path: Path) -> None:
    place = Place("redis://here", tmp_path)

    command, variables = PeerSystem(peer, tmp_path / "bin").worker(place, WorkerSettings(slots=3))

    assert command[0] == str(tmp_path / "bin" / peer.worker[0])
    assert not any("{" in part for part in command)
    assert (APPS / f"{peer.app}.py").exists()
    assert any(peer.app in part for part in command)
    assert (variables["FAULT_BROKER"], variables["FAULT_SLOTS"]) == ("redis://here", "3")


def test_every_peer_is_pinned() -> None:
    assert [peer.name for peer in PEERS.values() if not peer.versions] == []
    assert about("celery")["version"] == "celery 5.7.0"


def test_an_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def run(peer: Peer, *command: str) -> None:
        made.append(command)
        (tmp_path / peer.name).mkdir(exist_ok=True)

    monkeypatch.setattr(environments, "_run", run)
    peer = Peer("some", ("some==1",), ("some",), "")

    first, again = environments.prepare(peer, tmp_path), environments.prepare(peer, tmp_path)

    assert first == again == tmp_path / "some" / "bin"
    assert [command[2] for command in made] == ["venv", "pip"]


def test_a_peer_that_cannot_be_had_says_why() -> None:
    new = Peer("new", ("new==1",), ("new",), "", python=(sys.version_info[0], 99))
    with pytest.raises(UnavailableError, match=r"new needs Python 3\.99 or newer"):
        environments.find_python(new)

    with pytest.raises(UnavailableError, match=r"new cannot be installed with .*: no such thing"):
        environments._run(new, sys.executable, "-c", "raise SystemExit('no such thing')")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short leases and pauses, as ours is quick."""
    monkeypatch.setattr(compared, "SHARED", WorkerSettings(lease=1.0, slots=4))
    monkeypatch.setattr(compared, "_SHORT", (0.05, 0.1))  # a kill surely comes before the end
    for name, seconds in {
        "_RHYTHM": 0.2,
        "_DYING": 0.1,
        "_AWAY": 0.1,
        "_LONG": 0.5,
        "_STALE": 0.1,
    }.items():
        monkeypatch.setattr(compared, name, seconds)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("name", "tasks"), [("F1", 60), ("F3", 30), ("F7", 2)])
def test_ours_holds_in_the_comparison(name: str, tasks: int, tmp_path: Path) -> None:
    report = run_compared(name, tasks, tmp_path)

    assert [check for check in report.checks if not check.held] == []
    assert report.checks


def run_compared(name: str, tasks: int, folder: Path) -> Report:
    with (
        open_broker("redis", folder) as opened,
        Run(QTasks(), opened, folder, seed=1, tasks=tasks, kills=1) as run,
    ):
        return COMPARED[name].run(run)


def load_driver() -> Any:
    spec = importlib.util.spec_from_file_location("drive", ROOT / "tests/faults/drive.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_queue_that_cannot_be_had_costs_its_own_row_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = load_driver()

    def open_system(name: str) -> None:
        msg = f"{name} needs Python 3.99"
        raise UnavailableError(msg)

    monkeypatch.setattr(drive, "open_system", open_system)
    monkeypatch.setattr(sys, "argv", ["drive.py", "F1", "F7", "--system", "arq", "saq"])

    code = drive.main()

    shown, told = capsys.readouterr()
    assert code == 0
    assert shown.count("- arq: arq needs Python 3.99") == 2
    assert shown.count("- saq: saq needs Python 3.99") == 2
    assert "arq can be driven: arq needs Python 3.99" in told


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["F1", "--broker", "sqlite"], "compared on Redis"),
        (["F5"], "no case 'F5'; there are F1, F3, F7, and 'all'"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    arguments: list[str], answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["drive.py", *arguments, "--system", "arq"])

    with pytest.raises(SystemExit, match=answer):
        load_driver().main()


def test_a_table_shows_who_cannot_be_had_and_why() -> None:
    tally = {"acknowledged": 4, "lost": 1, "overwritten": 0, "refused": 0, "dead": 0}
    tally["duplicated"] = 5
    figures = {"halted inside": 4, "ran elsewhere": 4, "ran on after the pause": 3}
    here: dict[str, Any] = {"system": "a", "case": "F7", "version": "a 1", "settings": "lease 5 s"}
    gone = here | {"system": "b", "version": "b 2", "tally": None, "figures": {}}
    gone["checks"] = [{"what": "b can be driven", "held": False, "found": "b needs Python 3.99"}]

    table = as_comparison([here | {"tally": tally, "figures": figures, "checks": []}, gone])

    assert "| a | 4 | 4 | 3 | 0 | – | 1 | 0 | 5 |" in table
    assert "| b | – | – | – | – | – | – | – | – |" in table
    assert "- b: b needs Python 3.99" in table
    assert "| b | b 2 | lease 5 s |" in table


def test_the_page_shows_what_was_found() -> None:
    # What `nox -s faults_peers` has just written has no date, and comes last.
    newest = max((ROOT / "tests/faults/results").glob("*peers.json"))
    results = json.loads(newest.read_text())

    assert as_comparison(results) in (ROOT / "docs/reliability.md").read_text()
    assert {(result["system"], result["case"]) for result in results} == {
        (name, case) for name in SYSTEMS for case in COMPARED
    }
