"""``QueueConfig``: plain attributes to read, checked ones to assign, and who is told of changes."""

from __future__ import annotations

import copy
import inspect
import logging
import os
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, Unpack

from qtasks._config.names import unknown_setting
from qtasks._config.settings import SETTINGS, Applies
from qtasks._config.sources import CODE, DEFAULT, Source, find_file, from_environment
from qtasks._config.values import accept, show
from qtasks.contracts.keys import Keys  # noqa: TC001 - the hints of a class are read by others
from qtasks.contracts.secrets import mask_url
from qtasks.exc import ConfigError
from qtasks.schemas import Retention

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ConfigFields", "QueueConfig"]

log = logging.getLogger("qtasks.config")

#: Attributes that are no settings.
_INTERNAL: Final = frozenset({"_bound", "_sources", "_subscribers"})


class ConfigFields(TypedDict, total=False):
    """The keyword arguments of :class:`QueueConfig`."""

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
    dead_limit: int
    max_payload: int
    max_stream: int
    commit_interval: float
    unknown_task_grace: float
    plugin_timeout: float
    signing_keys: Keys | None
    task_default_priority: int


class QueueConfig:
    """The settings of an app. Times are in seconds, sizes in bytes.

    What is not given here is read from the environment as ``QTASKS_<NAME>``, else from the table
    ``[tool.qtasks]`` of the nearest ``pyproject.toml``, else it has its default. Settings may be
    assigned later, and :meth:`subscribe` tells of that. Copies and pickles keep values and
    sources, but no subscribers.

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
        dead_limit: dead letters that each queue keeps, the newest; default 10000.
        max_payload: most bytes of encoded arguments or result; default 1048576, 1 MiB.
        max_stream: most bytes of all the values that one run yields; default 67108864, 64 MiB.
        commit_interval: seconds outcomes may wait for company; default 0.
        unknown_task_grace: seconds a task waits for a worker that knows it; default 600.
        plugin_timeout: seconds a plugin may take where it is waited for; default 30.
        signing_keys: the keys that sign messages and results; default none, and nothing is signed.
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
    dead_limit: int
    max_payload: int
    max_stream: int
    commit_interval: float
    unknown_task_grace: float
    plugin_timeout: float
    signing_keys: Keys | None
    task_default_priority: int

    def __init__(self, **values: Unpack[ConfigFields]) -> None:
        for name in values.keys() - SETTINGS.keys():
            raise ConfigError(unknown_setting(name, CODE.phrase))
        given = _given(values)
        found = {
            name: (accept(setting, *given[name]), given[name][1])
            if name in given
            else (setting.default, DEFAULT)
            for name, setting in SETTINGS.items()
        }
        self._fill(found)

    def _fill(self, found: Mapping[str, tuple[Any, Source]]) -> None:
        self._bound = False
        self._sources = {name: source for name, (_, source) in found.items()}
        self._subscribers: dict[object, Callable[[QueueConfig, str, Any], object]] = {}
        for name, (value, _) in found.items():
            object.__setattr__(self, name, value)

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

    @property
    def retention(self) -> Retention:
        """How long servers keep what ended, and how much of it."""
        return Retention(self.result_ttl, self.dead_ttl, self.dead_limit)

    def source(self, name: str) -> Source:
        """Tells where the value of a setting came from.

        Args:
            name: the setting.

        Raises:
            ConfigError: there is no such setting.
        """
        if name not in SETTINGS:
            raise ConfigError(unknown_setting(name, CODE.phrase))
        return self._sources[name]

    def subscribe(self, callback: Callable[[QueueConfig, str, Any], object]) -> Callable[[], None]:
        """Has a function called after every change of a setting.

        Subscribers are called in order, in the thread that assigns. One that raises is logged,
        and the others are still called. Assigning the value that a setting has is no change.

        Args:
            callback: takes the settings, the name of the one that changed, and its new value.

        Returns:
            A function that ends the subscription; calling it again is harmless.

        Raises:
            ConfigError: it is no plain function.
        """
        given: object = callback
        if not callable(given) or inspect.iscoroutinefunction(given):
            msg = f"subscribe({callback!r}): give a plain function of config, key and value"
            raise ConfigError(msg)
        key = object()
        self._subscribers[key] = callback

        def unsubscribe() -> None:
            self._subscribers.pop(key, None)

        return unsubscribe

    def bind(self, *, broker_url: str | None = None, storage_url: str | None = None) -> Self:
        """Makes these the settings of one app; the URLs are those that the app was given.

        They count as given in code, and cannot be changed any more, as that would have no effect.

        Returns:
            These settings; a copy of them if they are those of an app with other URLs.
        """
        urls = {"broker_url": broker_url, "storage_url": storage_url}
        given = {name: url for name, url in urls.items() if url is not None}
        if self._bound and any(getattr(self, name) != url for name, url in given.items()):
            return copy.copy(self).bind(**urls)
        for name, url in given.items():
            object.__setattr__(self, name, url)
            self._sources[name] = CODE
        self._bound = True
        return self

    if not TYPE_CHECKING:  # checkers would take any name for an attribute

        def __setattr__(self, name: str, value: Any) -> None:
            if name in _INTERNAL:
                object.__setattr__(self, name, value)
                return
            self._assign(name, value)

        def __delattr__(self, name: str) -> None:
            msg = f"setting {name} cannot be deleted: assign another value"
            raise ConfigError(msg)

    def _assign(self, name: str, value: Any) -> None:
        if name not in SETTINGS:
            raise ConfigError(unknown_setting(name, CODE.phrase))
        setting = SETTINGS[name]
        value = accept(setting, value, CODE)
        changed = value != getattr(self, name)
        if changed and self._bound and setting.applies is Applies.NEW_APP:
            msg = (
                f"setting {name} = {show(value)!r} (from code): the app was made with"
                f" {show(getattr(self, name))!r} and keeps it; give {name}= to a new app"
            )
            raise ConfigError(msg)
        object.__setattr__(self, name, value)
        self._sources[name] = CODE
        if changed:
            self._tell(name, value)

    def _tell(self, name: str, value: Any) -> None:
        for callback in list(self._subscribers.values()):
            try:
                callback(self, name, value)
            except Exception:
                log.exception("A subscriber failed to take in %s: %r", name, callback)

    def __getstate__(self) -> dict[str, tuple[Any, Source]]:
        return {name: (getattr(self, name), self._sources[name]) for name in SETTINGS}

    def __setstate__(self, state: dict[str, tuple[Any, Source]]) -> None:
        self._fill(state)

    def __repr__(self) -> str:
        """Shows every setting; a password in a URL is masked."""
        values = {name: getattr(self, name) for name in SETTINGS}
        shown = {k: mask_url(v) if isinstance(v, str) else v for k, v in values.items()}
        return f"QueueConfig({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _given(values: Mapping[str, Any]) -> dict[str, tuple[Any, Source]]:
    """Returns what was given for each setting: code before environment before file."""
    file = find_file(os.environ)
    from_file = {name: (value, file.source) for name, value in file.values.items()} if file else {}
    from_code = {name: (value, CODE) for name, value in values.items()}
    return {**from_file, **from_environment(os.environ), **from_code}
