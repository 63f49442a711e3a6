"""The version of qtasks-plugin-sentry; hatchling reads it from here."""

__version__ = "1.0.0.dev0"
