"""The servers that other tests rely on do what is asked of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from redis.exceptions import NoPermissionError, ResponseError

from servers import Server, programs
from servers.patience import wait_until
from servers.plugin import need
from servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Cluster, Program, Sentinels

OWNER = """
import sys
sys.path.insert(0, sys.argv[1])
from servers import Server, find_programs
server = Server(find_programs()["valkey-9"])
server.start()
print(server.pid, server.folder, flush=True)
sys.stdin.read()
"""


def test_a_shared_server_is_empty_and_of_the_tested_version(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
        assert client.keys("qtasks:*") == []
        client.set("qtasks:left", "behind")


def test_the_next_test_finds_the_shared_server_empty_again(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys("qtasks:*") == []


def test_every_program_is_what_it_is_called(
    redis_program: Program, make_server: Callable[..., Server]
) -> None:
    info = make_server(redis_program).execute("INFO", "server")

    version = info["valkey_version" if "valkey" in redis_program.name else "redis_version"]
    assert version == redis_program.version


def test_a_durable_server_keeps_its_port_and_its_data_over_a_crash(
    redis_program: Program, make_server: Callable[..., Server]
) -> None:
    server = make_server(redis_program, durable=True)
    port = server.port
    server.execute("SET", "key", "value")

    server.restart()

    assert server.port == port
    assert server.execute("GET", "key") == "value"


def test_a_stopped_server_refuses_connections_and_starts_again(
    make_server: Callable[..., Server],
) -> None:
    server = make_server()
    server.stop()
    with pytest.raises(redis.ConnectionError):
        server.execute("PING")

    server.start()

    assert server.execute("PING")


def test_a_paused_server_answers_once_it_is_resumed(make_server: Callable[..., Server]) -> None:
    server = make_server()
    with server.client() as client:
        client.ping()
        server.pause()
        hasty = redis.Redis.from_url(server.url, socket_timeout=0.01, retry=None)
        with hasty, pytest.raises(redis.TimeoutError):
            hasty.ping()

        server.resume()

        assert client.ping()


def test_settings_hold_at_the_start_and_later(make_server: Callable[..., Server]) -> None:
    server = make_server(maxmemory="10mb")
    server.config(maxmemory_policy="allkeys-lru")

    with server.client() as client:
        assert client.config_get("maxmemory*")["maxmemory"] == str(10 << 20)
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}


def test_a_wrong_setting_is_reported_with_the_words_of_the_server() -> None:
    server = Server(need("valkey-9"), no_such_setting="yes")
    with pytest.raises(RuntimeError, match="no-such-setting"):
        server.start()
    server.close()


def test_a_password_is_asked_for(make_server: Callable[..., Server]) -> None:
    server = make_server(password="s p:e/c@ial")

    assert server.execute("PING")
    with (
        redis.Redis.from_url(server.url_of()) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    with redis.Redis.from_url(server.unix_url) as friend:
        assert friend.ping()


def test_users_of_an_acl_file_may_do_what_it_grants(make_server: Callable[..., Server]) -> None:
    acl = "user default on nopass ~* &* +@all\nuser reader on >word ~* &* -@all +get\n"
    server = make_server(aclfile=acl)

    with server.client(server.url_of("reader", "word")) as reader:
        assert reader.get("key") is None
        with pytest.raises(NoPermissionError):
            reader.set("key", "value")


def test_a_cluster_sends_every_key_to_its_owner(
    redis_program: Program, make_cluster: Callable[..., Cluster]
) -> None:
    cluster = make_cluster(redis_program)
    keys = [f"key-{number}" for number in range(30)]

    with redis.RedisCluster.from_url(cluster.urls[0]) as client:
        for key in keys:
            client.set(key, "value")

    assert {cluster.owner(key) for key in keys} == {*cluster.members}
    assert all(cluster.owner(key).execute("GET", key) == "value" for key in keys)
    cluster.flush()
    assert not any(member.execute("DBSIZE") for member in cluster.members)


def test_a_cluster_without_slots_is_down(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(slots=False)

    with pytest.raises(ResponseError, match="Hash slot not served"):
        cluster.members[0].execute("GET", "key")


def test_sentinels_make_the_replica_the_master(
    redis_program: Program, make_sentinels: Callable[..., Sentinels]
) -> None:
    sentinels = make_sentinels(redis_program, password="secret")
    sentinels.master.execute("SET", "key", "value")
    sentinels.master.execute("WAIT", 1, 0)

    new = sentinels.fail_over()

    assert new is sentinels.servers[1]
    assert new.execute("GET", "key") == "value"


def test_servers_end_with_a_process_that_is_killed() -> None:
    command = [sys.executable, "-c", OWNER, str(programs.ROOT / "tests")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        assert is_alive(int(pid))

        owner.kill()
        owner.wait()

    wait_until(lambda: not is_alive(int(pid)), "the server outlived its owner")
    wait_until(lambda: not Path(folder).exists(), "the folder outlived its owner")


def test_ports_that_are_in_use_are_not_free(make_server: Callable[..., Server]) -> None:
    server = make_server()

    assert free_port() != server.port


def test_a_server_does_not_take_another_one_on_its_port_for_itself(
    make_server: Callable[..., Server],
) -> None:
    other = make_server()
    server = Server(other.program)
    server.port = other.port

    server.start()

    try:
        assert server.port != other.port
        assert server.execute("INFO", "server")["process_id"] == server.pid
    finally:
        server.close()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    ps = ["ps", "-o", "stat=", "-p", str(pid)]
    done = subprocess.run(ps, capture_output=True, check=False, text=True)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


class TestSearch:
    @pytest.fixture(autouse=True)
    def fresh_search(self) -> Any:
        programs.find_programs.cache_clear()
        yield
        programs.find_programs.cache_clear()

    @pytest.fixture
    def bare_path(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(programs, "ROOT", tmp_path)
        return tmp_path

    def test_servers_are_told_by_what_they_say(self, bare_path: Path) -> None:
        script = bare_path / "redis-server"
        script.write_text("#!/bin/sh\necho 'Redis server v=99.1.7 sha=0'\n")
        script.chmod(0o755)

        program = programs.find_programs()["redis-99.1"]

        assert (program.version, program.path) == ("99.1.7", script)

    def test_files_that_are_no_servers_are_passed_over(self, bare_path: Path) -> None:
        script = bare_path / "redis-server"
        script.write_text("#!/bin/sh\necho hello\n")
        script.chmod(0o755)
        broken = bare_path / "valkey-server"
        broken.write_bytes(b"\0")
        broken.chmod(0o755)

        assert set(programs.find_programs()) <= {"valkey-9"}

    def test_a_required_server_is_tested_though_it_is_missing(
        self, bare_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(programs.REQUIRED, "redis-6.2, valkey-9")

        assert "redis-6.2" in programs.tested_names()
        with pytest.raises(pytest.fail.Exception, match=r"no server 'redis-6.2' .* nox -s servers"):
            need("redis-6.2")

    def test_the_header_says_what_was_not_found(self, bare_path: Path) -> None:
        (line,) = programs.describe()

        assert "redis-7.0 (apt-get install redis-tools)" in line.partition("not found:")[2]
