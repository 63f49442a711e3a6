"""The configuration that all processes of an app share: values by group and key, in the storage.

All groups are one bucket of the storage's state, so that a pattern can look through them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from qtasks._triggers import emit
from qtasks.contracts.codec import decode, encode
from qtasks.contracts.names import check_name
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from qtasks._config import QueueConfig
    from qtasks._core.connection import Connection
    from qtasks._triggers.registry import TriggerRegistry

__all__ = ["SharedConfig"]

#: The bucket; a colon keeps it apart from buckets that are named after a class.
_BUCKET: Final = "qtasks:global_config"
_SEPARATOR: Final = ":"


class SharedConfig:
    """Reads and writes shared values for one client.

    Args:
        owner: the app, as plugins see it.
        connection: the broker and its storage.
        registry: the plugins.
        config: the settings.
        start: connects the client.
    """

    def __init__(
        self,
        owner: Any,
        connection: Connection,
        registry: TriggerRegistry,
        config: QueueConfig,
        start: Callable[[], Awaitable[None]],
    ) -> None:
        self._owner = owner
        self._storage = connection.storage
        self._registry = registry
        self._config = config
        self._start = start

    async def set(self, name: str, key: str, value: Any) -> None:
        """Stores a value; see the façade."""
        await self._start()
        if subscribers := self._registry.table.global_config_set:
            values = {**self._about(), "name_": name, "key": key, "value": value}
            values = await emit.replace("global_config_set", subscribers, values)
            name, key, value = values["name_"], values["key"], values["value"]
        place = _place(name, key)
        data = encode(value, f"the shared value {place!r}", self._config.max_payload)
        await self._storage.state_update(_BUCKET, {place: data})

    async def get(self, name: str, key: str, default: Any) -> Any:
        """Returns a value; see the façade."""
        await self._start()
        place = _place(name, key)
        data = (await self._storage.state_get(_BUCKET)).get(place)
        value = default if data is None else decode(data)
        if subscribers := self._registry.table.global_config_get:
            values = {**self._about(), "get": value}
            value = (await emit.replace("global_config_get", subscribers, values))["get"]
        return value

    async def get_all(self, name: str) -> dict[str, Any]:
        """Returns the values of a group; see the façade."""
        await self._start()
        prefix = _place(name, "")
        found = await self._storage.state_get(_BUCKET)
        values = {
            place.removeprefix(prefix): decode(data)
            for place, data in found.items()
            if place.startswith(prefix)
        }
        if subscribers := self._registry.table.global_config_get_all:
            asked = {**self._about(), "get": values}
            values = dict((await emit.replace("global_config_get_all", subscribers, asked))["get"])
        return values

    async def get_match(self, match: str) -> dict[str, Any]:
        """Returns the values that a pattern fits; see the façade."""
        await self._start()
        found = await self._storage.state_get(_BUCKET)
        values = {place: decode(data) for place, data in found.items() if fnmatchcase(place, match)}
        if subscribers := self._registry.table.global_config_get_match:
            asked = {**self._about(), "get": values}
            answered = await emit.replace("global_config_get_match", subscribers, asked)
            values = dict(answered["get"])
        return values

    async def delete(self, name: str, key: str) -> None:
        """Removes a value; see the façade."""
        await self._start()
        await self._storage.state_update(_BUCKET, {_place(name, key): None})

    def _about(self) -> Mapping[str, Any]:
        return {"global_config": self._owner.global_config}


def _place(name: Any, key: Any) -> str:
    """Returns the field of the bucket; groups are names, so the first colon ends them."""
    check_name("group", name)
    if not isinstance(key, str):
        msg = f"key={key!r}: the key of a shared value is text"
        raise ConfigError(msg)
    return f"{name}{_SEPARATOR}{key}"
