"""Core with any set of the packages beside it: what is installed, and one app that uses it all."""
