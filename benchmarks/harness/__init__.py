"""What measures: it installs queues, runs them, watches, reckons, and never imports one."""
