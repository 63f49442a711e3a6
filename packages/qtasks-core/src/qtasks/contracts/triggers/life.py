"""Triggers of plugins themselves."""

from __future__ import annotations

from qtasks.contracts.triggers.spec import Kind, trigger


@trigger(Kind.NOTIFY, since="1.0")
def plugin_error(plugin: str, trigger: str, e: BaseException, uuid: str | None) -> None:
    """Fires when a plugin failed; it does not fire for what fails while it is fired.

    Args:
        plugin: the name of the plugin that failed.
        trigger: the trigger in which it failed; ``start`` or ``stop`` if it was one of these.
        e: what it raised, or what stands for a nonsensical answer or a time that ran out.
        uuid: the id of the task it was about, or None.
    """
