"""Retries for QTasks: how often a failed task runs again, when, and after which exceptions."""

from qtasks_plugin_retry._version import __version__
from qtasks_plugin_retry.backoffs import Constant, Exponential, Linear, Polynomial, Table
from qtasks_plugin_retry.breaker import Breaker
from qtasks_plugin_retry.budget import Budget
from qtasks_plugin_retry.chance import Proportional
from qtasks_plugin_retry.failure import Failure
from qtasks_plugin_retry.options import Options
from qtasks_plugin_retry.plugin import RetryPlugin
from qtasks_plugin_retry.policy import Retry

__all__ = [
    "Breaker",
    "Budget",
    "Constant",
    "Exponential",
    "Failure",
    "Linear",
    "Options",
    "Polynomial",
    "Proportional",
    "Retry",
    "RetryPlugin",
    "Table",
    "__version__",
]
