"""What fits QTasks into other frameworks; each is imported on its own, and none by core."""
