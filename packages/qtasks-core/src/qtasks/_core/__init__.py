"""The private engine. Nothing outside this package may rely on anything in here."""
