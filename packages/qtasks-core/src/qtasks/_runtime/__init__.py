"""What a process of ours stands on: loops, threads, signals, logs, and the task that runs now."""
