"""The type of ``app.events``, under the names that users know."""

from qtasks.app.events import Events, OnEvents

__all__ = ["AsyncEvents", "Events", "OnEvents", "SyncEvents"]

#: The same class: handlers of both colours work in both apps.
AsyncEvents = Events
SyncEvents = Events


def __dir__() -> list[str]:
    return __all__
