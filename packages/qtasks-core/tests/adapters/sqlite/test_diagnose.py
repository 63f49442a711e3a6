"""What a look at a file says."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.adapters.sqlite import SqliteBroker
from qtasks.adapters.sqlite import diagnose as looking
from qtasks.adapters.sqlite.url import Target
from qtasks.schemas import Finding, Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture
async def broker(path: Path) -> Any:
    """A broker with a task in it."""
    broker = SqliteBroker(f"sqlite:///{path}")
    await broker.start()
    await broker.publish([Message("00000000-0000-4000-8000-000000000001", "t", "q", b"x")])
    yield broker
    await broker.stop()


@pytest.fixture
def conn(path: Path) -> Iterator[sqlite3.Connection]:
    """A file of another program."""
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("CREATE TABLE numbers (number)")
    yield conn
    conn.close()


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    """Returns findings by what they are about."""
    return {finding.subject: finding for finding in findings}


async def test_a_healthy_file_has_no_errors(broker: SqliteBroker, path: Path) -> None:
    found = by_subject(await broker.diagnose())

    assert list(found) == [
        "server",
        "SQLite version",
        "journal",
        "persistence",
        "file system",
        "disk space",
        "permissions",
        "log",
        "integrity",
    ]
    assert str(path) in found["server"].message
    assert {found[name].level for name in ("journal", "permissions", "integrity", "log")} == {"ok"}
    assert found["permissions"].message.endswith("(mode 0600).")


async def test_the_storage_says_the_same(broker: SqliteBroker) -> None:
    assert (
        by_subject(await broker.storage.diagnose()).keys()
        == by_subject(await broker.diagnose()).keys()
    )


@pytest.mark.parametrize(
    ("version", "repaired"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_the_fault_of_the_log_is_known_by_version(
    version: tuple[int, ...], *, repaired: bool
) -> None:
    finding = looking._log_fault(version)

    assert finding.level == "ok"  # ours avoid it, see checkpoint.py
    assert finding.message.startswith(".".join(map(str, version)))
    assert ("wal_autocheckpoint" not in finding.fix) is repaired


def test_another_journal_is_an_error(conn: sqlite3.Connection) -> None:
    finding = looking._journal(conn)

    assert finding.level == "error"
    assert "'delete' instead of 'wal'" in finding.message


def test_what_an_acknowledgement_survives_is_said() -> None:
    process = looking._persistence(Target("/q.db"))
    power = looking._persistence(Target("/q.db", "power"))

    assert "a loss of power may take the last moments" in process.message
    assert "survive the death of a process and a loss of power" in power.message


@pytest.mark.parametrize(
    ("kind", "level", "words"),
    [
        ("tmpfs", "warning", "a restart of the machine removes it"),
        ("overlay", "ok", "as in a container"),
        ("ext4", "ok", "lies on ext4"),
        ("", "ok", "does not tell"),
        (None, "ok", "does not tell"),
    ],
)
def test_where_the_file_lies(kind: str | None, level: str, words: str) -> None:
    finding = looking._file_system(kind)

    assert finding.level == level
    assert words in finding.message


@pytest.mark.parametrize(
    ("free", "level"), [(600 * MIB, "ok"), (511 * MIB, "warning"), (31 * MIB, "error")]
)
def test_how_much_room_there_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    finding = looking._space(path)

    assert finding.level == level
    assert finding.message == f"{free // MIB}.0 MiB are free in {path.parent}."


def test_a_disk_that_cannot_be_asked_is_a_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "disk_usage", refuse)

    finding = looking._space(path)

    assert finding.level == "warning"
    assert "(Permission denied)" in finding.message


@pytest.mark.parametrize(
    ("mode", "level", "words"),
    [
        (0o600, "ok", "no access"),
        (0o660, "ok", "no access"),
        (0o644, "warning", "may read the file (mode 0644)"),
        (0o666, "error", "may write to the file (mode 0666)"),
    ],
)
def test_who_else_may_use_the_file(path: Path, mode: int, level: str, words: str) -> None:
    path.touch()
    path.chmod(mode)

    (finding,) = looking._rights(path)

    assert finding.level == level
    assert words in finding.message


def test_rights_are_not_asked_where_there_are_no_mode_bits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "os", SimpleNamespace(name="nt"))

    assert looking._rights(path) == []


def test_a_log_that_nobody_copies_is_a_warning(path: Path) -> None:
    missing = looking._log(path)
    wal = path.with_name(f"{path.name}-wal")
    wal.touch()
    os.truncate(wal, 65 * MIB)

    grown = looking._log(path)

    assert (missing.level, missing.message) == ("ok", "0 bytes wait in the write-ahead log.")
    assert grown.level == "warning"
    assert grown.message.startswith("65.0 MiB wait in the write-ahead log: somebody reads")


def test_a_damaged_file_is_an_error(conn: sqlite3.Connection, path: Path) -> None:
    conn.execute("CREATE INDEX by_number ON numbers (number)")
    conn.execute("INSERT INTO numbers SELECT value FROM json_each('[1, 2, 3]')")
    conn.close()
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096  # the page of the index
    path.write_bytes(content)
    damaged = sqlite3.connect(path)

    finding = looking._integrity(damaged)
    damaged.close()

    assert finding.level == "error"
    assert finding.message.startswith("The file is damaged: ")


def test_the_check_of_a_large_file_ends_early(conn: sqlite3.Connection) -> None:
    numbers = ",".join(map(str, range(50_000)))
    conn.execute("INSERT INTO numbers SELECT value FROM json_each(?)", (f"[{numbers}]",))
    ticks = itertools.count()

    finding = looking._integrity(conn, clock=lambda: float(next(ticks)), limit=1.0)

    assert finding.level == "ok"
    assert finding.message.startswith("No fault was found in 1 seconds;")
    assert conn.execute("SELECT count(*) FROM numbers").fetchone() == (50_000,)


def test_a_look_does_not_keep_others_from_writing(conn: sqlite3.Connection) -> None:
    conn.execute("BEGIN")

    looking._integrity(conn)

    assert conn.in_transaction
    conn.execute("INSERT INTO numbers VALUES (1)")
    conn.execute("COMMIT")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB")],
)
def test_sizes_are_written_for_people(count: int, text: str) -> None:
    assert looking._size(count) == text
