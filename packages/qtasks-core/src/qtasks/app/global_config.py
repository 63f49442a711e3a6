"""``app.global_config``: values that all processes of an app share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qtasks.app.awaitable_upkeep import AwaitableUpkeep
    from qtasks.app.blocking_upkeep import BlockingUpkeep

__all__ = ["AsyncGlobalConfig", "GlobalConfig"]


class GlobalConfig:
    """Shared values for synchronous code, kept in the app's storage until they are removed.

    A value has a group and a key. It may be whatever may be an argument of a task.

    Args:
        app: the app.
    """

    def __init__(self, app: BlockingUpkeep) -> None:
        self._app = app

    def set(self, name: str, key: str, value: Any) -> None:
        """Stores a value, in the place of one that is there.

        Args:
            name: the group: letters, digits and any of ``_ . - / @ +``.
            key: the key in the group.
            value: the value.

        Raises:
            RegistrationError: the name of the group cannot be one.
            ConfigError: the key is no text.
            EncodeError: the value cannot be encoded.
            PayloadTooLargeError: it is larger than ``max_payload``.
        """
        self._app._run(lambda client: client.global_config.set(name, key, value))  # noqa: SLF001 - one concept in two modules

    def get(self, name: str, key: str, default: Any = None) -> Any:
        """Returns a value.

        Args:
            name: the group.
            key: the key in the group.
            default: what to return if there is none.
        """
        return self._app._run(lambda client: client.global_config.get(name, key, default))  # noqa: SLF001 - as above

    def get_all(self, name: str) -> dict[str, Any]:
        """Returns the values of a group by key.

        Args:
            name: the group.
        """
        return self._app._run(lambda client: client.global_config.get_all(name))  # noqa: SLF001 - as above

    def get_match(self, match: str) -> dict[str, Any]:
        """Returns the values whose group and key fit a pattern, by ``group:key``.

        Args:
            match: a pattern as of a shell, such as ``mail:*`` or ``*:limit``.
        """
        return self._app._run(lambda client: client.global_config.get_match(match))  # noqa: SLF001 - as above

    def delete(self, name: str, key: str) -> None:
        """Removes a value; harmless if there is none.

        Args:
            name: the group.
            key: the key in the group.
        """
        self._app._run(lambda client: client.global_config.delete(name, key))  # noqa: SLF001 - as above


class AsyncGlobalConfig:
    """Shared values for asynchronous code, kept in the app's storage until they are removed.

    A value has a group and a key. It may be whatever may be an argument of a task.

    Args:
        app: the app.
    """

    def __init__(self, app: AwaitableUpkeep) -> None:
        self._app = app

    async def set(self, name: str, key: str, value: Any) -> None:
        """Stores a value, in the place of one that is there.

        Args:
            name: the group: letters, digits and any of ``_ . - / @ +``.
            key: the key in the group.
            value: the value.

        Raises:
            RegistrationError: the name of the group cannot be one.
            ConfigError: the key is no text.
            EncodeError: the value cannot be encoded.
            PayloadTooLargeError: it is larger than ``max_payload``.
        """
        await self._app._run(lambda client: client.global_config.set(name, key, value))  # noqa: SLF001 - one concept in two modules

    async def get(self, name: str, key: str, default: Any = None) -> Any:
        """Returns a value.

        Args:
            name: the group.
            key: the key in the group.
            default: what to return if there is none.
        """
        return await self._app._run(lambda client: client.global_config.get(name, key, default))  # noqa: SLF001 - as above

    async def get_all(self, name: str) -> dict[str, Any]:
        """Returns the values of a group by key.

        Args:
            name: the group.
        """
        return await self._app._run(lambda client: client.global_config.get_all(name))  # noqa: SLF001 - as above

    async def get_match(self, match: str) -> dict[str, Any]:
        """Returns the values whose group and key fit a pattern, by ``group:key``.

        Args:
            match: a pattern as of a shell, such as ``mail:*`` or ``*:limit``.
        """
        return await self._app._run(lambda client: client.global_config.get_match(match))  # noqa: SLF001 - as above

    async def delete(self, name: str, key: str) -> None:
        """Removes a value; harmless if there is none.

        Args:
            name: the group.
            key: the key in the group.
        """
        await self._app._run(lambda client: client.global_config.delete(name, key))  # noqa: SLF001 - as above
