"""Worker processes: a supervisor that starts, watches, replaces and stops them."""
