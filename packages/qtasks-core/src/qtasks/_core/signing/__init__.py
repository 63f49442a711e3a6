"""Signed messages and results; imported only by apps that have keys."""
