"""One server: its folder, its process, and what a test can do to them."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from servers.patience import PATIENCE, wait_until
from servers.ports import free_port
from servers.reaper import reaper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.programs import Program


class Server:
    """A server on a free loopback port and a socket, with a folder of its own.

    Args:
        program: what to run.
        password: what clients must say; None lets everybody in.
        aclfile: the text of an ACL file.
        durable: whether every write reaches the disk before its reply, so that ``kill`` loses
            nothing.
        extra: more arguments of the command line.
        settings: lines of the configuration file, with underscores for dashes.

    Attributes:
        port: the port on 127.0.0.1, kept over restarts.
        folder: where its files are.
    """

    def __init__(
        self,
        program: Program,
        *,
        password: str | None = None,
        aclfile: str | None = None,
        durable: bool = False,
        extra: tuple[str, ...] = (),
        **settings: object,
    ) -> None:
        self.program = program
        self.password = password
        # The path of a socket has at most about a hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="qtasks-"))
        self.port = free_port()
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None
        self._started = False
        self._settings: dict[str, object] = {
            "bind": "127.0.0.1",
            "dir": self.folder,
            "unixsocket": self.socket,
            "unixsocketperm": 700,
            "save": '""',
            "appendonly": "yes" if durable else "no",
            "appendfsync": "always",
            "databases": 4,
        }
        if password is not None:
            self._settings["requirepass"] = f'"{password}"'
        if aclfile is not None:
            path = self.folder / "users.acl"
            path.write_text(aclfile)
            self._settings["aclfile"] = path
        self._settings |= {name.replace("_", "-"): value for name, value in settings.items()}

    def __repr__(self) -> str:
        return f"{self.program.name} on port {self.port}"

    @property
    def socket(self) -> Path:
        """The path of its Unix socket."""
        return self.folder / "server.sock"

    @property
    def url(self) -> str:
        """The URL of its first database, with the password."""
        return self.url_of(password=self.password)

    @property
    def unix_url(self) -> str:
        """The URL of its socket."""
        secret = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"unix://{secret}{self.socket}?db=0"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None, f"{self} does not run"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def url_of(self, user: str = "", password: str | None = None, port: int | None = None) -> str:
        """Returns the URL for a user, or for another port that leads here."""
        who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
        return f"redis://{who}127.0.0.1:{port or self.port}/0"

    @contextlib.contextmanager
    def client(self, url: str | None = None) -> Iterator[redis.Redis]:
        """Connects, as the owner of the server unless ``url`` names somebody else."""
        client = redis.Redis.from_url(
            url or self.url,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=PATIENCE,
        )
        try:
            yield client
        finally:
            client.close()

    def execute(self, *command: str | float) -> Any:
        """Runs one command and returns its reply."""
        with self.client() as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    def start(self) -> None:
        """Starts the server, with the data it had, and waits until it answers.

        Raises:
            RuntimeError: it ended instead; the message has its log.
        """
        assert self._process is None, f"{self} runs already"
        for _attempt in range(10):
            self._launch()
            if self._answers():
                return
            self._ended()
            if "Address already in use" not in self.log() or self._started:
                break
            self.port = free_port()  # another process was quicker
        msg = f"{self} does not start:\n{self.log()[-4000:]}"
        raise RuntimeError(msg)

    def stop(self) -> None:
        """Ends the server as a system does that shuts down."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the server at once, as a crash."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kills the server and starts it again."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Halts the server: connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a halted server go on."""
        self._signal(signal.SIGCONT)

    def config(self, **settings: object) -> None:
        """Changes settings of the running server, with underscores for dashes."""
        with self.client() as client:
            for name, value in settings.items():
                client.config_set(name.replace("_", "-"), str(value))

    def log(self) -> str:
        """Returns what the server wrote."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        """Ends the server and removes its files."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self) -> None:
        path = self.folder / "server.conf"
        if not self._started:  # a sentinel keeps in this file what it has learned
            lines = {"port": self.port, **self._settings}
            path.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
            path.chmod(0o600)
        with (self.folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self.program.called, str(path), *self._extra],
                executable=self.program.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
            )
        reaper().watch(self._process.pid, str(self.folder))

    def _answers(self) -> bool:
        """Waits until the server answers; False if it ends instead."""
        process = self._process
        assert process is not None
        wait_until(
            lambda: process.poll() is not None or self._replies(),
            lambda: f"{self} does not answer:\n{self.log()[-4000:]}",
        )
        self._started = process.poll() is None
        return self._started

    def _replies(self) -> bool:
        """Whether a stranger's PING is answered, if only with a refusal.

        It goes to the socket, which nobody else has: on the port another server may answer that
        was quicker to take it. Servers listen on the port first.
        """
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(PATIENCE)
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                reply = probe.recv(64)
        except OSError:
            return False
        return reply.startswith((b"+", b"-")) and not reply.startswith(b"-LOADING")

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        if number is signal.SIGTERM:
            self.resume()  # who is halted does not hear
        assert self._process is not None
        self._process.wait(PATIENCE)
        self._ended()

    def _ended(self) -> None:
        reaper().forget(self.pid, str(self.folder))
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, f"{self} does not run"
        self._process.send_signal(number)
