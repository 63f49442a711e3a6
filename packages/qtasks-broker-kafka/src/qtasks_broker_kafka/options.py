"""What a ``kafka://`` or ``kafkas://`` URL says."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any, Final, cast, get_args
from urllib.parse import parse_qsl, unquote

import msgspec
from aiokafka import codec

from qtasks.exc import ConfigError
from qtasks_broker_kafka.lanes import Order

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Options", "parse_url"]

_SCHEMES: Final = ("kafka", "kafkas")
_PORT: Final = 9092
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_COMPRESSIONS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
_MS: Final = 1000
_HOUR: Final = 3600.0
#: Bytes of the largest message: twice as many must be a number of 32 bits.
_LARGEST: Final = 1_000_000_000


class Options(msgspec.Struct, frozen=True):
    """Where the servers are, and how to use them. Times are seconds.

    Attributes:
        hosts: host and port of some of the servers.
        tls: whether connections are encrypted.
        username: the user, or None for no authentication.
        password: the password.
        mechanism: how the user is authenticated.
        prefix: what the names of all topics begin with.
        group: the consumer group of the workers.
        create: whether topics that are missing are created.
        partitions: how many partitions a created topic has.
        replication: on how many servers each of them is; 0 for three, or as many as there are.
        min_insync: how many of those must have a task before it is acknowledged; 0 for all but
            one, and at least one.
        retention: how long a created topic keeps a task.
        max_message: bytes of the largest message of a created topic.
        order: how the tasks of a queue are ordered.
        orders: likewise, for single queues.
        idempotence: ``auto``, ``on`` or ``off``: whether the server sorts out repeated sends.
        compression: how batches are compressed.
        client_id: how this client calls itself.
        instance: name of this worker for static membership, or None.
        session_timeout: after this time without a sign of life a worker's partitions go to others.
        rebalance_timeout: how long workers may take to come back when partitions are dealt anew.
        commit_interval: how often what is done is committed.
        span: how many records behind the first unfinished one are fetched at the most.
        timeout: how long a request may take.
        ca: file with the certificates to trust; None for the system's.
        cert: file with the client's certificate.
        cert_key: file with the client's key.
        verify: whether the server's certificate is checked.
    """

    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    username: str | None = None
    password: str | None = None
    mechanism: str = "PLAIN"
    prefix: str = "qtasks."
    group: str = "qtasks"
    create: bool = True
    partitions: int = 12
    replication: int = 0
    min_insync: int = 0
    retention: float = 14 * 86400.0
    max_message: int = 2 * 1024 * 1024
    order: Order = "unordered"
    orders: dict[str, Order] = msgspec.field(default_factory=dict)
    idempotence: str = "auto"
    compression: str = "none"
    client_id: str = "qtasks"
    instance: str | None = None
    session_timeout: float = 6.0
    rebalance_timeout: float = 30.0
    commit_interval: float = 0.2
    span: int = 1_000_000
    timeout: float = 10.0
    ca: str | None = None
    cert: str | None = None
    cert_key: str | None = None
    verify: bool = True

    @property
    def place(self) -> str:
        """Where the servers are, for messages: without user and password."""
        return ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts
        )

    def order_of(self, queue: str) -> Order:
        """Returns how the tasks of a queue are ordered."""
        return self.orders.get(queue, self.order)

    def __repr__(self) -> str:
        """Shows where they are, and nothing that is secret."""
        return f"Options({self.place!r}, prefix={self.prefix!r})"

    def connection(self, at_least: float = 0.0) -> dict[str, Any]:
        """Returns what every client of the driver is told.

        Args:
            at_least: seconds that a request must be allowed to take.

        Raises:
            ConfigError: a certificate cannot be read.
        """
        protocol = ("SASL_" if self.username is not None else "") + (
            "SSL" if self.tls else "PLAINTEXT"
        )
        return {
            "bootstrap_servers": self.place.split(","),
            "client_id": self.client_id,
            "request_timeout_ms": int(max(self.timeout, at_least) * _MS),
            "security_protocol": protocol,
            "ssl_context": self._ssl_context() if self.tls else None,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.cert_key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(repr(file) for file in (self.ca, self.cert, self.cert_key) if file)
            msg = f"Kafka: a certificate cannot be read from {files}: {error}"
            raise ConfigError(msg) from None
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def parse_url(url: str) -> Options:
    """Reads a URL.

    ``kafka://user:password@host:9092,other:9092/prefix.?partitions=24``; ``kafkas://`` is the same
    with TLS.

    Raises:
        ConfigError: a part of it cannot be used. The password is in no message.
    """
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in _SCHEMES or not rest:
        msg = "that is no Kafka URL: write kafka://localhost:9092"
        raise ConfigError(msg)
    main, _, query = rest.partition("?")
    try:
        return _parse(main, query, tls=scheme.lower() == "kafkas")
    except ConfigError:
        if "@" not in query:
            raise
    # The question mark may be one of the password, and then the error shows parts of that.
    msg = (
        "the Kafka URL cannot be read: write what is special in the password, or behind the"
        " question mark, as % and two digits: ? as %3F, @ as %40, & as %26"
    )
    raise ConfigError(msg)


def _parse(main: str, query: str, *, tls: bool) -> Options:
    userinfo, at, address = main.rpartition("@")
    hosts, _, path = address.partition("/")
    fields: dict[str, Any] = {
        "hosts": tuple(_host(host) for host in hosts.split(",")),
        "tls": tls,
    }
    if at:
        username, _, password = userinfo.partition(":")
        fields |= {"username": unquote(username), "password": unquote(password)}
    if path:
        fields["prefix"] = fields["group"] = _name("the prefix behind the host", unquote(path))
    fields |= _from_query(query)
    return _checked(Options(**fields))


def _host(text: str) -> tuple[str, int]:
    name, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        name, port = text, str(_PORT)
    name = name.removeprefix("[").removesuffix("]")
    if not name or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004 - a port
        msg = f"Kafka: {text!r} is no server: write host:9092, with commas between several"
        raise ConfigError(msg)
    return name, int(port)


def _name(what: str, value: str) -> str:
    if not _NAME.fullmatch(value):
        msg = f"Kafka: {what} is {value!r}: use up to 100 letters, digits, dots, - and _"
        raise ConfigError(msg)
    return value


def _number(least: float, most: float, kind: type = float) -> Callable[[str, str], Any]:
    def read(name: str, value: str) -> Any:
        try:
            number = kind(value)
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            what = "a whole number" if kind is int else "a number"
            limits = f"of at least {least:g}, and at most {most:.10g}"
            msg = f"Kafka: {name}={value!r}: it is {what} {limits}"
            raise ConfigError(msg)
        return number

    return read


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        for choice in choices:
            if value.lower() == choice.lower():
                return choice
        msg = f"Kafka: {name}={value!r}: it is one of {', '.join(choices)}"
        raise ConfigError(msg)

    return read


def _compression(name: str, value: str) -> str:
    """Reads a way to compress, if what it needs is installed."""
    chosen = _one_of(*_COMPRESSIONS)(name, value)
    if chosen != "none" and not getattr(codec, f"has_{chosen}")():
        msg = (
            f"Kafka: {name}={value!r} needs a library."
            " Install it: pip install 'qtasks-broker-kafka[compression]'"
        )
        raise ConfigError(msg)
    return chosen


def _flag(name: str, value: str) -> bool:
    return _one_of("true", "false")(name, value) == "true"


def _text(name: str, value: str) -> str:
    if not value:
        msg = f"Kafka: {name}= is empty: give it a value, or leave it out"
        raise ConfigError(msg)
    return value


_order: Final = _one_of(*get_args(Order))
_READERS: Final[dict[str, Callable[[str, str], Any]]] = {
    "ca": _text,
    "cert": _text,
    "cert_key": _text,
    "client_id": _name,
    "commit_interval": _number(0.01, _HOUR),
    "compression": _compression,
    "create": _flag,
    "group": _name,
    "idempotence": _one_of("auto", "on", "off"),
    "instance": _name,
    "max_message": _number(1024, _LARGEST, int),
    "mechanism": _one_of(*_MECHANISMS),
    "min_insync": _number(1, 100, int),
    "order": _order,
    "partitions": _number(1, 10_000, int),
    "rebalance_timeout": _number(1, _HOUR),
    "replication": _number(1, 100, int),
    "retention": _number(60, 100 * 366 * 86_400),
    "session_timeout": _number(1, _HOUR),
    "span": _number(1, 1_000_000_000, int),
    "timeout": _number(0.1, _HOUR),
    "verify": _flag,
}


def _from_query(query: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    orders: dict[str, Order] = {}
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in given:
            msg = (
                f"Kafka: the URL has {name}={given[name]!r} and {name}={value!r}: keep one of them"
            )
            raise ConfigError(msg)
        given[name] = value
        if name == "order.":
            msg = (
                f"Kafka: {name}={value!r}: name a queue behind the dot, such as order.mails={value}"
            )
            raise ConfigError(msg)
        if name.startswith("order."):
            orders[name.removeprefix("order.")] = cast("Order", _order(name, value))
        elif name in _READERS:
            fields[name] = _READERS[name](name, value)
        else:
            known = ", ".join([*sorted(_READERS), "order.QUEUE"])
            msg = f"Kafka: the URL has an option {name!r} that nobody knows; there are {known}"
            raise ConfigError(msg)
    return {**fields, "orders": orders}


def _checked(options: Options) -> Options:
    files = {"ca": options.ca, "cert": options.cert, "cert_key": options.cert_key}
    for name, value in files.items():
        if value is not None and not options.tls:
            msg = f"Kafka: {name}={value!r} is for connections with TLS: write kafkas://"
            raise ConfigError(msg)
    if options.cert_key and not options.cert:
        msg = f"Kafka: cert_key={options.cert_key!r} needs the certificate too: add cert="
        raise ConfigError(msg)
    if 0 < options.replication < options.min_insync:
        msg = (
            f"Kafka: min_insync={options.min_insync} of replication={options.replication} copies"
            " can never be written: use a smaller number"
        )
        raise ConfigError(msg)
    return options
