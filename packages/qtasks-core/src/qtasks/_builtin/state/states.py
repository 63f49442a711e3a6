"""The classes that users derive from: one interface, awaited or blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks._builtin.state.declared import BaseState
from qtasks.exc import RegistrationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtasks._builtin.state.bucket import Bucket

__all__ = ["AsyncState", "State", "StateKey", "SyncState"]


class StateKey:
    """Gives each value of a task's arguments a state of its own.

    ::

        async def step1(user_id: int, state: Annotated[MyState, StateKey("user_id")]): ...

    Args:
        *parameters: the names of the task's parameters whose values say which state it is.

    Raises:
        RegistrationError: there is none, or one is no text.
    """

    def __init__(self, *parameters: str) -> None:
        if not parameters or not all(isinstance(each, str) for each in parameters):
            shown = ", ".join(map(repr, parameters))
            msg = f"StateKey({shown}): give the names of parameters, such as StateKey('user_id')"
            raise RegistrationError(msg)
        self.parameters = parameters

    def __repr__(self) -> str:
        """Shows how it is written."""
        return f"StateKey({', '.join(map(repr, self.parameters))})"


class AsyncState(BaseState):
    """State whose methods are awaited, for coroutine functions.

    Args:
        bucket: its place in the storage; plugins make it.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def get(self, key: str | None = None, default: Any = None) -> Any:
        """Returns a value; without a key the whole state.

        Args:
            key: its key.
            default: what is returned if there is none; without it that is the default of the
                declared field, or None.

        Raises:
            TypeError: the class declares fields, and no such one.
        """
        if key is None:
            return await self._bucket.get_all()
        return await self._bucket.get(key, default)

    async def get_all(self) -> dict[str, Any]:
        """Returns the whole state, in the order in which its keys were first set."""
        return await self._bucket.get_all()

    async def set(self, key: str, value: Any) -> None:
        """Sets a value.

        Raises:
            TypeError: the class declares no such field, or another type.
            EncodeError: the value cannot be kept.
        """
        await self._bucket.set(key, value)

    async def update(
        self, values: Mapping[str, Any] | None = None, /, **more: Any
    ) -> dict[str, Any]:
        """Sets several values at once, all or none, and returns the whole state.

        Raises:
            TypeError: as :meth:`set`.
            EncodeError: likewise.
        """
        return await self._bucket.update({**(values or {}), **more})

    async def delete(self, key: str) -> None:
        """Removes a value; one that is not there does no harm."""
        await self._bucket.delete(key)

    async def clear(self) -> None:
        """Removes everything."""
        await self._bucket.clear()


class SyncState(BaseState):
    """State whose methods block, for plain functions.

    Args:
        bucket: its place in the storage; plugins make it.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def get(self, key: str | None = None, default: Any = None) -> Any:
        """Returns a value; without a key the whole state, see :meth:`AsyncState.get`."""
        if key is None:
            return self.get_all()
        return self._bucket.wait(self._bucket.get(key, default))

    def get_all(self) -> dict[str, Any]:
        """Returns the whole state, in the order in which its keys were first set."""
        return self._bucket.wait(self._bucket.get_all())

    def set(self, key: str, value: Any) -> None:
        """Sets a value.

        Raises:
            TypeError: the class declares no such field, or another type.
            EncodeError: the value cannot be kept.
        """
        self._bucket.wait(self._bucket.set(key, value))

    def update(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> dict[str, Any]:
        """Sets several values at once, all or none, and returns the whole state.

        Raises:
            TypeError: as :meth:`set`.
            EncodeError: likewise.
        """
        return self._bucket.wait(self._bucket.update({**(values or {}), **more}))

    def delete(self, key: str) -> None:
        """Removes a value; one that is not there does no harm."""
        self._bucket.wait(self._bucket.delete(key))

    def clear(self) -> None:
        """Removes everything."""
        self._bucket.wait(self._bucket.clear())


class State(BaseState):
    """State in the colour of the function: awaited in coroutine functions, blocking elsewhere.

    Args:
        bucket: its place in the storage; plugins make it.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def get(self, key: str | None = None, default: Any = None) -> Any:
        """Returns a value; without a key the whole state, see :meth:`AsyncState.get`."""
        if key is None:
            return self.get_all()
        return self._bucket.answer(self._bucket.get(key, default))

    def get_all(self) -> Any:
        """Returns the whole state, in the order in which its keys were first set."""
        return self._bucket.answer(self._bucket.get_all())

    def set(self, key: str, value: Any) -> Any:
        """Sets a value, see :meth:`AsyncState.set`."""
        return self._bucket.answer(self._bucket.set(key, value))

    def update(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Any:
        """Sets several values at once and returns the whole state."""
        return self._bucket.answer(self._bucket.update({**(values or {}), **more}))

    def delete(self, key: str) -> Any:
        """Removes a value; one that is not there does no harm."""
        return self._bucket.answer(self._bucket.delete(key))

    def clear(self) -> Any:
        """Removes everything."""
        return self._bucket.answer(self._bucket.clear())
