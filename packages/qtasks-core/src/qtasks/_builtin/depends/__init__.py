"""Depends: parameters of tasks that are made, and put away, around each run."""
