"""Settings for all tests."""

from __future__ import annotations

from hypothesis import settings

# The same examples on every run: a failure in CI is a failure on a laptop.
settings.register_profile("deterministic", derandomize=True, database=None, deadline=None)
settings.load_profile("deterministic")
