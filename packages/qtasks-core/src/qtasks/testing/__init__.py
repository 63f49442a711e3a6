"""Tools for tests: apps in memory, a clock that stands still, plugins that record or misbehave.

The contracts of brokers, storages and plugins, as suites of tests, are in
``qtasks.testing.conformance``; fixtures for pytest are in ``qtasks.testing.fixtures``. These two
need the extra ``qtasks-core[testing]``.
"""

from __future__ import annotations

import sys

from qtasks.testing.app import make_app
from qtasks.testing.clock import FakeClock
from qtasks.testing.recorder import Call, TriggerRecorder
from qtasks.testing.running import run_queue, run_task
from qtasks.testing.sandbox import plugin_sandbox
from qtasks.testing.troublemakers import RaisingPlugin, SlowPlugin

__all__ = [
    "Call",
    "FakeClock",
    "RaisingPlugin",
    "SlowPlugin",
    "TriggerRecorder",
    "make_app",
    "plugin_sandbox",
    "run_queue",
    "run_task",
]

if "pytest" in sys.modules:
    # Under pytest the assertions of the suites explain themselves as those of a test file do.
    sys.modules["pytest"].register_assert_rewrite("qtasks.testing.conformance")
