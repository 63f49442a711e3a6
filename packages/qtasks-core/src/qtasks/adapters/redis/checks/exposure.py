"""Who else can reach the server, and read what travels to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtasks.schemas import Finding

if TYPE_CHECKING:
    from qtasks.adapters.redis.checks.sight import Sight

__all__ = ["account", "encryption", "password"]

_LOOPBACK: Final = ("127.", "::1", "-::1", "localhost")
#: Since this release ``protected-mode`` holds however the addresses to listen on were set.
_STRICT: Final = (7, 0)


def password(sight: Sight) -> Finding | None:
    """Says whether strangers get in."""
    default_open = sight.default_open
    if default_open is None:
        # Whoever got in without a password knows it; an account of one's own tells nothing.
        default_open = True if sight.target.password is None else None
    if default_open is None:
        return None
    if not default_open:
        return Finding("ok", "password", "Nobody gets in without one.")
    if not _reached_by_others(sight):
        return Finding(
            "ok",
            "password",
            "None is needed, but only this machine reaches the server.",
            "Set one, or use the accounts of QTasks, if other users of the machine are no friends.",
        )
    return Finding(
        "warning",
        "password",
        "None is needed: whoever reaches the server can read tasks, and add some for your workers.",
        "Set requirepass, or ACL SETUSER default off and use the accounts of QTasks.",
    )


def _reached_by_others(sight: Sight) -> bool:
    if not sight.target.local:
        return True
    bind = sight.settings.get("bind")
    if bind is None:
        return False  # nothing says so
    addresses = bind.split() or ["*"]
    if all(address.startswith(_LOOPBACK) for address in addresses):
        return False
    protected = sight.settings.get("protected-mode") == "yes"
    return not (protected and (_strict(sight) or not bind))


def _strict(sight: Sight) -> bool:
    parts = sight.greeting.version.split(".")[:2]
    return tuple(int(part) for part in parts if part.isdecimal()) >= _STRICT


def encryption(sight: Sight) -> Finding | None:
    """Says whether others can read along."""
    if sight.target.local:
        return None
    if not sight.target.tls:
        return Finding(
            "warning",
            "encryption",
            "What travels to the server can be read on the way, the password too.",
            "Use rediss:// with TLS at the server, unless the network is yours alone.",
        )
    if not sight.target.verify:
        return Finding(
            "warning",
            "encryption",
            "The certificate of the server is not checked: anybody on the way can be it.",
            "Name the authority with ?ssl_ca_certs=/path/to/ca.pem and drop ssl_verify=none.",
        )
    return Finding("ok", "encryption", "TLS, and the certificate of the server is checked.")


def account(sight: Sight) -> Finding | None:
    """Says whether QTasks has an account of its own."""
    name = sight.target.username
    if name not in {None, "default"}:
        return Finding("ok", "account", f"User {name!r}.")
    return Finding(
        "ok",
        "account",
        "The user default, who usually may do everything.",
        "Accounts with the fewest rights are in qtasks.adapters.redis.acl.",
    )
