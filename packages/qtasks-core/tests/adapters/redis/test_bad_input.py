"""What does not work is one line that says what to change, and holds no password."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from servers.ports import free_port
from typer.testing import CliRunner

from qtasks.adapters.redis import RedisBroker
from qtasks.cli.commands import cli
from qtasks.exc import ConfigError, ServerError, ServerUnavailableError
from qtasks.schemas import Claim, Presence
from qtasks.testing.conformance.base import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers.certificates import Certificates
    from servers.cluster import Cluster
    from servers.process import Server
    from servers.programs import Program
    from servers.proxy import Proxy

SECRET = "t0p/s3cret#?"
QUOTED = "t0p%2Fs3cret%23%3F"
#: A reply to anything: an old server, a web server, a mail server.
OLD = b"-ERR unknown command `HELLO`, with args beginning with: \r\n"
WEB = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
MAIL = b"220 mail.example ESMTP\r\n"


@pytest.fixture(params=["loop", "thread"])
def start(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Starts a broker, or its twin, and returns the error that it meets."""

    async def on_loop(url: str) -> Exception:
        return await refusal(url)

    async def in_thread(url: str) -> Exception:
        twin = RedisBroker(url).client()
        with pytest.raises((ConfigError, ServerError)) as caught:
            complete(twin.start())
        return checked(caught.value)

    return on_loop if request.param == "loop" else in_thread


async def refusal(url: str) -> Exception:
    """Starts a broker and returns the error that it meets."""
    broker = RedisBroker(url)
    with pytest.raises((ConfigError, ServerError)) as caught:
        await broker.start()
    await broker.stop()
    return checked(caught.value)


def checked(error: Exception) -> Exception:
    """Looks for the password in all that an error can show."""
    shown = "".join(traceback.format_exception(error)) + repr(error)
    assert SECRET not in shown
    assert QUOTED not in shown
    assert "\n" not in str(error)
    return error


@contextmanager
def imitation(reply: Callable[[bytes], bytes]) -> Iterator[int]:
    """A server that answers everything with what a function returns; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_: list[socket.socket] = []

    def serve(client: socket.socket) -> None:
        with client:
            try:
                while request := client.recv(65536):
                    client.sendall(reply(request))
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            open_.append(client)
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for client in open_:
            client.close()


def each(answer: bytes) -> Callable[[bytes], bytes]:
    """Answers each command of a request; commands begin with an asterisk."""
    return lambda request: answer * max(request.count(b"*"), 1)


def greets(**fields: str) -> Callable[[bytes], bytes]:
    """Greets as the server that the fields describe."""
    flat = [part for pair in fields.items() for part in pair]
    hello = f"*{len(flat)}\r\n" + "".join(f"${len(part)}\r\n{part}\r\n" for part in flat)
    return lambda request: hello.encode() if b"HELLO" in request else each(b"+OK\r\n")(request)


async def test_a_password_that_is_wrong_missing_or_needless(
    start: Callable[[str], Any], redis_program: Program, make_server: Callable[..., Server]
) -> None:
    server = make_server(redis_program, password="other")
    place = f"Redis at 127.0.0.1:{server.port} refused"
    error = await start(server.url_of(password=SECRET))
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"{place} the default user: the password is wrong; if it is that of a user, write"
        " user:password@ before the host"
    )
    assert str(await start(server.url_of())) == (
        f"{place} the default user: a password is needed: write user:password@ before the host"
        " of the URL"
    )
    assert str(await start(server.url_of("bob", SECRET))) == (
        f"{place} user 'bob': the password is wrong, or no such user is there, or it is switched"
        " off"
    )
    server.execute("CONFIG", "SET", "requirepass", "")
    server.password = None
    assert str(await start(server.url_of(password=SECRET))) == (
        f"{place} the default user: it has no password there: leave the password out of the URL"
    )


async def test_what_a_server_says_through_its_socket_is_no_outage(
    start: Callable[[str], Any], redis_program: Program, make_server: Callable[..., Server]
) -> None:
    server = make_server(redis_program, password="other")
    named = server.unix_url.replace("unix://:other@", f"unix://bob:{QUOTED}@")

    error = await start(named)
    assert isinstance(error, ConfigError)
    assert str(error).startswith(f"Redis at {server.socket} refused user 'bob': the password is")
    error = await start(server.unix_url.replace("db=0", "db=99"))
    assert isinstance(error, ConfigError)
    assert str(error).startswith(f"Redis at {server.socket} has no database 99")


async def test_a_user_without_rights(
    start: Callable[[str], Any], redis_program: Program, make_server: Callable[..., Server]
) -> None:
    users = f"user default on nopass ~* &* +@all\nuser bob on >{SECRET} ~qtasks:* +get\n"
    server = make_server(redis_program, aclfile=users)
    error = await start(server.url_of("bob", SECRET))
    assert isinstance(error, ConfigError)
    assert str(error).startswith(f"Redis at 127.0.0.1:{server.port}: user 'bob' may not do this (")
    assert "use an account that may, or give this one the right; the page redis-accounts" in (
        str(error)
    )
    assert str(error).endswith("with keys that begin with 'qtasks:'")


async def test_a_user_without_our_keys(
    redis_program: Program, make_server: Callable[..., Server]
) -> None:
    """The rights are for another prefix."""
    users = f"user default on nopass ~* &* +@all\nuser bob on >{SECRET} ~shop:* &* +@all\n"
    server = make_server(redis_program, aclfile=users)
    error = await refusal(server.url_of("bob", SECRET))
    assert "user 'bob' may not do this" in str(error)
    broker = RedisBroker(f"{server.url_of('bob', SECRET)}?prefix=shop")
    await broker.start()
    await broker.stop()


async def test_a_right_that_is_taken_away_while_we_work(make_server: Callable[..., Server]) -> None:
    users = f"user default on nopass ~* &* +@all\nuser bob on >{SECRET} ~* &* +@all\n"
    server = make_server(aclfile=users)
    broker = RedisBroker(server.url_of("bob", SECRET))
    await broker.start()
    try:
        server.execute("ACL", "SETUSER", "bob", "-hset")
        with pytest.raises(ServerError, match="user 'bob' may not do this") as caught:
            await broker.report(Presence("w"), 10.0)
        assert not caught.value.retriable
        checked(caught.value)
    finally:
        await broker.stop()


async def test_a_database_that_is_not_there(
    start: Callable[[str], Any], redis_program: Program, make_server: Callable[..., Server]
) -> None:
    server = make_server(redis_program)
    error = await start(f"redis://127.0.0.1:{server.port}/99")
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"Redis at 127.0.0.1:{server.port} has no database 99: use a smaller number (a cluster has"
        " 0 alone), or raise databases there"
    )


async def test_tls_to_a_server_without(
    start: Callable[[str], Any], make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the rest of what it takes for a command."""
    monkeypatch.setattr("qtasks.adapters.redis.links._CONNECT", 0.3)
    monkeypatch.setattr("qtasks.adapters.redis.links._SILENCE", 0.3)
    server = make_server(password=SECRET)
    error = await start(server.url.replace("redis://", "rediss://"))
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"Redis at 127.0.0.1:{server.port} does not speak TLS: write redis:// instead of rediss://"
    )


async def test_no_tls_to_a_server_with_it(
    start: Callable[[str], Any],
    make_server: Callable[..., Server],
    make_proxy: Callable[..., Proxy],
    certificates: Certificates,
) -> None:
    proxy = make_proxy(make_server(), tls=certificates.server)
    error = await start(f"redis://:{QUOTED}@127.0.0.1:{proxy.port}/0")
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"Redis at 127.0.0.1:{proxy.port} speaks TLS: write rediss:// instead of redis://"
    )


async def test_the_password_is_not_sent_in_the_clear_to_find_out(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a server speaks without TLS is asked without a password."""
    monkeypatch.setattr("qtasks.adapters.redis.links._CONNECT", 0.3)
    heard = []

    def listen(request: bytes) -> bytes:
        heard.append(request)
        return b"" if request.startswith(b"\x16") else each(b"+PONG\r\n")(request)

    with imitation(listen) as port:
        error = await refusal(f"rediss://user:{QUOTED}@127.0.0.1:{port}/0")
    assert "does not speak TLS" in str(error)
    assert any(b"PING" in request for request in heard)
    assert not any(SECRET.encode() in request or b"AUTH" in request for request in heard)


async def test_certificates_that_do_not_fit(
    start: Callable[[str], Any],
    make_server: Callable[..., Server],
    make_proxy: Callable[..., Proxy],
    certificates: Certificates,
    tmp_path: Path,
) -> None:
    server = make_server()
    proxy = make_proxy(server, tls=certificates.server)
    place = f"Redis at 127.0.0.1:{proxy.port}"
    assert str(await start(proxy.url)) == (
        f"{place} shows a certificate that is not trusted: name the file of its authority with"
        " ?ssl_ca_certs=/path/to/ca.pem"
    )
    assert str(await start(f"{proxy.url}?ssl_ca_certs=/nowhere/ca.pem")) == (
        "ssl_ca_certs=/nowhere/ca.pem of the Redis URL cannot be read: No such file or directory"
    )
    (tmp_path / "no.pem").write_text("no certificate")
    assert str(await start(f"{proxy.url}?ssl_ca_certs={tmp_path}/no.pem")) == (
        f"{place} cannot be asked: a file in ssl_ca_certs, ssl_certfile or ssl_keyfile is no PEM"
        " file"
    )
    other = make_proxy(server, tls=context_for("redis.example", certificates, tmp_path))
    assert str(await start(f"{other.url}?ssl_ca_certs={tmp_path}/other.pem")) == (
        f"Redis at 127.0.0.1:{other.port} shows a certificate for another name: write the host as"
        " the certificate names it"
    )
    for trusted in (f"?ssl_ca_certs={certificates.ca_file}", "?ssl_verify=none"):
        broker = RedisBroker(proxy.url + trusted)
        await broker.start()
        await broker.stop()


def context_for(name: str, _: Certificates, folder: Path) -> ssl.SSLContext:
    """Makes the context of a server whose certificate has this name alone."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "other.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_server_that_asks_for_a_certificate(
    start: Callable[[str], Any],
    make_server: Callable[..., Server],
    make_proxy: Callable[..., Proxy],
    certificates: Certificates,
) -> None:
    certificates.server.verify_mode = ssl.CERT_REQUIRED
    certificates.server.load_verify_locations(certificates.ca_file)
    proxy = make_proxy(make_server(), tls=certificates.server)
    error = await start(f"{proxy.url}?ssl_ca_certs={certificates.ca_file}")
    assert isinstance(error, ServerUnavailableError)
    assert str(error).startswith(f"Redis at 127.0.0.1:{proxy.port} cannot be reached: ")
    assert str(error).endswith(
        "; if it asks for certificates, name yours with ?ssl_certfile=...&ssl_keyfile=..."
    )


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (each(OLD), "is too old: use Redis 6.2 or newer, or Valkey"),
        (each(WEB), "is no Redis, it answers something else: correct host and port of the URL"),
        (each(MAIL), "is no Redis, it answers something else: correct host and port of the URL"),
        (
            greets(server="redis", version="6.0.20", mode="standalone", role="master"),
            "is 6.0.20, which is too old: use 6.2 or newer, or Valkey",
        ),
    ],
)
async def test_servers_that_cannot_be_used(
    start: Callable[[str], Any], reply: Callable[[bytes], bytes], said: str
) -> None:
    with imitation(reply) as port:
        error = await start(f"redis://127.0.0.1:{port}/0")
    assert isinstance(error, ConfigError)
    assert str(error) == f"Redis at 127.0.0.1:{port} {said}"


async def test_a_replica_alone(
    start: Callable[[str], Any], redis_program: Program, make_server: Callable[..., Server]
) -> None:
    """It may become a master, so it is waited for."""
    server = make_server(redis_program)
    server.execute("REPLICAOF", "127.0.0.1", "1")
    error = await start(server.url)
    assert isinstance(error, ServerUnavailableError)
    assert str(error) == (
        f"Redis at 127.0.0.1:{server.port} is a replica, which cannot be written to: name its"
        " master, or the Sentinels with ?sentinel=NAME"
    )
    server.execute("REPLICAOF", "NO", "ONE")
    broker = RedisBroker(server.url)
    await broker.start()
    await broker.stop()


async def test_several_hosts_that_are_no_cluster(
    start: Callable[[str], Any], redis_program: Program, make_server: Callable[..., Server]
) -> None:
    one, two = make_server(redis_program), make_server(redis_program)
    error = await start(f"redis://127.0.0.1:{one.port},127.0.0.1:{two.port}")
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"Redis at 127.0.0.1:{one.port},127.0.0.1:{two.port} is no cluster: name one host, or add"
        " ?sentinel=NAME if these are Sentinels"
    )


async def test_a_cluster_without_slots(
    start: Callable[[str], Any],
    redis_program: Program,
    make_cluster: Callable[..., Cluster],
) -> None:
    """Somebody may be about to give them out, so it is waited for."""
    cluster = make_cluster(redis_program, slots=False)
    error = await start(cluster.urls[0])
    assert isinstance(error, ServerUnavailableError)
    port = cluster.members[0].port
    assert str(error) == (
        f"Redis at 127.0.0.1:{port} cannot serve now: the cluster does not serve all its slots; if"
        " it does not mend itself, redis-cli --cluster fix gives them to its nodes"
    )
    error = await start(f"redis://127.0.0.1:{port}/1")
    assert isinstance(error, ConfigError)
    assert "has no database 1" in str(error)


async def test_nobody_there(start: Callable[[str], Any]) -> None:
    port = free_port()
    error = await start(f"redis://:{QUOTED}@127.0.0.1:{port}/0")
    assert isinstance(error, ServerUnavailableError)
    assert str(error) == (
        f"Redis at 127.0.0.1:{port} cannot be reached: nobody listens there (connection refused);"
        " is it started, is the port right?"
    )


async def test_a_name_that_nobody_knows(start: Callable[[str], Any]) -> None:
    error = await start(f"redis://:{QUOTED}@no-such-host.invalid/0")
    assert isinstance(error, ServerUnavailableError)
    assert str(error).startswith(
        "Redis at no-such-host.invalid:6379 cannot be reached: the host name is not known ("
    )


async def test_a_socket_that_is_not_there(start: Callable[[str], Any], tmp_path: Path) -> None:
    error = await start(f"unix://:{QUOTED}@{tmp_path}/no.sock")
    assert isinstance(error, ServerUnavailableError)
    assert str(error) == (
        f"Redis at {tmp_path}/no.sock cannot be reached: there is no such socket; is it started, is"
        " unixsocket set there?"
    )


async def test_a_socket_that_is_not_ours(
    start: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses; who runs the tests as root is refused by a stand-in."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    async def refuse_later(*_: object, **__: object) -> None:
        refuse()

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("asyncio.open_unix_connection", refuse_later)
    error = await start(f"unix://{tmp_path}/x.sock")
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"Redis at {tmp_path}/x.sock may not be opened by this user: widen unixsocketperm there, or"
        " join its group"
    )


async def test_a_server_that_is_silent(
    start: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtasks.adapters.redis.links._SILENCE", 0.2)
    monkeypatch.setattr("qtasks.adapters.redis.links._CONNECT", 0.2)
    with imitation(lambda _: b"") as port:
        error = await start(f"redis://127.0.0.1:{port}/0")
    assert isinstance(error, ServerUnavailableError)
    assert str(error) == f"Redis at 127.0.0.1:{port} cannot be reached: it does not answer in time"


async def test_too_many_connections(make_server: Callable[..., Server]) -> None:
    """The server says so and hangs up; what of it arrives is a matter of moments."""
    server = make_server()
    with server.client() as client:
        client.ping()
        server.config(maxclients=1)
        error = await refusal(server.url)
    assert isinstance(error, ServerUnavailableError)
    assert str(error).startswith(f"Redis at 127.0.0.1:{server.port} cannot be reached: ")


async def test_a_broker_that_was_not_started_says_so() -> None:
    broker = RedisBroker(f"redis://:{QUOTED}@127.0.0.1:1/0")
    with pytest.raises(ServerError) as caught:
        await broker.claim(Claim(queues=("q",), limit=1, lease=1.0, worker="w"))
    assert str(checked(caught.value)) == (
        "Redis at 127.0.0.1:1 is not connected: call start() first"
    )


def test_the_command_line_shows_one_line_without_the_password(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(password="other")
    url = server.url_of("bob", SECRET)
    environment = {**os.environ, "QTASKS_BROKER_URL": url, "NO_COLOR": "1", "COLUMNS": "500"}
    result = CliRunner().invoke(cli, ["-A", "qtasks:QueueTasks", "stats"], env=environment)
    assert result.exit_code == 2
    assert SECRET not in result.output
    assert QUOTED not in result.output
    assert result.output.strip().count("\n") == 0
    assert "refused user 'bob': the password is wrong" in result.output
