"""Settings for all tests."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

pytest_plugins = ["servers.plugin", "servers.kafka"]


def pytest_runtest_teardown() -> None:
    """Has garbage collected again where a command of a worker ran in this process."""
    gc.unfreeze()


# The same examples on every run: a failure in CI is a failure on a laptop.
settings.register_profile("deterministic", derandomize=True, database=None, deadline=None)
settings.load_profile("deterministic")

# What a developer has set for their own queues is not for the tests.
for name in [*os.environ]:
    if name.startswith("QTASKS_") and not name.startswith("QTASKS_TEST_"):
        del os.environ[name]
