"""The composition root: façades and task objects, wired to the engine and the adapters."""
