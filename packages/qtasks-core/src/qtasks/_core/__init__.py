"""The client half of the engine: calls become messages, records are read, ends are decided."""
