"""Renewing leases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.adapters.sqlite.lookup import select_in
from qtasks.adapters.sqlite.states import LEASED
from qtasks.schemas import Extension, Held

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from qtasks.adapters.sqlite.unit import Unit

__all__ = ["blame", "extend", "holds"]

_LOOK: Final = "SELECT id, seq, token, state, cancel FROM task WHERE id IN"
_BLAME: Final = "UPDATE task SET lost = ? WHERE id = ? AND token = ? AND state = 5"
_HELD: Final = """
    SELECT id, token, queue FROM task INDEXED BY task_leased WHERE state = 5 AND worker = ?
"""
_RENEW: Final = "UPDATE task SET lease_until = ? WHERE seq = ?"


def extend(unit: Unit, held: Sequence[Held], lease: float) -> Extension:
    """Renews the leases whose token is still the newest, also those that ran out unnoticed."""
    rows = {row[0]: row[1:] for row in select_in(unit.conn, _LOOK, [one.id for one in held])}
    until = unit.now + lease
    lost: list[str] = []
    cancelled: dict[str, str] = {}
    renewed: list[tuple[float, int]] = []
    for one in held:
        seq, token, state, cancel = rows.get(one.id, (0, None, None, None))
        if token != one.token or state != LEASED:
            lost.append(one.id)
            continue
        renewed.append((until, seq))
        if cancel is not None:
            cancelled[one.id] = cancel
    unit.conn.executemany(_RENEW, renewed)
    return Extension(tuple(lost), cancelled)


def holds(conn: sqlite3.Connection, _now: float, worker: str) -> list[Held]:
    """Lists what a worker holds."""
    return [Held(*row) for row in conn.execute(_HELD, (worker,))]


def blame(unit: Unit, held: Held, lost: int) -> None:
    """Sets how many losses count against a task that is held."""
    unit.conn.execute(_BLAME, (lost, held.id, held.token))
