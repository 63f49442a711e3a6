"""A plugin that needs what is not installed; it must not be imported."""

from __future__ import annotations

msg = "this was imported although something is missing"
raise SystemExit(msg)
