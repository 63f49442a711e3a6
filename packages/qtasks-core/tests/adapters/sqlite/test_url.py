from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.sqlite import SqliteBroker, SqliteStorage, filesystem
from qtasks.adapters.sqlite.filesystem import file_system_of
from qtasks.adapters.sqlite.url import parse_url
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_relative_paths_start_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_url("sqlite:///a/b.db").path == str(tmp_path / "a" / "b.db")


def test_absolute_paths_have_four_slashes() -> None:
    assert parse_url("sqlite:////srv/my%20queue.db").path == "/srv/my queue.db"


def test_two_names_of_a_file_are_one_path(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert (
        parse_url(f"sqlite:///{tmp_path}/link/q.db").path
        == parse_url(f"sqlite:///{tmp_path}/real/../real/q.db").path
    )


@pytest.mark.parametrize(
    ("query", "durability"),
    [("", "process"), ("?durability=process", "process"), ("?durability=power", "power")],
)
def test_durability(query: str, durability: str) -> None:
    assert parse_url(f"sqlite:///q.db{query}").durability == durability


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://localhost", ["sqlite:///"]),
        ("sqlite://", ["no file", "memory://"]),
        ("sqlite:///", ["no file", "memory://"]),
        ("sqlite:///:memory:", ["no file", "memory://"]),
        ("sqlite://host/q.db", ["host", "three slashes"]),
        ("sqlite:///q.db?timeout=5", ["timeout='5'", "durability", "process", "power"]),
        ("sqlite:///q.db?durability=maybe", ["durability='maybe'", "process", "power"]),
        ("sqlite:///q.db?durability", ["durability=''"]),
        ("sqlite:///a#b.db", ["%23"]),
        ("sqlite:///a%00b.db", ["NUL"]),
    ],
)
def test_wrong_urls_say_what_is_right(url: str, words: list[str]) -> None:
    for make in (SqliteBroker, SqliteStorage):
        with pytest.raises(ConfigError) as caught:
            make(url)
        for word in words:
            assert word in str(caught.value)


MOUNTS = r"""
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/local ext4 rw 0 0
share /mnt/with\040space cifs rw 0 0
overlay /srv overlay rw 0 0
user@host: /mnt/ssh fuse.sshfs rw 0 0
/dev/sda1 /mnt/disk fuseblk rw 0 0
tmpfs /mnt/top tmpfs rw 0 0
host /mnt/top 9p rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/q.db", "ext4"),
        ("/home/me/q.db", "nfs4"),
        ("/homes/me/q.db", "ext4"),
        ("/home/local/q.db", "ext4"),
        ("/mnt/with space/q.db", "cifs"),
        ("/srv/q.db", "overlay"),
        ("/mnt/ssh/q.db", "fuse.sshfs"),
        ("/mnt/disk/q.db", "fuseblk"),
        ("/mnt/top/q.db", "9p"),
    ],
)
def test_the_mount_that_holds_a_path(path: str, kind: str) -> None:
    assert file_system_of(path, MOUNTS) == kind


@pytest.mark.parametrize("place", ["home/me", "mnt/ssh", "mnt/top"])
async def test_network_file_systems_are_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / place
    directory.mkdir(parents=True)
    mounts = tmp_path / "mounts"
    escaped = str(tmp_path).replace(" ", r"\040")
    mounts.write_text(MOUNTS.replace(" /", f" {escaped}/"))
    monkeypatch.setattr(filesystem, "_MOUNTS", mounts)
    with pytest.raises(ConfigError, match=r"network file system .*local disk"):
        await SqliteBroker(f"sqlite:///{directory}/q.db").start()
    assert list(directory.iterdir()) == []


async def test_unknown_mounts_are_accepted(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "_MOUNTS", tmp_path / "missing")
    broker = SqliteBroker(url)
    await broker.start()
    await broker.stop()
