"""Writes a line to a file whenever a task of QTasks ends."""

from qtasks_plugin_audit.options import Options
from qtasks_plugin_audit.plugin import AuditPlugin

__all__ = ["AuditPlugin", "Options"]
