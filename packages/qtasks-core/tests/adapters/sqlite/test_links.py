"""No link has SQLite write to a file that somebody else chose, and nobody else can read ours."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.sqlite import SqliteBroker
from qtasks.exc import ConfigError
from qtasks.schemas import Message

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("companion", ["-wal", "-shm", "-journal"])
async def test_a_link_in_the_place_of_a_companion_is_refused(
    tmp_path: Path, companion: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / f"q.db{companion}").symlink_to(victim)
    broker = SqliteBroker(f"sqlite:///{tmp_path}/q.db")

    with pytest.raises(ConfigError, match=rf"q\.db{companion} is a symbolic link.*remove it"):
        await broker.start()
    await broker.stop()

    assert victim.read_bytes() == b"precious"


async def test_a_link_that_the_url_names_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    broker = SqliteBroker(f"sqlite:///{tmp_path}/link.db")
    await broker.start()
    await broker.stop()
    assert (tmp_path / "real.db").exists()


def modes(directory: Path) -> dict[str, int]:
    """Returns who may do what with each file of a directory."""
    return {place.name: stat.S_IMODE(place.stat().st_mode) for place in directory.iterdir()}


async def test_files_and_directories_belong_to_their_owner_alone(tmp_path: Path) -> None:
    broker = SqliteBroker(f"sqlite:///{tmp_path}/q.db")
    await broker.start()
    await broker.publish([Message("00000000-0000-7000-8000-000000000001", "t", "q", b"x")])

    found = modes(tmp_path)
    await broker.stop()

    assert found.keys() >= {"q.db", "q.db-wal", "q.db-shm"}
    assert not {name: oct(mode) for name, mode in found.items() if mode & 0o077}
