"""The nox sessions, one file for each part of the work; noxfile.py says which of them run."""
