"""Triggers of the configuration that all processes of an app share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtasks.contracts.triggers.checks import check_config, check_config_values
from qtasks.contracts.triggers.spec import Kind, trigger

if TYPE_CHECKING:
    from collections.abc import Mapping


@trigger(Kind.NOTIFY, since="1.0")
def global_config_start(global_config: Any) -> None:
    """Fires when a client or a worker can use the shared configuration.

    Args:
        global_config: ``app.global_config``.

    Changed:
        It fires for clients too.

    Example:
        class Ready(Plugin):
            @on("global_config_start")
            def ready(self, global_config):
                print("values can be read")
    """


@trigger(Kind.NOTIFY, since="1.0")
def global_config_stop(global_config: Any) -> None:
    """Fires before a client or a worker leaves the shared configuration.

    Args:
        global_config: ``app.global_config``.

    Example:
        class Over(Plugin):
            @on("global_config_stop")
            def over(self, global_config):
                print("the last moment to read values")
    """


@trigger(Kind.NOTIFY, since="1.0", roles=("worker",))
def global_config_set_status(global_config: Any) -> None:
    """Fires when a worker has reported for the first time that it is alive.

    Args:
        global_config: ``app.global_config``.

    Changed:
        That a worker is alive is reported to the broker, beside its leases, and expires with
        them; ``app.ping()`` asks for that.

    Example:
        class Alive(Plugin):
            @on("global_config_set_status")
            def alive(self, global_config):
                print("app.ping() is True from now on")
    """


@trigger(
    Kind.FILTER,
    returns=("name_", "key", "value"),
    since="1.0",
    roles=("client",),
    check=check_config,
)
def global_config_set(global_config: Any, name_: str, key: str, value: Any) -> Any:
    """Fires before a value is stored; may change where and what.

    Args:
        global_config: ``app.global_config``.
        name_: the group; with an underscore because ``trigger(name, ...)`` has a ``name``.
        key: the key in the group.
        value: the value.

    Returns:
        What is stored instead; what an answer leaves out stays as it was.

    Changed:
        The group is ``name_`` in answers too, where it was ``name``.

    Example:
        class Lower(Plugin):
            @on("global_config_set")
            def lower(self, key):
                return {"key": key.lower()}
    """


@trigger(Kind.FILTER, returns=("get",), since="1.0", roles=("client",))
def global_config_get(global_config: Any, get: Any) -> Any:
    """Fires when a value was read; may replace it.

    Args:
        global_config: ``app.global_config``.
        get: the value, or the default if there is none.

    Returns:
        The value that the caller gets.

    Example:
        class Masked(Plugin):
            @on("global_config_get")
            def mask(self, get):
                return "***" if str(get).startswith("secret:") else None
    """


@trigger(Kind.FILTER, returns=("get",), since="1.0", roles=("client",), check=check_config_values)
def global_config_get_all(global_config: Any, get: Mapping[str, Any]) -> Any:
    """Fires when the values of a group were read; may replace them.

    Args:
        global_config: ``app.global_config``.
        get: the values by key.

    Returns:
        The values that the caller gets.

    Example:
        class Defaults(Plugin):
            @on("global_config_get_all")
            def complete(self, get):
                return {"get": {"colour": "blue", **get}}
    """


@trigger(Kind.FILTER, returns=("get",), since="1.0", roles=("client",), check=check_config_values)
def global_config_get_match(global_config: Any, get: Mapping[str, Any]) -> Any:
    """Fires when values were read by a pattern; may replace them.

    Args:
        global_config: ``app.global_config``.
        get: the values by group and key, as in ``"mail:host"``.

    Returns:
        The values that the caller gets.

    Example:
        class Sorted(Plugin):
            @on("global_config_get_match")
            def sort(self, get):
                return {"get": dict(sorted(get.items()))}
    """
