"""What crosses a boundary: frozen structs without behaviour or I/O."""

from qtasks.schemas.argument import ArgMeta
from qtasks.schemas.capabilities import Capabilities
from qtasks.schemas.command_option import CommandOption
from qtasks.schemas.definition import TaskDefinition
from qtasks.schemas.delivery import Begun, Claim, Delivery, Exchange, Extension, Held, Swept
from qtasks.schemas.error import TaskError
from qtasks.schemas.finding import Finding
from qtasks.schemas.finished import Finished
from qtasks.schemas.health import WorkerHealth
from qtasks.schemas.history import HistoryEntry
from qtasks.schemas.message import Message, Receipt
from qtasks.schemas.options import CallOptions, TaskCall
from qtasks.schemas.outcome import Cancel, Fail, Outcome, Release, Retry, Settlement, Success
from qtasks.schemas.plugin_report import PluginReport, PluginState
from qtasks.schemas.progress import Progress, Progressed
from qtasks.schemas.record import CancelAnswer, Page, Record, RecordQuery
from qtasks.schemas.retention import MAX_LOST, Retention
from qtasks.schemas.schedule import Schedule
from qtasks.schemas.stats import Presence, QueueStats
from qtasks.schemas.status import TERMINAL, TaskStatusEnum
from qtasks.schemas.stream import Chunk, Streamed
from qtasks.schemas.unique import OnConflict, Unique, Uniqueness
from qtasks.schemas.verdict import Verdict

__all__ = [
    "MAX_LOST",
    "TERMINAL",
    "ArgMeta",
    "Begun",
    "CallOptions",
    "Cancel",
    "CancelAnswer",
    "Capabilities",
    "Chunk",
    "Claim",
    "CommandOption",
    "Delivery",
    "Exchange",
    "Extension",
    "Fail",
    "Finding",
    "Finished",
    "Held",
    "HistoryEntry",
    "Message",
    "OnConflict",
    "Outcome",
    "Page",
    "PluginReport",
    "PluginState",
    "Presence",
    "Progress",
    "Progressed",
    "QueueStats",
    "Receipt",
    "Record",
    "RecordQuery",
    "Release",
    "Retention",
    "Retry",
    "Schedule",
    "Settlement",
    "Streamed",
    "Success",
    "Swept",
    "TaskCall",
    "TaskDefinition",
    "TaskError",
    "TaskStatusEnum",
    "Unique",
    "Uniqueness",
    "Verdict",
    "WorkerHealth",
]
