"""What a ``redis://``, ``rediss://`` or ``unix://`` URL says."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from qtasks.exc import ConfigError

__all__ = ["Target", "parse_url"]

_SCHEMES: Final = ("redis", "rediss", "unix")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_PREFIX: Final = re.compile(r"[\w.\-/@+]{1,100}")
_VERIFY: Final = ("required", "none")

#: The options behind the question mark, and what they are.
_OPTIONS: Final = {
    "db": "the number of the database",
    "prefix": "what all keys begin with",
    "sentinel": "the name of the master that the Sentinels at the hosts watch",
    "sentinel_username": "the user at the Sentinels",
    "sentinel_password": "the password at the Sentinels",
    "ssl_ca_certs": "a file with the certificates to trust",
    "ssl_certfile": "a file with the client's certificate",
    "ssl_keyfile": "a file with the client's key",
    "ssl_verify": "'required' or 'none'",
}


class Target(msgspec.Struct, frozen=True):
    """Where the server is and how to talk to it.

    Attributes:
        hosts: host and port of the server, of the Sentinels, or of some nodes of a cluster.
        path: the server's socket, for ``unix://``.
        db: number of the database.
        username: the user, or None for the server's default.
        password: the password, or None.
        prefix: what all keys begin with.
        sentinel: name of the master that the hosts, which are Sentinels then, watch.
        sentinel_username: the user at the Sentinels.
        sentinel_password: the password at the Sentinels.
        tls: whether the connection is encrypted.
        ca_certs: file with the certificates to trust; None for the system's.
        certfile: file with the client's certificate.
        keyfile: file with the client's key.
        verify: whether the server's certificate is checked.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = None
    prefix: str = "qtasks"
    sentinel: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    tls: bool = False
    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    verify: bool = True

    @property
    def place(self) -> str:
        """Where the server is, for messages: without user and password."""
        if self.path is not None:
            return self.path
        hosts = ",".join(f"{_bracketed(host)}:{port}" for host, port in self.hosts)
        return f"{hosts} (master {self.sentinel!r})" if self.sentinel else hosts

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        loopback = {"localhost", "::1"}
        return all(host in loopback or host.startswith("127.") for host, _ in self.hosts)

    def __repr__(self) -> str:
        """Shows where it is, and nothing that is secret."""
        return f"Target({self.place!r}, db={self.db}, prefix={self.prefix!r})"


def parse_url(url: str) -> Target:
    """Reads a URL.

    ``redis://user:password@host:6379/0`` is a server or any node of a cluster, ``rediss://`` the
    same with TLS, ``unix:///path/to/socket?db=0`` a server's socket. Several hosts, with commas
    between them, are nodes of one cluster, or Sentinels if ``?sentinel=NAME`` names their master.

    Raises:
        ConfigError: a part of it cannot be used. The password is in no message.
    """
    scheme, there, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in _SCHEMES:
        shown = f"{scheme}://..." if there and _SCHEME.fullmatch(scheme) else "that"
        msg = f"{shown} is no Redis URL: write redis://localhost:6379/0"
        raise ConfigError(msg)
    main, _, query = rest.partition("?")
    try:
        return _parse(scheme, main, query)
    except ConfigError:
        if "@" not in query:
            raise
    msg = (
        "the Redis URL cannot be read: write what is special in the password, or behind the"
        " question mark, as % and two digits: ? as %3F, @ as %40, & as %26"
    )
    raise ConfigError(msg)


def _parse(scheme: str, main: str, query: str) -> Target:
    options = _options(query)
    account, address = _split(scheme, main)
    username, password = _account(account)
    target = Target(
        username=username,
        password=password,
        db=_database(options["db"]) if "db" in options else 0,
        prefix=_prefix(options.get("prefix", "qtasks")),
        sentinel=options.get("sentinel"),
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
        tls=scheme == "rediss",
        ca_certs=options.get("ssl_ca_certs"),
        certfile=options.get("ssl_certfile"),
        keyfile=options.get("ssl_keyfile"),
        verify=_verify(options.get("ssl_verify", "required")),
    )
    if scheme == "unix":
        return _at_socket(target, address)
    return _at_hosts(target, address, options, scheme)


def _split(scheme: str, main: str) -> tuple[str, str]:
    """Separates the account from the address."""
    if scheme == "unix" and main.startswith("/"):
        return "", main  # a path may hold an @
    # From the right: a password may hold an @ that somebody forgot to write as %40.
    account, _, address = main.rpartition("@")
    return account, address


def _at_socket(target: Target, address: str) -> Target:
    path = unquote(address)
    if not path.startswith("/"):
        msg = f"unix://{path} is not an absolute path: write three slashes, unix:///{path}"
        raise ConfigError(msg)
    if target.sentinel is not None:
        msg = "a unix:// URL is one server's socket; Sentinels are named by redis://host:26379"
        raise ConfigError(msg)
    return msgspec.structs.replace(target, path=path)


def _at_hosts(target: Target, address: str, options: dict[str, str], scheme: str) -> Target:
    names, slash, database = address.partition("/")
    if slash and database:
        if "db" in options:
            msg = f"the database is given twice: as /{database} and as db={options['db']}"
            raise ConfigError(msg)
        target = msgspec.structs.replace(target, db=_database(unquote(database)))
    port = _PORT if target.sentinel is None else _SENTINEL_PORT
    hosts = tuple(_host(name, port) for name in names.split(","))
    if len(hosts) > 1 and target.sentinel is None and target.db:
        msg = f"several hosts are a cluster, which has no database {target.db}: use 0"
        raise ConfigError(msg)
    if not target.tls and any(name.startswith("ssl_") for name in options):
        msg = f"ssl_ options need TLS: write rediss:// instead of {scheme}://"
        raise ConfigError(msg)
    return msgspec.structs.replace(target, hosts=hosts)


def _account(text: str) -> tuple[str | None, str | None]:
    username, colon, password = text.partition(":")
    return unquote(username) or None, unquote(password) if colon else None


def _host(text: str, default: int) -> tuple[str, int]:
    """Reads ``host``, ``host:port`` or ``[::1]:port``."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default)
    bracketed = host.startswith("[") and host.endswith("]")
    host = host.removeprefix("[").removesuffix("]") or "localhost"
    if not port.isdecimal() or (":" in host and not bracketed):
        # Nothing is shown: it may be the password of a URL without a host.
        msg = (
            "host and port of the Redis URL cannot be read: write"
            " redis://user:password@host:6379/0, or redis://[::1]:6379/0"
        )
        raise ConfigError(msg)
    if not port.isascii() or not 0 < int(port) < 65536:  # noqa: PLR2004 - TCP's range
        msg = f"port {port} of the Redis URL is not one from 1 to 65535"
        raise ConfigError(msg)
    return unquote(host), int(port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in _OPTIONS and "sentinel_password" in options:
            msg = "behind sentinel_password= stands what is no option; write & in it as %26"
            raise ConfigError(msg)
        if key not in _OPTIONS:
            known = ", ".join(_OPTIONS)
            msg = f"the Redis URL has the unknown option {key!r}; known are {known}"
            raise ConfigError(msg)
        if not value:
            msg = f"option {key} of the Redis URL is empty; it is {_OPTIONS[key]}"
            raise ConfigError(msg)
        options[key] = value
    return options


def _database(text: str) -> int:
    if not (text.isdecimal() and text.isascii()):
        msg = f"database {text!r} is not a number: write for example redis://localhost:6379/0"
        raise ConfigError(msg)
    return int(text)


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        msg = (
            f"prefix {text!r} cannot be used: letters, digits and any of _ . - / @ +,"
            " at most 100 characters"
        )
        raise ConfigError(msg)
    return text


def _verify(text: str) -> bool:
    if text not in _VERIFY:
        msg = f"ssl_verify={text!r} is unknown: it is 'required' or 'none'"
        raise ConfigError(msg)
    return text == "required"
