"""What plugin authors import, and the built-in plugins by which parameters are filled in."""

from qtasks._builtin.depends.dependency import Depends
from qtasks._builtin.state.states import AsyncState, State, StateKey, SyncState
from qtasks._core.decisions.history import read as read_history
from qtasks.contracts.codec import decode, encode
from qtasks.contracts.hookspecs import hookimpl
from qtasks.contracts.on import on
from qtasks.contracts.parameters import UnresolvedAnnotation, parameters_of
from qtasks.contracts.plugin import PLUGIN_API_VERSION, BasePlugin, Plugin
from qtasks.contracts.scheduling import schedule_headers, schedule_of
from qtasks.contracts.triggers.literal import TriggerName
from qtasks.contracts.triggers.spec import Kind
from qtasks.contracts.triggers.spec import trigger as trigger_spec

__all__ = [
    "PLUGIN_API_VERSION",
    "AsyncState",
    "BasePlugin",
    "Depends",
    "Kind",
    "Plugin",
    "State",
    "StateKey",
    "SyncState",
    "TriggerName",
    "UnresolvedAnnotation",
    "decode",
    "encode",
    "hookimpl",
    "on",
    "parameters_of",
    "read_history",
    "schedule_headers",
    "schedule_of",
    "trigger_spec",
]


def __dir__() -> list[str]:
    return __all__
