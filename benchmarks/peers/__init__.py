"""What runs in the environments of the queues: their tasks, their workers and who adds tasks."""
