"""The version of qtasks-broker-kafka; hatchling reads it from here."""

__version__ = "1.0.0.dev0"
