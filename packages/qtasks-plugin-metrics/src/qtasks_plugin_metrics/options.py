"""What can be set, in code, environment, settings file and on the command line."""

from __future__ import annotations

import math
import os
from typing import Any, Final, Literal

import msgspec
from prometheus_client import CollectorRegistry

from qtasks.exc import ConfigError

__all__ = ["Options", "check_given"]

_LAST_PORT: Final = 65535
#: Fewer series than this hold not even the metrics of one task.
_FEWEST_SERIES: Final = 100
#: Options whose values are not shown; an address may have a password in it.
_SECRET: Final = frozenset({"token", "push_gateway"})


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin for metrics serves, and where.

    Attributes:
        port: where ``/metrics`` is served; 0 takes a free one and prints it; None serves nothing.
        host: the address to listen on; by default only this machine gets an answer.
        token: what ``/metrics`` asks for as ``Authorization: Bearer ...``; empty for nothing.
        certificate: file of a TLS certificate with its chain; empty for plain HTTP.
        key: file of the certificate's key; empty if that is in the same file.
        mode: ``own`` serves what this process and its children measure; ``multiproc`` is for
            programs that add tasks from several processes, such as gunicorn.
        stale_after: seconds after which a worker that does not move counts as stuck.
        max_series: how many series there may be; what comes later is dropped and counted.
        exemplars: whether durations carry the id of the trace they are from; None if Sentry or
            OpenTelemetry is imported when the first task is declared.
        run_buckets: upper bounds in seconds of ``task_duration_seconds``; empty for the default.
        push_gateway: address of a Prometheus push gateway, which gets the metrics of a worker
            that ends; for ``--burst`` and cron jobs.
        push_job: the job it stands under there.

    Raises:
        ValueError: a value is not allowed; the message says which, and what is.
    """

    port: int | None = None
    host: str = "127.0.0.1"
    token: str = ""
    certificate: str = ""
    key: str = ""
    mode: Literal["own", "multiproc"] = "own"
    stale_after: float = 30.0
    max_series: int = 5000
    exemplars: bool | None = None
    run_buckets: tuple[float, ...] = ()
    push_gateway: str = ""
    push_job: str = "qtasks"

    def __post_init__(self) -> None:
        self._check_types()
        if self.port is not None and not 0 <= self.port <= _LAST_PORT:
            _refuse("port", self.port, f"0 to {_LAST_PORT}, or None")
        if not self.host:
            _refuse("host", self.host, "an address, such as '127.0.0.1', or '0.0.0.0' for all")
        if not 0 < self.stale_after < math.inf:
            _refuse("stale_after", self.stale_after, "seconds above 0")
        _check_token(self.token)
        if self.max_series < _FEWEST_SERIES:
            _refuse("max_series", self.max_series, f"at least {_FEWEST_SERIES}")
        if self.key and not self.certificate:
            _refuse("certificate", "", "the certificate that key= belongs to")
        for name in ("certificate", "key"):
            path = getattr(self, name)
            # Path.is_file() would raise in a folder that may not be searched.
            if path and not (os.path.isfile(path) and os.access(path, os.R_OK)):  # noqa: PTH113 - see above
                _refuse(name, path, "the path of a file that exists and may be read")
        if self.push_gateway and not self.push_job:
            _refuse("push_job", self.push_job, "a word")
        _check_gateway(self.push_gateway)
        _check_buckets(self.run_buckets)

    def __repr__(self) -> str:
        """Shows every option; secrets are masked."""
        values = msgspec.structs.asdict(self)
        shown = [f"{k}={'***' if v and k in _SECRET else repr(v)}" for k, v in values.items()]
        return f"Options({', '.join(shown)})"

    def _check_types(self) -> None:
        """Checks the types of what code gives; bounds become a tuple of floats."""
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            try:
                typed = msgspec.convert(value, field.type)
            except msgspec.ValidationError as error:
                shown = "***" if field.name in _SECRET else repr(value)
                msg = f"{field.name}={shown}: {error}"
                raise ValueError(msg) from None
            if isinstance(typed, tuple):
                msgspec.structs.force_setattr(self, field.name, typed)


def check_given(options: object, registry: object) -> None:
    """Checks what code gives to a plugin.

    Args:
        options: its options, or None.
        registry: where it registers its metrics, or None.

    Raises:
        ConfigError: it is something else; options are not shown, for there may be secrets in them.
    """
    if not isinstance(options, Options | None):
        msg = f"options is a {type(options).__name__}: give MetricsPlugin.Options(port=9400)"
        raise ConfigError(msg)
    if not isinstance(registry, CollectorRegistry | None):
        msg = f"registry={registry!r}: give a prometheus_client.CollectorRegistry"
        raise ConfigError(msg)
    if registry is not None and options is not None and options.mode == "multiproc":
        msg = "registry= would stay empty in mode='multiproc': serve MetricsPlugin.registry"
        raise ConfigError(msg)


def _check_gateway(address: str) -> None:
    if "@" in address.partition("?")[0]:
        _refuse("push_gateway", "***", "an address without user and password")
    if any(sign.isspace() for sign in address):
        _refuse("push_gateway", address, "an address, such as '127.0.0.1:9091'")


def _check_token(token: str) -> None:
    if not (token.isascii() and (token.isprintable() or not token)):
        _refuse("token", "***", "printable ASCII, as headers carry it")
    if token.strip() != token:
        _refuse("token", "***", "no blanks at its ends")


def _check_buckets(bounds: tuple[float, ...]) -> None:
    if not all(0 < bound < math.inf for bound in bounds):
        _refuse("run_buckets", bounds, "seconds above 0")
    if list(bounds) != sorted(set(bounds)):
        _refuse("run_buckets", bounds, "rising numbers, each once")


def _refuse(name: str, value: Any, use: str) -> None:
    msg = f"{name}={value!r}: use {use}"
    raise ValueError(msg)
