"""An app in a folder, its worker as a process, and the servers that it may run on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from servers.plugin import VALKEY, need
from servers.programs import tested_names

from qtasks.adapters.redis.acl import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers import Program

#: Seconds after which a command that has not ended is called a failure.
PATIENCE = 60

#: A password with everything that URLs and shells take for something else.
PASSWORD = "p@ss:w/o?r#d%20&x"

APP = """
    from qtasks import QueueTasks

    app = QueueTasks()


    @app.task
    def double(number: int) -> int:
        return 2 * number


    @app.task
    async def twice(text: str) -> str:
        return text * 2


    @app.task
    def hello() -> None: ...


    @app.task
    def broken() -> None:
        raise ValueError("as expected")
    """


class Shop:
    """The app of a folder, as a user has it.

    Args:
        folder: where the app is, and where commands run.
        url: its broker.

    Attributes:
        folder: where the app is.
        said: all that its processes have printed.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.said = ""
        self.folder = folder
        self._environment = {**os.environ, "QTASKS_BROKER_URL": url, "NO_COLOR": "1"}
        self._log = folder / "worker.log"
        self._workers: list[subprocess.Popen[bytes]] = []
        (folder / "shop.py").write_text(textwrap.dedent(APP))

    def qtasks(self, *arguments: str, exit_code: int = 0) -> str:
        """Runs a command and returns what it printed."""
        done = subprocess.run(
            self._command(*arguments),
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.said += done.stdout
        assert done.returncode == exit_code, done.stdout
        return done.stdout

    def work(self, *options: str) -> None:
        """Starts a worker."""
        with self._log.open("ab") as log:
            worker = subprocess.Popen(
                self._command("run", "--log-level", "debug", *options),
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self._workers.append(worker)

    def rest(self) -> list[int]:
        """Stops all workers and returns their exit codes."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        codes = [worker.wait(PATIENCE) for worker in workers]
        self.said += self._log.read_text()
        return codes

    def close(self) -> None:
        """Ends what is left."""
        for worker in self._workers:
            worker.kill()
            worker.wait()

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "qtasks", "-A", "shop:app", *arguments]


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[Callable[[str], Shop]]:
    """Makes an app on a broker, and ends its workers."""
    made: list[Shop] = []

    def make(url: str) -> Shop:
        made.append(Shop(tmp_path, url))
        return made[-1]

    yield make
    for shop in made:
        shop.close()


@pytest.fixture
def password() -> str:
    """The password of every place."""
    return PASSWORD


def _password(fixture: Callable[[str], Any], program: Program) -> str:
    url: str = fixture("make_server")(program, password=PASSWORD).url
    return url


def _account(fixture: Callable[[str], Any], program: Program) -> str:
    line = read("worker").replace(" off resetpass", f" on >{PASSWORD}")
    server = fixture("make_server")(program, aclfile=f"user default on >owner ~* &* +@all\n{line}")
    url: str = server.url_of("qtasks-worker", PASSWORD)
    return url


def _tls(fixture: Callable[[str], Any], program: Program) -> str:
    certificates = fixture("certificates")
    server = fixture("make_server")(program, password=PASSWORD)
    port = fixture("make_proxy")(server, tls=certificates.server).port
    ca_file = quote(str(certificates.ca_file), safe="")
    url: str = server.url_of(password=PASSWORD, port=port)
    return url.replace("redis://", "rediss://") + f"?ssl_ca_certs={ca_file}"


def _socket(fixture: Callable[[str], Any], program: Program) -> str:
    url: str = fixture("make_server")(program, password=PASSWORD).unix_url
    return url


def _prefix(fixture: Callable[[str], Any], program: Program) -> str:
    url: str = fixture("make_server")(program, password=PASSWORD).url
    return url.removesuffix("/0") + "/3?prefix=shop"


def _sentinel(fixture: Callable[[str], Any], program: Program) -> str:
    sentinels = fixture("make_sentinels")(program, password=PASSWORD)
    hosts = ",".join(f"127.0.0.1:{port}" for port in sentinels.ports)
    return f"redis://:{quote(PASSWORD, safe='')}@{hosts}/0?sentinel={sentinels.service}"


def _cluster(fixture: Callable[[str], Any], program: Program) -> str:
    url: str = fixture("make_cluster")(program, password=PASSWORD).urls[1]
    return url


_PLACES: dict[str, Callable[[Callable[[str], Any], Program], str]] = {
    "password": _password,
    "account": _account,
    "tls": _tls,
    "socket": _socket,
    "prefix": _prefix,
    "sentinel": _sentinel,
    "cluster": _cluster,
}

#: Every kind of place on Valkey, and the first kind on whatever other server can be had.
_WHERE = [(kind, VALKEY) for kind in _PLACES] + [
    ("password", name) for name in tested_names() if name != VALKEY
]


@pytest.fixture(params=_WHERE, ids="-".join)
def place(request: pytest.FixtureRequest) -> str:
    """The URL of each kind of place."""
    kind, name = request.param
    return _PLACES[kind](request.getfixturevalue, need(name))
