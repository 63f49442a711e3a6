"""Settings: what was given in code wins over the environment, that over the defaults."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, Unpack, get_type_hints

import msgspec

from qtasks._core.names import check_queues
from qtasks.contracts.secrets import mask_url
from qtasks.exc import ConfigError, RegistrationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PREFIX", "ConfigFields", "QueueConfig"]

#: What the names of environment variables start with.
PREFIX = "QTASKS_"

_Seconds = Annotated[float, msgspec.Meta(gt=0)]
_SecondsOrZero = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]
_CountOrZero = Annotated[int, msgspec.Meta(ge=0)]


class ConfigFields(TypedDict, total=False):
    """The keyword arguments of :class:`QueueConfig`."""

    broker_url: str
    storage_url: str | None
    queues: tuple[str, ...]
    worker_processes: _Count
    max_tasks_process: _Count
    max_threads: _Count | None
    max_processes: _Count | None
    prefetch: _CountOrZero | None
    max_tasks_per_child: _Count | None
    max_memory_per_child: _Count | None
    uvloop: bool
    lease: _Seconds
    shutdown_timeout: _SecondsOrZero
    result_ttl: _SecondsOrZero
    dead_ttl: _Seconds
    max_payload: _Count
    commit_interval: _SecondsOrZero
    unknown_task_grace: _SecondsOrZero
    task_default_priority: Annotated[int, msgspec.Meta(ge=-128, le=127)]


_DEFAULTS: ConfigFields = {
    "broker_url": "sqlite:///qtasks.db",
    "storage_url": None,
    "queues": ("default",),
    "worker_processes": 1,
    "max_tasks_process": 100,
    "max_threads": None,
    "max_processes": None,
    "prefetch": None,
    "max_tasks_per_child": None,
    "max_memory_per_child": None,
    "uvloop": True,
    "lease": 15.0,
    "shutdown_timeout": 30.0,
    "result_ttl": 86400.0,
    "dead_ttl": 1209600.0,
    "max_payload": 1048576,
    "commit_interval": 0.0,
    "unknown_task_grace": 600.0,
    "task_default_priority": 0,
}
#: What to write instead, where the type's own message does not say it.
_HINTS = {"queues": "; write for example queues=('default',)"}
_TYPES = get_type_hints(ConfigFields, include_extras=True)


class QueueConfig:
    """The settings of an app. Times are in seconds, sizes in bytes.

    Each is also read from the environment as ``QTASKS_<NAME>``, lists with commas.

    Attributes:
        broker_url: where messages go; default ``sqlite:///qtasks.db``.
        storage_url: where records go, if not to the broker's server.
        queues: the queues a worker takes from; default ``("default",)``.
        worker_processes: processes that ``run`` starts, each a worker; default 1.
        max_tasks_process: tasks a worker process runs at once; default 100.
        max_threads: threads for plain functions; default as many.
        max_processes: processes for ``pool="process"``; default one for each CPU.
        prefetch: deliveries held ready beyond the running ones; default as many.
        max_tasks_per_child: tasks after which a worker process is replaced; default never.
        max_memory_per_child: bytes of memory after which it is replaced; default never.
        uvloop: use uvloop where it is installed; default True.
        lease: seconds until an unrenewed delivery is taken back; default 15.
        shutdown_timeout: seconds running tasks get when the worker stops; default 30.
        result_ttl: seconds results are kept; default 86400, a day.
        dead_ttl: seconds dead letters are kept; default 1209600, two weeks.
        max_payload: most bytes of encoded arguments or result; default 1048576, 1 MiB.
        commit_interval: seconds outcomes may wait for company; default 0.
        unknown_task_grace: seconds a task waits for a worker that knows it; default 600.
        task_default_priority: priority of tasks that name none; default 0.

    Raises:
        ConfigError: a name is unknown or a value cannot be used.
    """

    broker_url: str
    storage_url: str | None
    queues: tuple[str, ...]
    worker_processes: int
    max_tasks_process: int
    max_threads: int | None
    max_processes: int | None
    prefetch: int | None
    max_tasks_per_child: int | None
    max_memory_per_child: int | None
    uvloop: bool
    lease: float
    shutdown_timeout: float
    result_ttl: float
    dead_ttl: float
    max_payload: int
    commit_interval: float
    unknown_task_grace: float
    task_default_priority: int

    def __init__(self, **values: Unpack[ConfigFields]) -> None:
        self._refuse_unknown(values)
        for name, default in _DEFAULTS.items():
            variable = PREFIX + name.upper()
            if name in values:
                value = _checked(name, values[name], "code", strict=True)  # type: ignore[literal-required]  # the loop is over its keys
            elif variable in os.environ:
                value = _checked(name, _split(name, os.environ[variable]), variable, strict=False)
            else:
                value = default
            setattr(self, name, value)

    @property
    def threads(self) -> int:
        """``max_threads``, resolved."""
        return self.max_threads or self.max_tasks_process

    @property
    def processes(self) -> int:
        """``max_processes``, resolved."""
        return self.max_processes or os.cpu_count() or 1

    @property
    def prefetched(self) -> int:
        """``prefetch``, resolved."""
        return self.max_tasks_process if self.prefetch is None else self.prefetch

    def __repr__(self) -> str:
        """Shows every setting; a password in a URL is masked."""
        shown = {name: getattr(self, name) for name in _DEFAULTS}
        for name in ("broker_url", "storage_url"):
            shown[name] = mask_url(shown[name]) if shown[name] else shown[name]
        return f"QueueConfig({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @staticmethod
    def _refuse_unknown(values: Mapping[str, Any]) -> None:
        for name in values.keys() - _DEFAULTS.keys():
            msg = f"unknown setting {name!r}; known are {', '.join(_DEFAULTS)}"
            raise ConfigError(msg)


def _split(name: str, text: str) -> Any:
    return tuple(filter(None, map(str.strip, text.split(",")))) if name == "queues" else text


def _checked(name: str, value: Any, source: str, *, strict: bool) -> Any:
    if name == "queues" and isinstance(value, list):
        value = tuple(value)
    try:
        converted = msgspec.convert(value, _TYPES[name], strict=strict)
        if name == "queues":
            return check_queues(converted)
    except (msgspec.ValidationError, RegistrationError) as error:
        msg = f"setting {name} = {value!r} (from {source}): {error}{_HINTS.get(name, '')}"
        raise ConfigError(msg) from None
    if isinstance(converted, float) and not math.isfinite(converted):
        msg = f"setting {name} = {value!r} (from {source}): use a finite number"
        raise ConfigError(msg)
    return converted
