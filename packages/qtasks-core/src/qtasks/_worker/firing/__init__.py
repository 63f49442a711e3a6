"""Tells plugins what a worker does: one module for each part of its work."""
