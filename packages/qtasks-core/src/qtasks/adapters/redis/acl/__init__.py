"""Accounts with the fewest rights: for those who add tasks, workers, and those who watch.

Each role has a file beside this one, which a server can load as it is, or together with others.
Its user is switched off and has no password: the owner of the server gives it one.
A user may run scripts, but a script may do only what its user may, and only with our keys.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from qtasks.exc import ConfigError

__all__ = ["ROLES", "read"]

_PRODUCER: Final = ("cancel", "know", "publish", "queues", "read", "records")
_EXPORTER: Final = ("queues", "stats", "workers")

#: The scripts that each role runs.
ROLES: Final = {
    "producer": _PRODUCER,
    "worker": (
        *_PRODUCER,
        *(
            "append",
            "begin",
            "blame",
            "claim",
            "clear",
            "counter",
            "dispatched",
            "due",
            "exchange",
            "expire",
            "extend",
            "holds",
        ),
        *("progress", "ready", "report", "settle", "state", "stats", "sweep", "workers"),
    ),
    "exporter": _EXPORTER,
}


def read(role: str, prefix: str = "qtasks") -> str:
    """Returns the line of a role for the server's ACL file.

    Args:
        role: ``producer`` adds tasks, waits for them and cancels them; ``worker`` runs them, and
            may add tasks too; ``exporter`` counts them and changes nothing.
        prefix: what all keys begin with, as in the broker's URL.

    Raises:
        ConfigError: there is no such role.
    """
    if role not in ROLES:
        msg = f"{role!r} is no role of an account; there are {', '.join(ROLES)}"
        raise ConfigError(msg)
    text = files(__name__).joinpath(f"{role}.acl").read_text(encoding="utf-8")
    return text.replace("~qtasks:*", f"~{prefix}:*")
