"""What annotations of tasks mean for the values that calls give and get."""
