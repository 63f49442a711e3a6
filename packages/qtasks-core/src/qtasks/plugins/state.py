"""State of the steps of one process, and how it is told apart."""

from qtasks._builtin.state.plugin import StatePlugin
from qtasks._builtin.state.states import AsyncState, State, StateKey, SyncState

__all__ = ["AsyncState", "State", "StateKey", "StatePlugin", "SyncState"]


def __dir__() -> list[str]:
    return __all__
