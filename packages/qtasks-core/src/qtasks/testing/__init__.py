"""Tools for tests: a clock that stands still, and the contracts of brokers and storages as suites.

Needs the extra ``qtasks-core[testing]``.
"""

from __future__ import annotations

import sys

from qtasks.testing.clock import FakeClock

__all__ = ["FakeClock"]

if "pytest" in sys.modules:
    # Under pytest the assertions of the suites explain themselves as those of a test file do.
    sys.modules["pytest"].register_assert_rewrite("qtasks.testing.conformance")
